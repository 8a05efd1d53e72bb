"""Clients of Perspective on PyPI, unmodified: Google's own as its documentation shows it, but for one address, and two that know Perspective alone.

usage: perspective_pypi.py google|perspective|PyPerspective URL KEYS TEXTS (both JSON); prints what every call returned, as JSON
"""
import json
import sys

WHICH, URL = sys.argv[1:3]
KEYS, TEXTS = json.loads(sys.argv[3]), json.loads(sys.argv[4])


def google():
    from googleapiclient import discovery
    from googleapiclient.errors import HttpError

    def build(key):
        return discovery.build("commentanalyzer", "v1alpha1", developerKey=key,
                               discoveryServiceUrl=f"{URL}/$discovery/rest?version=v1alpha1", static_discovery=False)

    def analyze(text, attributes, key=KEYS["post"], **more):
        body = {"comment": {"text": text}, "requestedAttributes": {name: {} for name in attributes}} | more
        return build(key).comments().analyze(body=body, prettyPrint=False, x__xgafv="2").execute()

    def suggest(key):
        return build(key).comments().suggestscore(body={
            "comment": {"text": TEXTS["known"]}, "attributeScores": {"SPAM": {"summaryScore": {"value": 0.9}}}, "clientToken": TEXTS["id"]}).execute()

    def refused(call):
        try:
            return call()
        except HttpError as error:
            return [error.resp.status, error.reason]

    return {
        "ham": analyze(TEXTS["ham"], ["SPAM", "TOXICITY"]),
        "spam": analyze(TEXTS["spam"], ["SPAM", "TOXICITY"], spanAnnotations=True),
        "abuse": analyze(TEXTS["abuse"], ["SPAM", "TOXICITY"], languages=["en"], doNotStore=True, clientToken="mine"),
        "off topic": analyze(TEXTS["spam"], ["OFF_TOPIC"], context={"entries": [{"text": TEXTS["article"]}]}),
        "unknown attribute": refused(lambda: analyze(TEXTS["ham"], ["INSULT"])),
        "wrong key": refused(lambda: analyze(TEXTS["ham"], ["SPAM"], "dw_site_wrong")),
        "suggest without the scope": refused(lambda: suggest(KEYS["post"])),
        "suggest": suggest(KEYS["feedback"]),
    }


def perspective():
    from perspective import PerspectiveAPI

    def made(key):
        api = PerspectiveAPI(key)
        api.api_client.url = URL + "/v1alpha1/{endpoint}"
        return api

    scores = {name: made(KEYS["post"]).score(TEXTS[name], tests=["SPAM", "TOXICITY"]) for name in ("ham", "spam", "abuse")}
    suggested = made(KEYS["feedback"]).suggest_score(TEXTS["known"], {"SPAM": {"summaryScore": {"value": 0.9}}}, client_token=TEXTS["id"], validate=False)
    return {"scores": scores, "suggest": suggested}


def pyperspective():
    from PyPerspective import Perspective as module
    from PyPerspective.errors import InvalidAuthKey

    module.base_url = f"{URL}/v1alpha1/comments:analyze"
    client = module.Perspective(KEYS["post"])
    scores = {name: {"TOXICITY": client.get_score(TEXTS[name])["TOXICITY"].score} for name in ("ham", "spam", "abuse")}
    try:
        module.Perspective("dw_site_wrong")
        wrong = "taken"
    except InvalidAuthKey:
        wrong = "InvalidAuthKey"
    return {"scores": scores, "wrong key": wrong}


print(json.dumps({"google": google, "perspective": perspective, "PyPerspective": pyperspective}[WHICH]()))
