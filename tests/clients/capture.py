"""A receiver that writes what comes into a file, one JSON object a line. usage: capture.py PORT_FILE CAPTURED.jsonl"""
import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Capture(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        headers = {name: self.headers[name] for name in ("webhook-id", "webhook-timestamp", "webhook-signature")}
        with open(sys.argv[2], "a", encoding="utf-8") as file:
            file.write(json.dumps({"body": body, "headers": headers}) + "\n")
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Capture)
with open(sys.argv[1], "w", encoding="utf-8") as file:
    file.write(str(server.server_port))
server.serve_forever()
