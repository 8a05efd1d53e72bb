"""Load: wrk with the comments of `comments.lua`, and a client of our own for SpamAssassin's protocol; and what makes a measurement worth nothing."""

import http.server
import json
import os
import pathlib
import socket
import subprocess
import tempfile
import threading
import time

from . import comments
from .servers import Failed, fetch, free_port

HERE = pathlib.Path(__file__).resolve().parent
COMPARED = 20  # comments of each lane and kind, of the two generators


def wrk(server, connections, seconds, run, threads, path=None):
    """Loads the server, and answers what wrk saw."""
    with tempfile.NamedTemporaryFile("r", suffix=".json") as out:
        path = path or server.path
        environment = {
            **os.environ, "BENCH_FOLDER": str(HERE), "BENCH_KIND": server.kind, "BENCH_RUN": str(run), "BENCH_KEY": server.key,
            "BENCH_PATH": path, "BENCH_HOST": f"127.0.0.1:{server.port}", "BENCH_OUT": out.name,
        }
        line = ["wrk", f"-t{min(threads, connections)}", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "--latency", "-s", str(HERE / "comments.lua"),
                f"http://127.0.0.1:{server.port}{path}"]
        ran = subprocess.run(line, env=environment, capture_output=True, text=True)
        text = out.read()
    if ran.returncode != 0 or not text:
        raise Failed(f"wrk: {ran.stderr.strip() or ran.stdout.strip()}")
    saw = json.loads(text)
    wrong = {kind: saw[kind] for kind in ("not_2xx", "connect", "read", "write", "timeout") if saw[kind]}
    if wrong:
        raise Failed(f"{server.name}: of {saw['answered']} requests, these went wrong: {wrong}; it says: {server.said()[-600:]}")
    saw["per_s"] = saw["answered"] / saw["seconds"]
    return saw


