"""Perspective's clients, unmodified, against a served Doorward: scores, parts, refusals, and a suggestion that becomes a decision.

usage: perspective_clients.py PYTHON (with perspective_requirements.txt) NODE_FOLDER (with perspective_package.json)
"""
import json
import sys

from house import HERE, House, check, client

MODELLED = "SPAM, TOXICITY, OFF_TOPIC"
# What every client asks about; of `known`, Doorward has the comment `id`.
TEXTS = {
    "ham": "The bakery on the corner opens at six again, and the rolls are as good as ever.",
    "spam": "Cheap viagra and casino bonus!!! Buy now: http://pills.example/buy http://casino.example/win, best price guaranteed",
    "abuse": "You are a stupid worthless idiot and nobody wants to read your disgusting lies.",
    "article": "The council approved the cycle lanes along the river on Tuesday. The lanes connect the station with the harbour, and the city "
               "will build bridges for bicycles over the two busy streets. Residents had asked for the lanes for years, the mayor said, and the "
               "works will begin in spring, when the river is low. The council also voted on parking at the station.",
    "known": "I walked past the station this morning and found what I had lost there.",
    "id": "c-1",
}


def scored(who, scores):
    """Which text is what, by the scores that a client was told."""
    for name, is_what in (("ham", []), ("spam", ["SPAM"]), ("abuse", ["TOXICITY"])):
        found = scores.get(name, {})
        check(f"{who}: {name}: {found}", found and all((value >= 0.5) == (attribute in is_what) for attribute, value in found.items()), found)


def suggested(house, who, answer):
    """A suggestion became the site's decision."""
    check(f"{who}: a suggestion is taken: {answer}", answer == {"clientToken": TEXTS["id"]}, answer)
    status, comment = house.call("GET", f"/v1/comments/{TEXTS['id']}?site=site")
    check(f"{who}: and rejects the comment, by a person", status == 200 and (comment["status"], comment["decided_by"]) == ("rejected", "person"), comment)
    category, _ = house.note(comment)
    check(f"{who}: as {category}", category == "spam", category)


def of_google(house, who, results):
    """What the clients of Google were answered, who see every field."""
    summary = {name: {attribute: said["summaryScore"]["value"] for attribute, said in results[name]["attributeScores"].items()}
               for name in ("ham", "spam", "abuse", "off topic")}
    scored(who, summary)
    check(f"{who}: a token comes back", results["abuse"]["clientToken"] == "mine", results["abuse"])
    off_topic = summary["off topic"]["OFF_TOPIC"]
    check(f"{who}: off-topic under the article: {off_topic}", 0.0 <= off_topic <= 1.0, off_topic)
    units = TEXTS["spam"].encode("utf-16-le")
    parts = [units[2 * span["begin"]:2 * span["end"]].decode("utf-16-le") for span in results["spam"]["attributeScores"]["SPAM"]["spanScores"]]
    check(f"{who}: parts are pointed at: {parts}", any(part and part != TEXTS["spam"] for part in parts), parts)
    for name, status, words in (("unknown attribute", 400, f"requestedAttributes.INSULT: is not modelled here; what is: {MODELLED}"),
                                ("wrong key", 401, "this key is not known here"), ("suggest without the scope", 403, "lacks the scope `feedback`")):
        refused = results[name]
        check(f"{who}: {name}: {refused}", refused[0] == status and words in refused[1], refused)
    suggested(house, who, results["suggest"])


def main(python, node):
    pypi, npm = [python, str(HERE / "perspective_pypi.py")], ["node", f"{node}/perspective_npm.js"]
    for start, which in ((pypi, "google"), (npm, "google"), (pypi, "perspective"), (pypi, "PyPerspective"), (npm, "conversationai"), (npm, "perspective-api-client")):
        who = f"{'PyPI' if start is pypi else 'npm'} {which}"
        with House() as house:
            key = house.run("site", "create", "site")["key"]
            keys = {name: house.run("site", "key", "site", "--scopes", scopes)["key"] for name, scopes in (("post", "post"), ("feedback", "post,feedback"))}
            status, made = house.call("POST", "/v1/comments", {"id": TEXTS["id"], "article": {"id": "trams"}, "author": {"id": "anna"}, "body": TEXTS["known"]}, key)
            check(f"{who}: a comment is there: {status}", (status, made["status"]) == (201, "approved"), made)
            results = client(who, [*start, which, house.url, json.dumps(keys), json.dumps(TEXTS)])
            if which == "google":
                of_google(house, who, results)
            else:
                scored(who, results["scores"])
                if "suggest" in results:
                    suggested(house, who, results["suggest"])
                if "wrong key" in results:
                    check(f"{who}: a wrong key: {results['wrong key']}", results["wrong key"] in (401, "InvalidAuthKey"))
            check(f"{who}: nothing that was asked about is stored", len(house.comments("site")) == 1)
    print("Perspective: Google's clients of PyPI and npm by the discovery document, PyPI perspective and PyPerspective, npm perspective-api-client and "
          "@conversationai/perspectiveapi-js-client, unmodified")


if __name__ == "__main__":
    main(*sys.argv[1:])
