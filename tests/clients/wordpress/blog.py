"""A real WordPress, as its visitors and its administrator meet it over HTTP."""
import html
import http.client
import http.cookiejar
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from house import DIRECT, ROOT, free_port, until  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent


def inputs(form):
    """Names and values of a form's fields."""
    found = {}
    for tag in re.findall(r"<input[^>]*>", form):
        name = re.search(r'name=["\']([^"\']*)', tag)
        value = re.search(r'value=["\']([^"\']*)', tag)
        if name:
            found[html.unescape(name.group(1))] = html.unescape(value.group(1)) if value else ""
    return found


class Blog:
    """Started by the script that is given, which leaves it running and says how to end it."""

    def __init__(self, script, folder):
        self.script, self.folder = script, pathlib.Path(folder).resolve()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.visitors = 1
        self.run = self.docroot = None

    def start(self, doorward, key):
        self.folder.mkdir(parents=True, exist_ok=True)
        suite = os.environ.get("SUITE", "trixie")
        environment = os.environ | {"KEEP": "1", "WPTEST": str(self.folder), "WPPORT": str(self.port), "AKISMET_BASE": doorward, "KEY": key, "SUITE": suite}
        self.run = self.folder / f"run-{suite}"
        self.docroot = self.folder / f"root-{suite}" / "usr/share/wordpress"
        log = self.folder / "start.log"
        with open(log, "wb") as out:
            code = subprocess.run([str(self.script)], env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, timeout=600).returncode
        if code != 0:
            raise AssertionError(f"WordPress did not start ({code}):\n{log.read_text(errors='replace')[-4000:]}")
        # From here on by what the guide says, in place of what the script put there.
        plugins = self.docroot / "wp-content/mu-plugins"
        (plugins / "wptest.php").write_text((HERE / "mu.php").read_text(encoding="utf-8"), encoding="utf-8")
        (plugins / "doorward-akismet.php").write_text((ROOT / "clients/wordpress/doorward-akismet.php").read_text(encoding="utf-8"), encoding="utf-8")
        self.leads_to = self.run / "doorward-url"
        self.lead_to(doorward)
        settings = self.docroot / "wp-config.php"
        settings.write_text(settings.read_text().replace("<?php\n", f"<?php\nif (is_file('{self.leads_to}')) define('DOORWARD_URL', file_get_contents('{self.leads_to}'));\n", 1))
        until("the web server runs the files as they are now, and not as PHP kept them", lambda: DIRECT.open(self.url, timeout=60).headers.get("X-Leads-To") == doorward)
        self.versions = (self.run / "versions").read_text().strip()
        self.log_in()

    def stop(self):
        pids = self.run / "pids" if self.run else None
        if pids and pids.exists():
            for pid in pids.read_text().split():
                try:
                    os.killpg(int(pid), signal.SIGTERM)
                except ProcessLookupError:
                    pass

    def lead_to(self, doorward):
        """DOORWARD_URL of wp-config.php, read from a file: PHP keeps its own files for seconds. None defines nothing."""
        if doorward is None:
            self.leads_to.unlink()
        else:
            self.leads_to.write_text(doorward)

    # Visitors.

    def request(self, method, path, fields=None, source="127.0.0.1", headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60, source_address=(source, 0))
        headers = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) visitor"} | (headers or {})
        body = fields
        if isinstance(fields, dict):
            body = urllib.parse.urlencode(fields)
            headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
        connection.close()
        return answer.status, text

    def comment(self, text, **more):
        """A visitor reads the page, fills the form in and sends it, from an address of its own; the comment's number and state."""
        self.visitors += 1
        source, email = f"127.0.0.{self.visitors}", f"v{self.visitors}@example.test"
        _, page = self.request("GET", "/?p=1", source=source)
        form = re.search(r'<form[^>]*id="commentform".*?</form>', page, re.S).group(0)
        fields = inputs(form) | {"author": f"Visitor {self.visitors}", "email": email, "url": "", "comment": text} | more
        fields.pop("wp-comment-cookies-consent", None)
        self.request("POST", "/wp-comments-post.php", fields, source, {"Referer": self.url + "/?p=1"})
        return self.of(email)

    def wpdiscuz(self, form, text):
        """What the browser of a reader sends where wpDiscuz draws the form."""
        self.visitors += 1
        source, email = f"127.0.0.{self.visitors}", f"v{self.visitors}@example.test"
        fields = {name: value.format(text=text, name=f"Visitor {self.visitors}", email=email) for name, value in form.items()}
        self.request("POST", "/wp-admin/admin-ajax.php", fields, source, {"Referer": self.url + "/?p=1", "X-Requested-With": "XMLHttpRequest"})
        return self.of(email)

    def of(self, email):
        row = self.sql(f"select comment_ID, comment_approved from wp_comments where comment_author_email='{email}'").split("\t")
        return (int(row[0]), row[1]) if row[0] else (None, None)

    def shows(self, text):
        return text in self.request("GET", "/?p=1", source="127.0.0.250")[1]

    # What it keeps.

    def sql(self, query):
        done = subprocess.run(["mariadb", "--no-defaults", "-S", str(self.run / "db.sock"), "-uroot", "-N", "-B", "wp", "-e", query], capture_output=True, text=True)
        if done.returncode != 0:
            raise AssertionError(f"{query}: {done.stderr}")
        return done.stdout.strip()

    def state(self, comment):
        return self.sql(f"select comment_approved from wp_comments where comment_ID={comment}")

    def php(self, code):
        """A few lines within WordPress, as WP-Cron or wp-cli would run them."""
        head = (f"$_SERVER['HTTP_HOST']='127.0.0.1:{self.port}'; $_SERVER['REQUEST_URI']='/'; $_SERVER['SERVER_PROTOCOL']='HTTP/1.1'; $_SERVER['REMOTE_ADDR']='127.0.0.1';"
                f"require '{self.docroot}/wp-load.php'; require_once ABSPATH . 'wp-admin/includes/plugin.php';")
        done = subprocess.run(["php", "-d", "display_errors=stderr", "-r", head + code], capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise AssertionError(f"{code}: {done.stdout} {done.stderr}")
        return done.stdout

    # The administrator.

    def log_in(self):
        jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(jar))
        self.opener.addheaders = [("User-Agent", "Mozilla/5.0 administrator")]
        self.opener.open(self.url + "/wp-login.php", timeout=60).read()
        self.admin(self.url + "/wp-login.php", {"log": "admin", "pwd": "adminpass", "wp-submit": "Log In", "redirect_to": self.url + "/wp-admin/", "testcookie": "1"})
        if not any(cookie.name.startswith("wordpress_logged_in") for cookie in jar):
            raise AssertionError("the administrator could not log in")

    def admin(self, path, fields=None):
        url = path if path.startswith("http") else f"{self.url}/wp-admin/{path}"
        data = None if fields is None else urllib.parse.urlencode(fields).encode()
        return self.opener.open(url, data, timeout=60).read().decode("utf-8", "replace")

    def click(self, action, comment, page="edit-comments.php"):
        """A row's link of the list of comments, as the page has it."""
        links = map(html.unescape, re.findall(r"comment\.php\?[^\"' ]+", self.admin(page)))
        found = [link for link in links if f"action={action}&" in link and re.search(rf"\bc={comment}\b", link)]
        if not found:
            raise AssertionError(f"no link {action} for comment {comment} on {page}")
        self.admin(found[0])


def becomes(blog, comment, state):
    return until(f"comment {comment} becomes {state}, is {blog.state(comment)}", lambda: blog.state(comment) == state)


__all__ = ["Blog", "DIRECT", "HERE", "becomes", "inputs", "json", "urllib"]