def spamc(server, connections, seconds, run):
    """The same for spamd: one message a connection, so many connections at once."""
    end = time.monotonic() + seconds
    times, wrong = [], []

    def worker(lane):
        stream = comments.Stream(run, lane)
        while time.monotonic() < end and not wrong:
            letter = comments.mail(stream).encode()
            began = time.monotonic()
            try:
                with socket.create_connection(("127.0.0.1", server.port), 60) as connection:
                    connection.sendall(b"CHECK SPAMC/1.5\r\nContent-length: %d\r\n\r\n" % len(letter) + letter)
                    answer = b""
                    while part := connection.recv(65536):
                        answer += part
            except OSError as error:
                wrong.append(str(error))
                return
            if not answer.startswith(b"SPAMD/") or b" EX_OK" not in answer.split(b"\r\n")[0] or b"Spam:" not in answer:
                wrong.append(answer[:200].decode(errors="replace"))
                return
            times.append(time.monotonic() - began)

    began = time.monotonic()
    workers = [threading.Thread(target=worker, args=(lane,)) for lane in range(connections)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    took = time.monotonic() - began
    if wrong or not times:
        raise Failed(f"spamd: {wrong or 'it answered nothing'}")
    times.sort()
    at = lambda share: times[min(len(times) - 1, int(len(times) * share))] * 1e3
    return {"answered": len(times), "seconds": took, "per_s": len(times) / took, "p50_ms": at(0.5), "p99_ms": at(0.99)}


def measure(server, connections, seconds, run, threads, path=None, stores=True):
    """One run against one server: what came of it, what it cost, and whether all of it is stored."""
    server.resume()
    if hasattr(server, "find") and (status := awake(server, f"r{run}-0-2")) != 404:
        raise Failed(f"{server.name}: comments of run {run} are not new there ({status}), and what is known already costs something else")
    before = server.rows() if stores else None
    cpu = used(server)
    saw = spamc(server, connections, seconds, run) if server.name == "spamd" else wrk(server, connections, seconds, run, threads, path)
    # Both at once, and before anything is counted or looked for: that is the bench's own work, and not that of the comments.
    for name, after in used(server).items():
        saw[name] = (after - cpu[name]) / max(1, saw["answered"]) * 1e6
    saw["memory_mb"] = server.memory_mb()
    if before is not None:
        saw["stored"] = settled(server) - before
        # Requests that were on their way when the time was over may be stored, too; wrk did not count them.
        if not saw["answered"] <= saw["stored"] <= saw["answered"] + connections:
            raise Failed(f"{server.name}: {saw['answered']} were answered, {saw['stored']} are stored")
    if stores and hasattr(server, "find"):
        lane = max(1, saw["answered"] // threads // 2)  # the first half of a lane is answered for certain
        for number in range(2, lane, max(1, lane // 50)):  # wrk does not send the first
            identity = f"r{run}-0-{number}"
            if (status := server.find(identity)) != 200:
                raise Failed(f"{identity} was answered and is not there: {status}")
    server.pause()
    return saw


def awake(server, identity):
    """What it says of a comment, once it runs again: its clock stood still, too, so that what comes at first may seem to have come too late (408)."""
    for _ in range(100):
        if (status := server.find(identity)) != 408:
            return status
        time.sleep(0.05)
    return status


def used(server):
    """Seconds of CPU of the server, and of the one that keeps what it is told, by the names that they have in a run."""
    keeper = {"database_cpu_us": server.keeper.cpu_s()} if server.keeper else {}
    return {"cpu_us": server.cpu_s(), **keeper}


def settled(server):
    """How many are stored, once no more are: what was on its way when wrk stopped is still worked on, on a busy machine for a while."""
    now, since = server.rows(), time.monotonic()
    while time.monotonic() - since < 1:
        time.sleep(0.1)
        if (last := server.rows()) != now:
            now, since = last, time.monotonic()
    return now


def greet(server):
    """One comment by hand: is the answer what it should be?"""
    stream = comments.Stream(990_000, 0)
    body = comments.KINDS[server.kind](stream).encode()
    headers = {"Content-Type": "message/rfc822" if server.kind == "mail" else "application/json"}
    if server.key:
        headers["Authorization"] = f"Bearer {server.key}"
    status, answer = fetch(server.url(), "POST", body, headers)
    if status != server.success:
        raise Failed(f"{server.name} answers {status} to a comment: {answer[:300]}")
    server.check(answer)


def same_comments(threads):
    """Raises unless Lua makes the comments that Python makes."""
    came = {}

    class Listener(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            came.setdefault(self.path, []).append(body)
            self.send_response(201)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def handle(self):
            try:
                super().handle()
            except ConnectionError:
                pass  # wrk ends without saying so

        def log_message(self, *_):
            pass

    class Target:
        name, key, path = "listener", "", "/"
        port = free_port()

        def said(self):
            return ""

    listener = http.server.ThreadingHTTPServer(("127.0.0.1", Target.port), Listener)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    for number, (kind, make) in enumerate(comments.KINDS.items()):
        target = Target()
        target.kind, target.path = kind, f"/{kind}"
        lanes = [comments.Stream(7_000 + number, lane) for lane in range(threads)]
        expected = [[make(lane) for _ in range(COMPARED)] for lane in lanes]
        expected = {comment for lane in expected for comment in lane[1:]}  # wrk makes one to look at it, and does not send it
        for seconds in (1, 4, 15):  # a busy machine may not bring enough of each lane at once
            wrk(target, threads, seconds, 7_000 + number, threads)
            missing = expected - set(came.get(f"/{kind}", []))
            if not missing:
                break
        else:
            few = len(came.get(f"/{kind}", []))
            why = f"{min(missing)!r} never came, {came[f'/{kind}'][0]!r} did" if few >= len(expected) else f"only {few} came, too few to compare"
            raise Failed(f"nothing says that comments.lua and comments.py make the same comments ({kind}): {why}")
    listener.shutdown()
