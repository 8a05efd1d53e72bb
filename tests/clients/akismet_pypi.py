"""The whole interface of PyPI's `akismet`, unmodified and as its documentation shows it: only the environment leads it elsewhere.

usage: akismet_pypi.py sync|async TEXTS (JSON); prints what every call returned, as JSON. The environment has key, blog, HTTPS_PROXY and SSL_CERT_FILE.
"""
import asyncio
import json
import os
import sys

import akismet

TEXTS = json.loads(sys.argv[2])


def about(text, **more):
    return {"user_ip": "203.0.113.9", "user_agent": "Mozilla/5.0", "referrer": "https://search.example/", "comment_type": "comment",
            "comment_author": "Anna Sample", "comment_author_email": "anna@example.test", "permalink": os.environ["PYTHON_AKISMET_BLOG_URL"] + "trams",
            "comment_content": text, "comment_context": ["trams", "timetable"], "blog_lang": "en", "blog_charset": "UTF-8",
            "comment_date_gmt": "2026-11-22T13:00:00Z"} | more


def calls(client):
    """Every call, in order, by name. Those of the asynchronous client are to be awaited."""
    yield "key is right", lambda: client.verify_key()
    yield "key is wrong", lambda: client.verify_key("wrong0wrong0", os.environ["PYTHON_AKISMET_BLOG_URL"])
    for name in ("ham", "spam", "held", "later spam"):
        yield name, lambda name=name: client.comment_check(**about(TEXTS[name]))
    yield "guaranteed", lambda: client.comment_check(**about(TEXTS["guaranteed"], comment_author="akismet-guaranteed-spam"))
    yield "test", lambda: client.comment_check(**about(TEXTS["test"], is_test=True))
    yield "again", lambda: client.comment_check(**about(TEXTS["held"]))
    yield "submit spam", lambda: client.submit_spam(**about(TEXTS["later spam"]))
    yield "submit ham", lambda: client.submit_ham(**about(TEXTS["spam"]))
    yield "sites", lambda: client.key_sites()
    yield "sites as csv", lambda: client.key_sites(result_format="csv", month="2026-11", order="spam", limit=10, offset=0)
    yield "usage", lambda: client.usage_limit()


def told(result):
    return result.name if isinstance(result, akismet.CheckResponse) else result


async def main():
    results = {}
    if sys.argv[1] == "sync":
        with akismet.SyncClient.validated_client() as client:
            for name, call in calls(client):
                try:
                    results[name] = told(call())
                except akismet.AkismetError as error:
                    results[name] = type(error).__name__
    else:
        async with await akismet.AsyncClient.validated_client() as client:
            for name, call in calls(client):
                try:
                    results[name] = told(await call())
                except akismet.AkismetError as error:
                    results[name] = type(error).__name__
    print(json.dumps(results))

asyncio.run(main())
