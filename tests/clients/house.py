"""A Doorward of a test's own, in a temporary folder: started, asked, stopped and started again.

The program is the one that DOORWARD_PROGRAM names.
"""
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

PROGRAM = os.environ.get("DOORWARD_PROGRAM", "target/debug/doorward")
HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever proxy a test sets for its clients


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def until(what, condition, seconds=60):
    """Waits until the condition holds, and returns what it returned."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


def check(name, holds, *seen):
    """One thing that was looked at; says so, and ends the test when it is not so."""
    if not holds:
        raise AssertionError(f"{name}: {seen}")
    print(f"  ok  {name}", flush=True)


def client(name, command, environment=None):
    """What a client printed, which is a program of its own: JSON."""
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | (environment or {}), timeout=120)
    if done.returncode != 0:
        raise AssertionError(f"{name} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return json.loads(done.stdout)


class House:
    """One Doorward with its database, its sites and its moderator."""

    def __init__(self, settings=""):
        self.folder = tempfile.TemporaryDirectory(prefix="doorward-clients-")
        self.path = pathlib.Path(self.folder.name)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None
        (self.path / "config.toml").write_text(
            f'[server]\nlisten = "127.0.0.1:{self.port}"\n'
            '[webhooks]\nallow_hosts = ["127.0.0.1"]\nundo_grace_s = 0\npoll_ms = 100\n'
            'backoff_ms = 200\nbackoff_max_s = 2\n'
            '[sampling]\nrate = 0.0\n'  # of what is approved one in a hundred would wait for a person, whatever it is
            + settings, encoding="utf-8")

    def __enter__(self):
        self.run("user", "create", "mo@example.test", "--role", "moderator")
        self.token = self.run("token", "create", "mo@example.test")["token"]
        self.start()
        return self

    def __exit__(self, kind, *_):
        self.stop()
        if kind is not None:
            print((self.path / "log").read_text(encoding="utf-8", errors="replace")[-6000:], file=sys.stderr)
        self.folder.cleanup()

    def run(self, *words):
        """A command of the program, and the record that it prints."""
        done = subprocess.run([PROGRAM, "--config", str(self.path / "config.toml"), *words, "--json"],
                              capture_output=True, text=True, cwd=self.path)
        if done.returncode != 0:
            raise AssertionError(f"doorward {' '.join(words)}: {done.stderr}")
        return json.loads(done.stdout)

    def start(self):
        with open(self.path / "log", "ab") as log:
            self.process = subprocess.Popen([PROGRAM, "--config", str(self.path / "config.toml"), "serve"],
                                            stdout=log, stderr=log, cwd=self.path)
        until("Doorward is ready", self.is_ready)

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError("Doorward ended:\n" + (self.path / "log").read_text(errors="replace")[-4000:])
        try:
            return self.call("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)
        self.process = None

    def call(self, method, path, body=None, key=None):
        """A request to the HTTP interface, by default as the moderator: status, and what the answer holds."""
        request = urllib.request.Request(self.url + path, method=method,
                                         data=None if body is None else json.dumps(body).encode())
        request.add_header("Authorization", f"Bearer {key or self.token}")
        if body is not None:
            request.add_header("Content-Type", "application/json")
        try:
            with DIRECT.open(request, timeout=30) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        try:
            return status, json.loads(text) if text else None
        except ValueError:
            return status, text.decode(errors="replace")

    def queue(self, site):
        """What waits for a person on a site."""
        status, page = self.call("GET", f"/v1/queue?site={site}&limit=500")
        if status != 200:
            raise AssertionError(f"the queue: {status} {page}")
        return page["items"]

    def waiting(self, site, text):
        """The waiting comment that holds the text, when it is there."""
        return until(f"waits: {text}", lambda: [one for one in self.queue(site) if text in one["body"]])[0]

    def comments(self, site):
        status, page = self.call("GET", f"/v1/comments?site={site}&limit=500")
        if status != 200:
            raise AssertionError(f"the comments: {status} {page}")
        return page["items"]

    def comment(self, site, text):
        """The one comment that holds the text."""
        found = [one for one in self.comments(site) if text in one["body"]]
        if len(found) != 1:
            raise AssertionError(f"{len(found)} comments hold {text!r}")
        return found[0]

    def note(self, comment):
        """What the last decision about a comment says of itself: its category and its note."""
        status, told = self.call("GET", f"/v1/comments/by-uid/{comment['uid']}/explanation")
        if status != 200:
            raise AssertionError(f"the explanation: {status} {told}")
        last = [one for one in told["history"] if one["kind"] == "decided"][-1]
        return last.get("category"), last.get("note") or ""

    def decide(self, item, action, category=None):
        status, answer = self.call("POST", "/v1/decisions", {
            "items": [{"uid": item["uid"], "seen_version": item["version"]}], "action": action, "category": category})
        if status != 200 or answer["applied"] != [item["uid"]]:
            raise AssertionError(f"the decision: {status} {answer}")
        return answer
