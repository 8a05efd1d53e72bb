"""What is measured: each server a private instance on a free port, in a folder of its own, which is gone afterwards.

Only the one under test runs: all others stand still (SIGSTOP) until it is their turn, so that nothing which one of them does afterwards is counted
against another. A server's CPU time and memory are those of all its processes.
"""

import concurrent.futures
import contextlib
import http.client
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

from . import comments

ROOT = pathlib.Path(__file__).resolve().parent.parent
HERE = pathlib.Path(__file__).resolve().parent
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """What was measured is worth nothing, or could not be; says why."""


class Skipped(Exception):
    """It cannot be measured here; says why."""


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def until(what, condition, patience_s=120, process=None):
    """Waits until the condition holds."""
    end = time.monotonic() + patience_s
    while not condition():
        if process is not None and process.poll() is not None:
            raise Failed(f"{what}: the process ended with {process.returncode}")
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {patience_s} s")
        time.sleep(0.005)


def fetch(url, method="GET", body=None, headers=None, timeout=60):
    """The status and the body of an answer."""
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def cpu_s(pid):
    """Seconds of CPU that a process has used, in user and system mode, with those of its children that have ended."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0  # it is gone
    return sum(int(field) for field in fields[11:15]) * TICK_S


def answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False


class Server:
    """A process, and those that it starts."""

    name = path = ""
    kind = "comment"
    key = ""
    success = 200
    # The server that keeps what this one is told, where it is another: the two run and stand still together, and its CPU is told apart.
    keeper = None

    def __init__(self, work):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{self.name}-", dir=work))
        self.process, self.paused, self.port = None, False, free_port()

    def spawn(self, line, environment=None, log=None):
        log = log or self.folder / "log"
        with open(log, "ab") as out:
            self.process = subprocess.Popen(
                [str(word) for word in line], env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=self.folder)
        self.paused = False

    def tree(self):
        """The numbers of all its processes."""
        parents = {}
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                except OSError:
                    pass  # it has ended meanwhile
        found, looked = [], [self.process.pid]
        while looked:
            parent = looked.pop()
            found.append(parent)
            looked += [child for child, of in parents.items() if of == parent]
        return found

    def pause(self):
        if self.process and not self.paused:
            self.send(signal.SIGSTOP)
            self.paused = True
        if self.keeper:
            self.keeper.pause()

    def resume(self):
        if self.keeper:
            self.keeper.resume()
        if self.process and self.paused:
            self.send(signal.SIGCONT)
            self.paused = False

    def send(self, number):
        for pid in self.tree():
            with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
                os.kill(pid, number)

    def cpu_s(self):
        """Seconds of CPU that all its processes have used, and those that have ended."""
        for _ in range(20):
            pids = set(self.tree())
            used = sum(cpu_s(pid) for pid in pids)
            if set(self.tree()) == pids:
                return used
            # One began or ended between the looks: what it used would be counted twice or not at all.
        raise Failed(f"{self.name}: its processes change too quickly for their CPU to be told")

    def memory_mb(self, which="VmRSS"):
        """Resident memory now, or at most so far (VmHWM)."""
        total = 0
        for pid in self.tree():
            try:
                lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
            except OSError:
                continue
            total += sum(int(line.split()[1]) for line in lines if line.startswith(which + ":"))
        return total / 1024

    def rows(self):
        """How many comments it has stored (or, where nothing is stored, judged); `None` when nobody counts."""
        return None

    def check(self, answer):
        """Raises unless that is the answer of a server that did its work."""

    def url(self):
        return f"http://127.0.0.1:{self.port}{self.path}"

    def stop(self):
        if self.process and self.process.poll() is None:
            self.resume()
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def said(self):
        """The end of what it wrote."""
        try:
            return (self.folder / "log").read_text(errors="replace")[-2000:]
        except OSError:
            return ""


class Echo(Server):
    """The ceiling: examples/echo.rs."""

    name, path, success = "echo", "/v1/comments", 201

    def __init__(self, work, program, workers=0):
        super().__init__(work)
        self.program, self.workers = program, workers

    def start(self):
        self.spawn([self.program, "--listen", f"127.0.0.1:{self.port}", "--workers", self.workers])
        until("echo", lambda: answers(self.port), process=self.process)


class Doorward(Server):
    """The service, over SQLite, or whatever `database` names."""

    name, path, success = "doorward", "/v1/comments", 201

    def __init__(self, work, program, workers=0, database=None, settings=None):
        super().__init__(work)
        self.program, self.database = program, database
        self.config = self.folder / "config.toml"
        self.config.write_text(settings if settings is not None else (HERE / "service.toml").read_text())
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("DOORWARD__")}
        self.environment |= {
            "DOORWARD__SERVER__LISTEN": f'"127.0.0.1:{self.port}"',
            "DOORWARD__SERVER__WORKERS": str(workers),
            "DOORWARD__DATABASE__URL": json.dumps(database or f"sqlite:{self.folder}/doorward.db"),
            "DOORWARD__SECRETS__KEY_FILE": json.dumps(f"{self.folder}/doorward.key"),
        }
        self.token = ""

    def file(self):
        return self.folder / "doorward.db"

    def command(self, *words):
        line = [str(self.program), "--config", str(self.config), *words]
        ran = subprocess.run(line, env=self.environment, cwd=self.folder, capture_output=True, text=True)
        if ran.returncode != 0:
            raise Failed(ran.stderr.strip() or f"{' '.join(words)} ended with {ran.returncode}")
        return json.loads(ran.stdout)

    def people(self):
        """A site's key, and a person's token."""
        self.key = self.command("site", "create", "news", "--json")["key"]
        self.staff()

    def staff(self):
        self.command("user", "create", "bench@example.org", "--role", "admin", "--json")
        self.token = self.command("token", "create", "bench@example.org", "--json")["token"]

    def start(self, patience_s=600):
        """Starts it and answers how many seconds it took to be ready."""
        began = time.monotonic()
        self.spawn([self.program, "--config", self.config, "serve"], self.environment)

        def ready():
            try:
                return fetch(f"http://127.0.0.1:{self.port}/readyz", timeout=5)[0] == 200
            except OSError:
                return False

        until("the service", ready, patience_s, self.process)
        return time.monotonic() - began

    def put_articles(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        for article in comments.articles():
            identity = article.pop("id")
            headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
            connection.request("PUT", f"/v1/articles/{identity}", json.dumps(article), headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status not in (200, 201):
                raise Failed(f"an article was answered with {answer.status}")

    def rows(self):
        if self.database:
            return None
        with contextlib.closing(sqlite3.connect(f"file:{self.file()}?mode=ro", uri=True)) as database:
            return database.execute("SELECT COALESCE(MAX(id), 0) FROM comment").fetchone()[0]  # ids are dense: none is left out

    def statuses(self):
        """How many are approved, held and rejected."""
        if self.database:
            return {}
        names = {0: "erased", 1: "approved", 2: "held", 3: "rejected"}
        with contextlib.closing(sqlite3.connect(f"file:{self.file()}?mode=ro", uri=True)) as database:
            return {names[status]: count for status, count in database.execute("SELECT status, COUNT(*) FROM comment GROUP BY status")}

    def bytes(self):
        return sum(file.stat().st_size for file in self.folder.glob("doorward.db*"))

    def find(self, identity):
        """The status of an answer about one of the site's comments."""
        return fetch(f"http://127.0.0.1:{self.port}/v1/comments/{identity}", headers={"Authorization": f"Bearer {self.key}"})[0]

    def check(self, answer):
        said = json.loads(answer)
        if said.get("status") not in ("approved", "held", "rejected") and "verdict" not in said:
            raise Failed(f"no verdict: {answer[:200]}")


