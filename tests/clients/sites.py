"""The sample sites of examples/sites against a served Doorward: from a reader's post to the decision, verified, on the page.

usage: sites.py NAME=COMMAND... (as in python='venv/bin/python examples/sites/python/site.py')
"""
import base64
import hashlib
import hmac
import json
import os
import re
import shlex
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

from house import DIRECT, ROOT, House, check, free_port, until

DOUBTFUL = """
[[rules]]
name = "doubtful"
when = 'comment.text.contains("whispered")'
then = { action = "hold" }
reason = "Somebody should look at what is whispered."
"""


def post(url, data, headers=()):
    """The status of a POST; a redirect is followed, as a browser does."""
    request = urllib.request.Request(url, data, dict(headers), method="POST")
    try:
        with DIRECT.open(request, timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


class Site:
    def __init__(self, house, name, command):
        self.house, self.name = house, name
        self.url = f"http://127.0.0.1:{free_port()}"
        made = house.run("site", "create", name, "--webhook", self.url + "/doorward")
        self.secret = made["webhook_secret"]
        environment = os.environ | {"DOORWARD": house.url, "KEY": made["key"], "WEBHOOK_SECRET": self.secret,
                                    "PORT": self.url.rsplit(":", 1)[1]}
        with open(house.path / "log", "ab") as log:
            self.process = subprocess.Popen(shlex.split(command), env=environment, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
        until(f"{name} serves its page", self.page)

    def page(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the site in {self.name} ended")
        try:
            with DIRECT.open(self.url + "/", timeout=20) as answer:
                return answer.read().decode()
        except OSError:
            return None

    def post(self, body):
        form = urllib.parse.urlencode({"name": "Anna", "body": body}).encode()
        check(f"{self.name}: posting leads back to the page", post(self.url + "/", form) == 200)

    def rows(self):
        """What the page says of each comment, in order: its text, and `STATUS by WHOM`."""
        return re.findall(r"<li id=[\"']?[\w-]+[\"']?>(.*?) <i>(.*?)</i>", self.page())

    def hook(self, message, body, at, secret=None):
        key = base64.b64decode((secret or self.secret).removeprefix("whsec_"))
        signature = base64.b64encode(hmac.digest(key, f"{message}.{at}.{body}".encode(), hashlib.sha256)).decode()
        return post(self.url + "/doorward", body.encode(), {
            "content-type": "application/json", "webhook-id": message, "webhook-timestamp": str(at), "webhook-signature": f"v1,{signature}"})

    def stop(self):
        os.killpg(self.process.pid, 15)
        self.process.wait(20)


def walk(house, site):
    name = site.name
    site.post("The crossing at the mill is open again <since> noon.")
    check(f"{name}: an ordinary comment is shown at once",
          [row[1] for row in site.rows()] == ["approved by policy"] and "mill" in site.rows()[0][0] and "<since>" not in site.rows()[0][0], site.rows())
    site.post("It is whispered that the mayor sold the mill.")
    site.post("It is whispered that the baker stole the bread.")
    held = site.rows()[1:]
    check(f"{name}: doubtful ones wait, and are not shown", [row[1] for row in held] == ["held by policy"] * 2 and "whispered" not in site.page(), held)

    uid = house.waiting(name, "mayor")["uid"]
    status, told = house.call("GET", f"/v1/comments/{house.comment(name, 'mayor')['id']}?site={name}")
    forged = json.dumps({"type": "comment.approved", "timestamp": "2026-01-01T00:00:00Z",
                         "data": told | {"status": "approved", "version": told["version"] + 9, "decided_by": "person"}})
    now = int(time.time())
    check(f"{name}: a message signed with another secret is refused",
          status == 200 and uid and site.hook("m-1", forged, now, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw") == 401)
    check(f"{name}: so is one of an hour ago", site.hook("m-2", forged, now - 3600) == 401)
    check(f"{name}: neither changed the page", [row[1] for row in site.rows()[1:]] == ["held by policy"] * 2)

    house.decide(house.waiting(name, "mayor"), "approve")
    house.decide(house.waiting(name, "baker"), "reject", "abuse")
    until(f"{name}: the decisions are on the page", lambda: [row[1] for row in site.rows()[1:]] == ["approved by person", "rejected by person"])
    check(f"{name}: what a person approved is shown, what a person rejected is not", "mayor" in site.page() and "baker" not in site.page())

    # A late message, rightly signed, of what was before: no news.
    late = json.dumps({"type": "comment.held", "timestamp": told["received_at"], "data": told})
    check(f"{name}: a late message is taken and changes nothing",
          site.hook("m-3", late, int(time.time())) == 204 and site.rows()[1][1] == "approved by person")

    house.stop()
    site.post("The library has new chairs.")
    check(f"{name}: unchecked while Doorward is away, and not shown", site.rows()[3][1] == "unchecked by nobody" and "chairs" not in site.page())
    house.start()
    check(f"{name}: asked again when it is there", site.rows()[3][1] == "approved by policy" and "chairs" in site.page(), site.rows())


def main(languages):
    for one in languages:
        name, command = one.split("=", 1)
        with House(DOUBTFUL) as house:
            site = Site(house, name, command)
            try:
                walk(house, site)
            finally:
                site.stop()
    print(f"sample sites: {', '.join(one.split('=')[0] for one in languages)} from post to verified decision")


if __name__ == "__main__":
    main(sys.argv[1:])
