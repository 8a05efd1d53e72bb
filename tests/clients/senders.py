"""Systems that send webhooks, by what the guides say: the settings are read out of the guides, the messages are derived from the senders' sources.

usage: senders.py PYTHON (with httpx and standardwebhooks)
"""
import hashlib
import hmac
import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from house import DIRECT, ROOT, House, check, free_port, until
from sites import DOUBTFUL, post

SECRET = "a secret of twenty-four characters"


def blocks(guide):
    """The settings that a guide shows, with a secret in place of the ellipsis."""
    text = (ROOT / "docs/clients" / guide).read_text(encoding="utf-8")
    found = re.findall(r"^( *)```toml\n(.*?)^ *```", text, re.S | re.M)
    return [re.sub(f"^{indent}", "", block, flags=re.M).replace('"…"', f'"{SECRET}"') for indent, block in found]


class Discourse:
    """Writes down what is asked of it, as Discourse's own interface would."""

    def __init__(self):
        asked = self.asked = []
        gone = set()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                number = re.search(r"\d+", self.path).group()
                self.answer({"id": int(number), "deleted_at": "2026-11-24T10:00:00.000Z" if number in gone else None})

            def do_DELETE(self):
                asked.append((self.command, self.path, self.headers["api-key"], self.headers["api-username"]))
                number = re.search(r"\d+", self.path).group()
                gone.add(number) if self.command == "DELETE" else gone.discard(number)
                self.answer({})
            do_PUT = do_DELETE

            def answer(self, said):
                body = json.dumps(said).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def signed(body):
    return "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


def payload(name):
    return json.loads((ROOT / f"tests/api/payloads/{name}.json").read_text(encoding="utf-8"))


def discourse(house, there):
    def send(number, raw, event="post_created", message=None):
        said = payload("discourse")
        said["post"] |= {"id": number, "raw": raw, "cooked": f"<p>{raw}</p>"}
        body = json.dumps(said).encode()
        return post(f"{house.url}/v1/sites/forum/webhook?source=discourse", body, {
            "Content-Type": "application/json", "X-Discourse-Event-Id": str(message or number), "X-Discourse-Event-Type": "post",
            "X-Discourse-Event": event, "X-Discourse-Event-Signature": signed(body)})
    check("Discourse: a post comes in", send(501, "My tram came twenty minutes late on Monday.") == 201)
    check("Discourse: another, doubtful one", send(502, "It is whispered that the driver was asleep.") == 201)
    forum = house.comment("forum", "twenty minutes late")
    check("Discourse: approved", forum["status"] == "approved", forum["status"])
    held = house.waiting("forum", "driver was asleep")
    house.decide(held, "reject", "abuse")
    until("the bridge deletes the rejected post", lambda: [one[:2] for one in there.asked] == [("DELETE", "/posts/502.json")])
    check("Discourse: with the key of its interface", there.asked[0][2:] == ("api-key-of-discourse", "system"), there.asked)
    check("Discourse: that it is gone there does not take it from here",
          send(502, "It is whispered that the driver was asleep.", "post_destroyed", 900) == 204 and house.comment("forum", "driver was asleep")["status"] == "rejected")
    status, one = house.call("GET", "/v1/comments/502?site=forum")
    house.decide(one, "approve")
    until("the bridge brings it back", lambda: [one[:2] for one in there.asked][1:] == [("PUT", "/posts/502/recover.json")])


def ghost(house):
    body = json.dumps(payload("ghost")).encode()
    at = int(time.time() * 1000)
    signature = hmac.new(SECRET.encode(), body + str(at).encode(), hashlib.sha256).hexdigest()
    status = post(f"{house.url}/v1/sites/blog/webhook?source=ghost", body, {"Content-Type": "application/json", "X-Ghost-Signature": f"sha256={signature}, t={at}"})
    check("Ghost: a published post comes in as an article", status == 204, status)
    status, article = house.call("GET", "/v1/articles/6564a8d5b0f1c20001a7e3d2?site=blog")
    check("Ghost: and is known when somebody comments on it", status == 200 and "cycle lanes" in json.dumps(article), status, article)


def static(house, key):
    def send(number, message, token=SECRET, website=""):
        body = json.dumps({"submission": {"id": f"s-{number}", "created_at": "2026-11-24T09:59:30Z", "ip": f"203.0.113.{number}", "data": {
            "page": "/2026/trams", "name": "Anna", "email": f"a{number}@example.test", "website": website, "message": message}}}).encode()
        return post(f"{house.url}/v1/sites/static/webhook?source=form", body, {"Content-Type": "application/json", "Authorization": f"Bearer {token}"})
    check("static site: a wrong token is refused", send(1, "The stop has a roof at last.", "another") == 401)
    check("static site: what was filled in comes in", send(1, "The stop has a roof at last.") == 201 and send(2, "It is whispered that the roof leaks.") == 201)
    send(3, "What a nice roof this is.", website="filled in by a program")
    trapped = house.comment("static", "nice roof")
    check("static site: the honeypot counts", trapped["status"] != "approved", trapped["status"])

    def built():
        with DIRECT.open(urllib.request.Request(f"{house.url}/v1/comments?status=approved", headers={"Authorization": f"Bearer {key}"})) as answer:
            return sorted(one["body"] for one in json.load(answer)["items"])
    check("static site: the build asks for what is approved", built() == ["The stop has a roof at last."], built())
    house.decide(house.waiting("static", "roof leaks"), "approve")
    check("static site: and after a moderator's word for more", len(built()) == 2, built())


def main(python):
    there = Discourse()
    settings = "\n".join([*blocks("discourse.md"), *blocks("ghost-or-static.md")])
    with House(DOUBTFUL + settings) as house:
        port = free_port()
        made = house.run("site", "create", "forum", "--webhook", f"http://127.0.0.1:{port}/")
        house.run("site", "create", "blog")
        key = house.run("site", "create", "static")["key"]
        environment = os.environ | {"DISCOURSE": there.url, "API_KEY": "api-key-of-discourse", "WEBHOOK_SECRET": made["webhook_secret"], "PORT": str(port)}
        bridge = subprocess.Popen([python, str(ROOT / "examples/sites/discourse/bridge.py")], env=environment)
        try:
            until("the bridge listens", lambda: listens(port))
            check("Discourse: the bridge refuses what is not signed", post(f"http://127.0.0.1:{port}/", b"{}") == 401)
            discourse(house, there)
        finally:
            bridge.terminate()
            bridge.wait(20)
        ghost(house)
        static(house, key)
    print("senders: Discourse with the bridge, Ghost, a static site's form, with the settings of the guides")


def listens(port):
    try:
        return post(f"http://127.0.0.1:{port}/", b"{}") == 401
    except OSError:
        return False


if __name__ == "__main__":
    main(*sys.argv[1:])
