"""Takes down in Discourse what Doorward rejects, and brings back what people there approve after all.

DISCOURSE=https://forum.example API_KEY=… API_USER=system WEBHOOK_SECRET=whsec_… PORT=9000 python bridge.py
"""
import json, os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

forum = httpx.Client(base_url=os.environ["DISCOURSE"], timeout=8,
                     headers={"Api-Key": os.environ["API_KEY"], "Api-Username": os.environ.get("API_USER", "system")})
webhook = Webhook(os.environ["WEBHOOK_SECRET"])

def act(event):
    """What Discourse said at last. A repeat is harmless: it is asked first whether the post is still there."""
    path, wanted = f"/posts/{event['data']['id']}", event["type"].removeprefix("comment.")
    post = forum.get(f"{path}.json")
    if post.status_code != 200: return post.status_code
    is_gone = post.json().get("deleted_at") is not None
    if wanted == "rejected" and not is_gone: return forum.delete(f"{path}.json").status_code
    # Only a person's word brings back what somebody over there may have taken down.
    if wanted == "approved" and is_gone and event["data"]["decided_by"] == "person": return forum.put(f"{path}/recover.json").status_code
    return 200

class Bridge(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        try: webhook.verify(body, {name.lower(): value for name, value in self.headers.items()})
        except WebhookVerificationError: return self.answer(401)
        try: status = act(json.loads(body))
        except httpx.HTTPError: status = 503
        self.answer(204 if status < 300 or status == 404 else 503)  # 503: Doorward sends it again
    def answer(self, status):
        self.send_response(status)
        self.end_headers()

ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Bridge).serve_forever()