class Postgres(Server):
    """A PostgreSQL of our own, with its defaults but for more memory."""

    name = "postgres"

    def __init__(self):
        super().__init__("/var/tmp")  # whoever runs it must be able to get there
        programs = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        if not programs:
            raise Skipped("PostgreSQL is not installed (apt-get install postgresql)")
        self.programs = programs[-1].parent
        self.sudo = []
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self.sudo = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]

    def start(self):
        data = self.folder / "data"
        line = [*self.sudo, self.programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale"]
        subprocess.run([str(word) for word in line], check=True, stdout=subprocess.DEVNULL)
        settings = {"shared_buffers": "512MB", "max_wal_size": "4GB", "listen_addresses": "127.0.0.1", "unix_socket_directories": str(self.folder)}
        options = [f"-c{name}={value}" for name, value in settings.items()]
        self.spawn([*self.sudo, self.programs / "postgres", "-D", data, "-p", self.port, *options], log=self.folder / "log")
        until("PostgreSQL", lambda: self.sql("SELECT 1") == "1", process=self.process)
        self.sql("CREATE DATABASE doorward")

    def sql(self, statement, database="postgres"):
        line = ["psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-d", database, "-Atqc", statement]
        return subprocess.run(line, capture_output=True, text=True).stdout.strip()

    def database(self):
        return f"postgres://postgres@127.0.0.1:{self.port}/doorward"

    def version(self):
        return "PostgreSQL " + self.sql("SHOW server_version").split()[0]


class NoNames(threading.Thread):
    """Answers every question about a name with "there is none": Rspamd waits for seconds when nobody answers."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    def run(self):
        while True:
            try:
                question, asker = self.socket.recvfrom(4096)
                if len(question) < 12:
                    continue
                end = 12
                while end < len(question) and question[end] != 0:
                    end += question[end] + 1
                # The same id and question; an answer, recursion available, no such name; one question, nothing else.
                answer = question[:2] + b"\x81\x83\x00\x01\x00\x00\x00\x00\x00\x00" + question[12:end + 5]
                self.socket.sendto(answer, asker)
            except OSError:
                return

    def close(self):
        self.socket.close()


class Rspamd(Server):
    """Rspamd with so many workers that scan, and Bayes in a Redis of its own."""

    name, path, kind = "rspamd", "/checkv2", "mail"
    TAUGHT = 230  # of each kind; Bayes answers from 200 on

    def __init__(self, work, workers):
        super().__init__(work)
        self.workers = workers

    def start(self):
        for program in ("rspamd", "redis-server"):
            if not shutil.which(program):
                raise Skipped(f"{program} is not installed")
        self.names, self.control, redis_port = NoNames(), free_port(), free_port()
        self.names.start()
        line = ["redis-server", "--port", str(redis_port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder)]
        self.redis = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until("Redis", lambda: answers(redis_port), process=self.redis)
        local = self.folder / "conf/local.d"
        local.mkdir(parents=True)
        places = {"port": self.port, "control": self.control, "redis": redis_port, "dns": self.names.port, "workers": self.workers}
        for file in (HERE / "rspamd").iterdir():
            text = file.read_text()
            for name, value in places.items():
                text = text.replace(f"@{name}@", str(value))
            (local / file.name).write_text(text)
        variables = [f"--var={name}={self.folder}" for name in ("RUNDIR", "DBDIR", "LOGDIR")]
        self.spawn(["rspamd", "-f", "-i", "-c", "/etc/rspamd/rspamd.conf", f"--var=LOCAL_CONFDIR={self.folder}/conf", *variables])
        until("Rspamd", lambda: answers(self.port) and answers(self.control), process=self.process)
        self.teach()

    def teach(self):
        """Enough of each kind for Bayes to answer. What it says does not matter here, what it costs does."""
        def learn(kind, lane):
            stream = comments.Stream(999, lane)
            for _ in range(self.TAUGHT // 4 + 1):
                letter = comments.mail(stream)
                if kind == "spam":
                    letter += "Earn money from home, click here and subscribe today.\r\n"
                status, said = fetch(f"http://127.0.0.1:{self.control}/learn{kind}", "POST", letter.encode())
                if status not in (200, 204, 208):  # 204: it is sure of that already
                    raise Failed(f"Rspamd learns nothing: {status} {said[:200]}")

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for done in [pool.submit(learn, kind, lane) for lane, kind in enumerate(["ham", "spam"] * 4)]:
                done.result()

    def tree(self):
        return super().tree() + [self.redis.pid]

    def rows(self):
        return json.loads(fetch(f"http://127.0.0.1:{self.control}/stat")[1])["scanned"]

    def check(self, answer):
        if "action" not in json.loads(answer):
            raise Failed(f"no verdict: {answer[:200]}")

    def stop(self):
        super().stop()
        if getattr(self, "redis", None):
            self.redis.send_signal(signal.SIGCONT)
            self.redis.terminate()
            self.redis.wait()
            self.names.close()
            self.redis = None

    def version(self):
        return subprocess.run(["rspamd", "--version"], capture_output=True, text=True).stdout.strip().splitlines()[0]


class Spamd(Server):
    """SpamAssassin's daemon with so many children, local tests only. It takes one message a connection and speaks no HTTP."""

    name, kind = "spamd", "mail"

    def __init__(self, work, workers):
        super().__init__(work)
        self.workers = workers

    def start(self):
        program = shutil.which("spamd", path=os.environ.get("PATH", "") + ":/usr/sbin")
        if not program:
            raise Skipped("spamd is not installed")
        line = [program, "-L", "-m", self.workers, f"--min-children={self.workers}", f"--max-spare={self.workers}", "--max-conn-per-child=100000"]
        line += ["-x", "--nouser-config"]
        line += ["-i", "127.0.0.1", "-p", self.port, "-r", self.folder / "pid", "-s", "stderr", "-H", self.folder]
        if os.geteuid() == 0:
            line += ["-u", "nobody"]
            os.chmod(self.folder, 0o755)
        self.spawn(line)
        until("spamd", lambda: answers(self.port), process=self.process)

    def version(self):
        program = shutil.which("spamd", path=os.environ.get("PATH", "") + ":/usr/sbin")
        said = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
        return said.strip().splitlines()[0].replace(" Server version", "")


class Isso(Server):
    """Isso under gunicorn with so many workers, guard off."""

    name, path, kind, success = "isso", "/new?uri=%2Fstory-1", "form", 201

    def __init__(self, work, environment, workers):
        super().__init__(work)
        self.environment, self.workers = environment, workers

    def start(self):
        settings = self.folder / "isso.cfg"
        settings.write_text((HERE / "isso.cfg").read_text().format(folder=self.folder, port=self.port))
        line = [self.environment / "bin/gunicorn", "-w", self.workers, "--timeout", "0", "-b", f"127.0.0.1:{self.port}", "--log-level", "error", "isso.run"]
        self.spawn(line, {**os.environ, "ISSO_SETTINGS": str(settings)})
        until("Isso", lambda: answers(self.port), process=self.process)

    def rows(self):
        with contextlib.closing(sqlite3.connect(f"file:{self.folder}/isso.db?mode=ro", uri=True)) as database:
            return database.execute("SELECT COUNT(*) FROM comments").fetchone()[0]

    def check(self, answer):
        if "id" not in json.loads(answer):
            raise Failed(f"not stored: {answer[:200]}")

    def version(self):
        line = [self.environment / "bin/pip", "list", "--format=json", "--disable-pip-version-check"]
        found = {package["name"].lower(): package["version"] for package in json.loads(subprocess.run(line, capture_output=True).stdout)}
        return f"Isso {found['isso']} (gunicorn {found['gunicorn']})"
