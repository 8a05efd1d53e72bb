"""Akismet's clients, unmodified, against a served Doorward: verdicts, feedback, a person's decision, and the way back.

usage: akismet_clients.py PYTHON (with PyPI's akismet) NODE_FOLDER (with npm's akismet-api and @cedx/akismet)
"""
import http.client
import json
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from house import HERE, House, check, client, until
from sites import DOUBTFUL
from tls_front import TlsFront

SPAM = ("Cheap viagra and casino bonus!!! Buy now: http://pills.example/buy http://casino.example/win http://loans.example/cash "
        "Make $5000 a week from home, click http://work.example/now, subscribe today, best price guaranteed!!!")


def texts(who):
    """What one client posts."""
    return {
        "ham": f"The bakery on the corner opens at six again, {who}, and the rolls are as good as ever.",
        "spam": f"{SPAM} ({who})",
        "held": f"It is whispered that the bridge closes in May, says {who}.",
        "later spam": f"I walked past the station this morning with {who} and found what I had lost there.",
        "test": f"This one is only a test of the cable by {who}, nobody should see it.",
        "guaranteed": f"A photograph of the old mill was found in the attic of {who}.",
        "trap": f"The roof of the market hall is being painted this week, writes {who}.",
    }


class Receiver:
    """A site that is told by `callback`, and writes down what it is told."""

    def __init__(self):
        told = self.told = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                told.append((self.path, dict(self.headers), json.loads(body)))
                guids = [one["guid"] for one in told[-1][2]["comments"]]
                answer = json.dumps({"comments": {guid: {"status": "success"} for guid in guids}}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def raw(house, path, body, host=None, headers=None):
    """A request whose every byte is ours: status, headers and body of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", house.port, timeout=30)
    connection.request("POST", path, body.encode(), {"Content-Type": "application/x-www-form-urlencoded"} | ({"Host": host} if host else {}) | (headers or {}))
    answer = connection.getresponse()
    found = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode()
    connection.close()
    return found


def looked_at(house, site, who, results, expected):
    """What a client was answered, and what Doorward made of it."""
    for name, value in expected.items():
        wanted = value if isinstance(value, (list, tuple)) else [value]
        check(f"{who}: {name}: {results.get(name)!r}", results.get(name) in wanted, value)
    said = texts(who)
    ham, held, spam, later = (house.comment(site, said[name]) for name in ("ham", "held", "spam", "later spam"))
    check(f"{who}: ham is approved", ham["status"] == "approved", ham)
    check(f"{who}: a doubtful one asked about twice is one item, and waits", held["status"] == "held", held["status"])
    check(f"{who}: what was submitted as spam is rejected, by a person",
          (later["status"], later["decided_by"]) == ("rejected", "person"), later["status"], later["decided_by"])
    check(f"{who}: what was submitted as ham is approved, by a person",
          (spam["status"], spam["decided_by"]) == ("approved", "person"), spam["status"], spam["decided_by"])
    category, note = house.note(later)
    check(f"{who}: a labelled decision: {category}, {note}", category == "spam" and note.startswith("Reported as spam"), category, note)
    check(f"{who}: a test is neither kept nor taught", not [one for one in house.comments(site) if said["test"] in one["body"]])
    house.decide(house.waiting(site, said["held"]), "approve")
    check(f"{who}: a person decides about the doubtful one", house.comment(site, said["held"])["status"] == "approved")


def replay(file, receiver):
    """Requests derived from the source of a client that cannot be had here."""
    told = json.loads(file.read_text(encoding="utf-8"))
    site = file.stem
    with House(DOUBTFUL) as house:
        key = house.run("site", "create", site, "--url", receiver.url)["akismet_key"]
        for one in told["requests"]:
            body = one["body"].replace("{key}", key).replace("{blog}", urllib.parse.quote(receiver.url, safe=""))
            status, headers, answer = raw(house, one["path"], body, one["host"].replace("{key}", key), one["headers"])
            check(f"{site}: {one['name']}: {answer}", (status, answer) == (200, one["answer"]), status, headers)
            comment = house.comment(site, one["text"])
            check(f"{site}: and it is {one['status']}", comment["status"] == one["status"], comment)
            if one["path"].endswith("comment-check"):
                check(f"{site}: with an id of the check", len(headers.get("x-akismet-guid", "")) >= 32, headers)


def the_way_back(house, receiver):
    """What a client that takes verdicts later sends, and is told: `callback`, as WordPress and the SDK for PHP have it."""
    key = house.run("site", "create", "callback", "--url", receiver.url)["akismet_key"]
    guids = {}
    for name, text in (("good", "It is whispered that the pool opens at seven."), ("bad", "It is whispered that the pool sells pills.")):
        form = urllib.parse.urlencode({
            "api_key": key, "blog": receiver.url, "user_ip": "203.0.113.41", "comment_author": "Emil", "comment_author_email": "emil@example.test",
            "comment_content": text, "comment_type": "comment", "comment_post_ID": "7", "permalink": receiver.url + "/pool",
            "callback": receiver.url + "/index.php?rest_route=/akismet/v1/webhook"})
        status, headers, body = raw(house, "/1.1/comment-check", form)
        check(f"callback: a doubtful comment is answered false, with a time: {headers.get('x-akismet-recheck-after')}",
              (status, body) == (200, "false") and int(headers.get("x-akismet-recheck-after", 0)) >= 3600, headers)
        guids[name] = headers["x-akismet-guid"]
    house.decide(house.waiting("callback", "opens at seven"), "approve")
    house.decide(house.waiting("callback", "sells pills"), "reject", "spam")
    until("both decisions come back", lambda: len({one["guid"] for told in receiver.told for one in told[2]["comments"]} & set(guids.values())) == 2)
    results = {one["guid"]: one["result"] for told in receiver.told for one in told[2]["comments"]}
    check("callback: approved is false, rejected as spam is true", (results[guids["good"]], results[guids["bad"]]) == ("false", "true"), results)
    path, headers, message = receiver.told[0]
    check("callback: to the address that was given, with the key and the mark of a webhook",
          path == "/index.php?rest_route=/akismet/v1/webhook" and message["key"] == key and message["endpoint"] == "comment-check"
          and "X-Akismet-Webhook".lower() in {name.lower() for name in headers}, path, headers, message)


def pypi(kind, python, receiver):
    blog = receiver.url + "/"
    with House(DOUBTFUL) as house, TlsFront(house.port, "rest.akismet.com", house.path) as front:
        key = house.run("site", "create", "site", "--url", blog)["akismet_key"]
        results = client(f"PyPI akismet, {kind}", [python, str(HERE / "akismet_pypi.py"), kind, json.dumps(texts(kind))], {
            "PYTHON_AKISMET_API_KEY": key, "PYTHON_AKISMET_BLOG_URL": blog, "PYTHON_AKISMET_TIMEOUT": "20",
            "HTTPS_PROXY": front.url, "SSL_CERT_FILE": str(front.authority), "NO_PROXY": ""})
        # `key_sites()` sends no key at all (a fault of the client), so it can only be told that none is right.
        looked_at(house, "site", kind, results, {
            "key is right": True, "key is wrong": False, "ham": "HAM", "spam": ["SPAM", "DISCARD"], "held": "HAM", "later spam": "HAM",
            "guaranteed": ["SPAM", "DISCARD"], "test": "HAM", "again": "HAM", "submit spam": True, "submit ham": True,
            "sites": "APIKeyError", "sites as csv": "APIKeyError"})
        usage = results["usage"]
        check(f"{kind}: usage is counted: {usage}", usage["limit"] == "none" and usage["usage"] >= 4 and usage["throttled"] is False)


def npm(which, node, receiver):
    blog = receiver.url + "/"
    with House(DOUBTFUL) as house:
        key = house.run("site", "create", "site", "--url", blog)["akismet_key"]
        results = client(f"npm {which}", ["node", f"{node}/akismet_npm.js", which, f"127.0.0.1:{house.port}", key, blog, json.dumps(texts(which))])
        ham, spam = (False, [True]) if which == "akismet-api" else ("ham", ["spam", "pervasiveSpam"])
        looked_at(house, "site", which, results, {
            "key is right": True, "key is wrong": False, "ham": ham, "spam": spam, "held": ham, "later spam": ham, "guaranteed": spam,
            "test": ham, "again": ham, "submit spam": "done", "submit ham": "done"})
        if which == "akismet-api":
            trapped = house.comment("site", texts(which)["trap"])
            check(f"{which}: the filled trap was seen: {trapped['status']}", trapped["status"] != "approved", trapped["verdict"]["scores"])


def main(python, node):
    receiver = Receiver()
    for kind in ("sync", "async"):
        pypi(kind, python, receiver)
    for which in ("akismet-api", "cedx"):
        npm(which, node, receiver)
    for file in sorted((HERE / "requests").glob("*.json")):
        replay(file, receiver)
    with House(DOUBTFUL) as house:
        the_way_back(house, receiver)
    print("Akismet: PyPI akismet (sync, async), npm akismet-api and @cedx/akismet, unmodified; derived requests replayed; decisions told by callback")


if __name__ == "__main__":
    main(*sys.argv[1:])
