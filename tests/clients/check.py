"""Checks deliveries with the standardwebhooks library of PyPI, and signs inbound messages with it.

usage: check.py verify SECRET CAPTURED.jsonl
       check.py inbound SECRET URL
"""
import datetime
import json
import sys
import urllib.error
import urllib.request

from standardwebhooks.webhooks import Webhook, WebhookVerificationError


def refused(webhook, body, headers):
    try:
        webhook.verify(body, headers)
    except WebhookVerificationError:
        return True
    return False


def verify(secret, path):
    webhook, other = Webhook(secret), Webhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    lines = [json.loads(line) for line in open(path, encoding="utf-8")]
    assert lines, "nothing was captured"
    for line in lines:
        body, headers = line["body"], line["headers"]
        event = webhook.verify(body, headers)
        assert (event or json.loads(body))["type"].startswith("comment."), body
        assert refused(webhook, body.replace("comment", "c0mment"), headers), "a tampered body was believed"
        assert refused(webhook, body, headers | {"webhook-id": "another"}), "another id was believed"
        old = {"webhook-timestamp": str(int(headers["webhook-timestamp"]) - 3600)}
        assert refused(webhook, body, headers | old), "another time was believed"
        assert refused(other, body, headers), "another secret was believed"
        # Signed right, an hour ago.
        then = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)
        stale = {"webhook-id": "m-1", "webhook-timestamp": str(int(then.timestamp()))}
        stale["webhook-signature"] = webhook.sign("m-1", then, body)
        assert refused(webhook, body, stale), "an old message was believed"
    print(f"Python: {len(lines)} deliveries verified, tampered and old ones refused")


def inbound(secret, url):
    now = datetime.datetime.now(datetime.timezone.utc)
    body = json.dumps({"id": "in-py", "article": {"id": "a-1"}, "body": "Signed by the library of PyPI."})

    def send(signer, message, at, text=body):
        headers = {"content-type": "application/json", "webhook-id": message,
                   "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signer.sign(message, at, text)}
        request = urllib.request.Request(url, text.encode(), headers, method="POST")
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    right, wrong = Webhook(secret), Webhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    assert send(wrong, "py-1", now) == 401, "the wrong secret"
    assert send(right, "py-1", now - datetime.timedelta(seconds=310)) == 401, "late"
    assert send(right, "py-1", now + datetime.timedelta(seconds=310)) == 401, "early"
    assert send(right, "py-1", now) == 201, "right"
    assert send(right, "py-1", now) == 200, "the same again"
    assert send(right, "py-1", now, body.replace("Signed", "Resigned")) == 409, "the same id, another body"
    print("Python: inbound messages taken, wrong ones refused")


if __name__ == "__main__":
    {"verify": verify, "inbound": inbound}[sys.argv[1]](*sys.argv[2:])
