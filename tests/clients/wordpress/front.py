"""A proxy in front of a Doorward on a bad day: it answers with a page of its own, whether or not it had passed the request on."""
import http.server
import threading
import urllib.error
import urllib.request

from house import DIRECT


class Front:
    """`with Front(502) as front`: nothing is passed on. `Front(504, behind=url)`: Doorward takes the request, and its answer is lost."""

    def __init__(self, status, behind=None):
        self.seen = []
        front = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                front.seen.append(self.path)
                if behind:
                    request = urllib.request.Request(behind + self.path, body or None, method=self.command)
                    for name in ("Content-Type", "Authorization", "User-Agent"):
                        if self.headers.get(name):
                            request.add_header(name, self.headers[name])
                    try:
                        DIRECT.open(request, timeout=30).read()
                    except urllib.error.HTTPError as error:
                        error.read()
                page = b"<html><h1>The server behind this one does not answer</h1></html>"
                self.send_response(status)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(page)))
                self.end_headers()
                self.wfile.write(page)

            do_GET = do_POST = do_PUT = do_DELETE = answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
