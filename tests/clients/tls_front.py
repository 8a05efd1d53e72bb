"""A proxy that takes CONNECT to one host, and answers there with a certificate of its own: clients that know one address alone are led
to a Doorward by HTTPS_PROXY and SSL_CERT_FILE, and nothing of them is changed."""
import pathlib
import shutil
import socket
import socketserver
import ssl
import subprocess
import threading


class TlsFront:
    def __init__(self, port, host, folder):
        self.port, self.host = port, host
        self.folder = pathlib.Path(folder) / "tls"
        self.folder.mkdir()
        self.authority = self.folder / "ca.pem"
        self.certificate()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "host.pem", self.folder / "host.key")
        front = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                asked = self.rfile.readline().split()
                while self.rfile.readline().strip():
                    pass
                if asked[:2] != [b"CONNECT", f"{front.host}:443".encode()]:
                    self.wfile.write(b"HTTP/1.1 403 Forbidden\r\n\r\n")
                    return
                self.wfile.write(b"HTTP/1.1 200 Connected\r\n\r\n")
                self.wfile.flush()
                try:
                    with context.wrap_socket(self.connection, server_side=True) as inside, \
                            socket.create_connection(("127.0.0.1", front.port)) as outside:
                        back = threading.Thread(target=pour, args=(outside, inside), daemon=True)
                        back.start()
                        pour(inside, outside)
                        back.join(10)
                except OSError:
                    pass

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def certificate(self):
        def openssl(*words):
            subprocess.run([shutil.which("openssl"), *words], check=True, capture_output=True, cwd=self.folder)
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Authority of a test")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "host.key", "-out", "host.csr", "-subj", f"/CN={self.host}")
        (self.folder / "names").write_text(f"subjectAltName=DNS:{self.host}\n")
        openssl("x509", "-req", "-in", "host.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-out", "host.pem", "-extfile", "names")

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def pour(source, target):
    """Copies until the source ends, and then says so to the target."""
    try:
        while True:
            some = source.recv(65536)
            if not some:
                break
            target.sendall(some)
    except OSError:
        pass
    try:
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass
