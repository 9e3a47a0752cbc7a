"""Servers on loopback for tests of the fetcher: http, https and ftp."""

from __future__ import annotations

import contextlib
import functools
import http.server
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

from rawhttp import TIMEOUT


class _Handler(http.server.BaseHTTPRequestHandler):
    """GET and HEAD of files; and of paths that misbehave."""

    server: HttpServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, with_body: bool) -> None:
        self.close_connection = True
        path = self.path.partition("?")[0]
        with self.server.lock:
            self.server.requests.append(f"{self.command} {self.path}")
        if path in self.server.redirects:
            self._head(302, b"", {"Location": self.server.redirects[path]})
            return
        content = self.server.files.get(path.lstrip("/"))
        if content is None:
            self._head(404, b"nothing here")
            if with_body:
                self.wfile.write(b"nothing here")
        elif path.startswith("/truncated"):
            self._head(200, content + b"more")
            if with_body:
                self.wfile.write(content)
        elif path.startswith("/unsized"):
            self.send_response(200)
            self.send_header("Connection", "close")
            self.end_headers()
            if with_body:
                self.wfile.write(content)
        elif path.startswith("/stalled") and with_body:
            self._head(200, content + b"more")
            self.wfile.write(content)
            self.wfile.flush()
            self.server.stalled.release()
            self.server.go_on.wait(TIMEOUT)
        else:
            self._head(200, content)
            if with_body:
                self.wfile.write(content)

    def _head(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()


class HttpServer(http.server.ThreadingHTTPServer):
    """Serves `files` by name. What is below /truncated is cut off, of what is below /unsized the
    length is not told, and what is below /stalled stops before its end until `go_on` is set."""

    daemon_threads = True

    def __init__(self, files: dict[str, bytes], tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = files
        self.redirects: dict[str, str] = {}
        self.requests: list[str] = []
        self.lock = threading.Lock()
        self.stalled = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.scheme = "http" if tls is None else "https"
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)

    def url(self, name: str) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}/{name}"

    def handle_error(self, *_: object) -> None:
        pass  # clients that are killed

    def count(self, request: str) -> int:
        with self.lock:
            return self.requests.count(request)


@contextlib.contextmanager
def http_server(files: dict[str, bytes], tls: ssl.SSLContext | None = None) -> Iterator[HttpServer]:
    with HttpServer(files, tls) as server:
        thread = threading.Thread(target=functools.partial(server.serve_forever, 0.05), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.go_on.set()
            server.shutdown()
            thread.join(TIMEOUT)


def make_certificate(directory: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for 127.0.0.1, which is its own authority, and a server's context with it."""
    key, certificate = directory / "key.pem", directory / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-keyout", str(key), "-out", str(certificate), "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True, timeout=TIMEOUT)
    certificate.chmod(0o644)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate, context


class FtpServer:
    """Passive transfers of files by name, for one client after the other."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def url(self, name: str) -> str:
        return f"ftp://127.0.0.1:{self.port}/{name}"

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with client, contextlib.suppress(OSError):
                self._talk(client)

    def _talk(self, client: socket.socket) -> None:
        client.settimeout(TIMEOUT)
        lines = client.makefile("rw", encoding="utf-8", newline="\r\n")
        data: socket.socket | None = None

        def say(text: str) -> None:
            lines.write(text + "\r\n")
            lines.flush()

        say("220 ready")
        for line in lines:
            verb, _, argument = line.strip().partition(" ")
            content = self.files.get(argument.lstrip("/"))
            if verb in ("USER", "CWD", "TYPE"):
                say({"USER": "230 welcome", "CWD": "250 there", "TYPE": "200 so"}[verb])
            elif verb == "PWD":
                say('257 "/"')
            elif verb == "EPSV":
                data = socket.create_server(("127.0.0.1", 0))
                data.settimeout(TIMEOUT)
                say(f"229 passive (|||{data.getsockname()[1]}|)")
            elif verb in ("SIZE", "RETR") and content is None:
                say("550 nothing here")
            elif verb == "SIZE" and content is not None:
                say(f"213 {len(content)}")
            elif verb == "RETR" and data is not None and content is not None:
                say("150 here it comes")
                connection, _ = data.accept()
                with connection, data:
                    connection.sendall(content)
                say("226 done")
            elif verb == "QUIT":
                say("221 bye")
                return
            else:
                say("502 what?")

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(TIMEOUT)


@contextlib.contextmanager
def ftp_server(files: dict[str, bytes]) -> Iterator[FtpServer]:
    server = FtpServer(files)
    try:
        yield server
    finally:
        server.close()
