"""A site of one page: readers comment, Doorward decides, what people decide later comes back by webhook.

DOORWARD=http://127.0.0.1:8080 KEY=… WEBHOOK_SECRET=whsec_… PORT=9000 python site.py
"""
import html, json, os, urllib.parse, uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

doorward = httpx.Client(base_url=os.environ["DOORWARD"], headers={"Authorization": f"Bearer {os.environ['KEY']}"}, timeout=5)
webhook = Webhook(os.environ["WEBHOOK_SECRET"])
article = {"id": "trams", "title": "Trams on Mondays", "text": "From Monday on, trams run every ten minutes."}
comments = {}  # by id; in earnest a table

def ask(one):  # what was not answered stays unchecked and is asked again: the id makes that harmless
    try:
        answer = doorward.post("/v1/comments", json={k: one[k] for k in ("id", "body", "author")} | {"article": article})
        if answer.is_success: learn(answer.json())
    except httpx.HTTPError: pass

def learn(told):  # messages may come late or twice: the version says what is news
    one = comments.get(told["id"])
    if one and told["version"] > one["version"]:
        one.update(version=told["version"], status=told["status"], by=told["decided_by"])

class Site(BaseHTTPRequestHandler):
    def do_GET(self):
        for one in list(comments.values()):
            if one["status"] == "unchecked": ask(one)
        rows = "".join(f"<li id={one['id']}>{html.escape(one['body'] if one['status'] == 'approved' else '…')} "
                       f"<i>{one['status']} by {one['by']}</i>" for one in comments.values())
        self.answer(200, f"<!doctype html><title>{article['title']}</title><p>{article['text']}<ul>{rows}</ul>"
                    "<form method=post><input name=name><textarea name=body></textarea><button>Post</button></form>")
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/doorward": return self.hook(body)
        form = dict(urllib.parse.parse_qsl(body.decode()))
        one = {"id": str(uuid.uuid4()), "body": form["body"], "author": {"name": form.get("name", "")}, "version": 0, "status": "unchecked", "by": "nobody"}
        comments[one["id"]] = one
        ask(one)
        self.answer(303, location="/")
    def hook(self, body):
        try: webhook.verify(body.decode(), {name.lower(): value for name, value in self.headers.items()})
        except (WebhookVerificationError, UnicodeDecodeError): return self.answer(401)
        event = json.loads(body)
        if event["type"] == "comment.erased": comments.pop(event["data"]["id"], None)
        elif event["type"].startswith("comment."): learn(event["data"])
        self.answer(204)
    def answer(self, status, page="", **headers):
        self.send_response(status)
        for name, value in ({"content-type": "text/html; charset=utf-8", "content-length": len(page.encode())} | headers).items(): self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(page.encode())

ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Site).serve_forever()
