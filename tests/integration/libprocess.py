"""Messages as Apache Mesos's processes send them: one HTTP POST each, pipelined, answered 202.

Written against recorded connections and independent of the project's own code, for scripted masters
and executors. The parser takes what a receiver must take (chunked, Content-Length, neither) and
refuses what is no HTTP.
"""

from __future__ import annotations

import contextlib
import email.utils
import socket
import ssl
import threading
import urllib.parse
from dataclasses import dataclass, field

from rawhttp import TIMEOUT, ChunkDecoder, Headers, ProtocolError, chunk
from tls import TlsSocket


@dataclass
class Request:
    """One request of a peer: a libprocess message, or an ordinary HTTP request."""

    method: str
    path: str
    headers: Headers
    body: bytes = b""
    chunk_sizes: list[int] = field(default_factory=list)

    @property
    def sender(self) -> str | None:
        """UPID of the sender; None for what is not a libprocess message."""
        named = self.headers.get("Libprocess-From")
        if named is None:
            agent = self.headers.get("User-Agent") or ""
            named = agent.removeprefix("libprocess/") if agent.startswith("libprocess/") else None
        return named if self.method == "POST" else None

    @property
    def target(self) -> str:
        """Process id that it is for."""
        return urllib.parse.unquote(self.path[1:].partition("/")[0])

    @property
    def name(self) -> str:
        """Full name of the message."""
        return self.path[1:].partition("/")[2]


class RequestParser:
    """Incremental: feed bytes in any pieces, get whole requests in order."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._request: Request | None = None  # whose body is still coming
        self._decoder: ChunkDecoder | None = None
        self._length = 0

    def feed(self, data: bytes) -> list[Request]:
        self._buffer += data
        requests = []
        while True:
            if self._request is None and not self._read_head():
                return requests
            request = self._request
            assert request is not None
            if not self._read_body(request):
                return requests
            self._request = self._decoder = None
            requests.append(request)

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > 80 << 10:
                raise ProtocolError("a head of more than 80 KiB")
            return False
        lines = self._buffer[:end].decode("latin-1").split("\r\n")
        del self._buffer[:end + 4]
        parts = lines[0].split(" ")
        if len(parts) != 3 or parts[2] != "HTTP/1.1":
            raise ProtocolError(f"bad request line {lines[0]!r}")
        items = []
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip():
                raise ProtocolError(f"bad header line {line!r}")
            items.append((name, value.strip()))
        request = self._request = Request(parts[0], parts[1], Headers(items))
        if (request.headers.get("Transfer-Encoding") or "").lower() == "chunked":
            self._decoder = ChunkDecoder()
        length = request.headers.get("Content-Length")
        if length is not None and not length.isdigit():
            raise ProtocolError(f"bad Content-Length {length!r}")
        self._length = int(length or 0)
        return True

    def _read_body(self, request: Request) -> bool:
        if self._decoder is not None:
            data = bytes(self._buffer)
            self._buffer.clear()
            for piece in self._decoder.feed(data):
                request.body += piece
                request.chunk_sizes.append(len(piece))
            self._buffer += self._decoder.leftover()
            return self._decoder.done
        if len(self._buffer) < self._length:
            return False
        request.body = bytes(self._buffer[:self._length])
        del self._buffer[:self._length]
        return True


def post(sender: str, receiver: str, name: str, body: bytes) -> bytes:
    """The bytes of one message, exactly as libprocess writes it. `receiver` is a UPID."""
    process, _, address = receiver.partition("@")
    head = (f"POST /{process}/{name} HTTP/1.1\r\n"
            f"User-Agent: libprocess/{sender}\r\n"
            f"Libprocess-From: {sender}\r\n"
            "Connection: Keep-Alive\r\n"
            f"Host: {address}\r\n")
    if not body:
        return (head + "\r\n").encode()
    return (head + "Transfer-Encoding: chunked\r\n\r\n").encode() + chunk(body) + b"0\r\n\r\n"


def accepted() -> bytes:
    """The answer to every message."""
    return (f"HTTP/1.1 202 Accepted\r\nDate: {email.utils.formatdate(usegmt=True)}\r\n"
            "Content-Length: 0\r\n\r\n").encode()


def address_of(upid: str) -> tuple[str, int]:
    host, _, port = upid.rpartition("@")[2].rpartition(":")
    return host, int(port)


class Link:
    """A kept connection by which one side's messages go to another process's address. Its answers
    are read and counted by a thread of its own, which also sees when the peer closes it."""

    def __init__(self, address: tuple[str, int], timeout: float = TIMEOUT,
                 tls: ssl.SSLContext | None = None) -> None:
        """OSError when nobody listens there, or refuses the handshake."""
        self.address = address
        self.lost = threading.Event()  # the peer has closed it, or it broke
        self._answers = b""
        self._statuses: dict[str, int] = {}
        self._sending = threading.Lock()
        self._plain = socket.create_connection(address, timeout)
        self._plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._plain.settimeout(timeout)
        self._socket: socket.socket | TlsSocket = self._plain
        if tls is not None:
            self._socket = TlsSocket(self._plain, tls)
            try:
                self._socket.do_handshake()
            except OSError:
                self._plain.close()
                raise
        self._reader = threading.Thread(target=self._read, name="link", daemon=True)
        self._reader.start()

    def send(self, data: bytes) -> bool:
        """Whether all of it could be handed to the kernel."""
        with self._sending:
            if self.lost.is_set():
                return False
            try:
                self._socket.sendall(data)
            except OSError:
                self.lost.set()
                return False
            return True

    def statuses(self) -> dict[str, int]:
        """How often each status line has come back."""
        return dict(self._statuses)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._plain.shutdown(socket.SHUT_RDWR)
        if threading.current_thread() is not self._reader:
            self._reader.join(TIMEOUT)
        self._plain.close()

    def _read(self) -> None:
        while True:
            try:
                data = self._socket.recv(1 << 16)
            except TimeoutError:
                continue
            except OSError:
                data = b""
            if not data:
                self.lost.set()
                return
            self._answers += data
            while self._take_answer():
                pass

    def _take_answer(self) -> bool:
        """Count one answer; whether it was whole."""
        end = self._answers.find(b"\r\n\r\n")
        if end < 0:
            return False
        lines = self._answers[:end].decode("latin-1").split("\r\n")
        length = next((int(line.partition(":")[2]) for line in lines[1:]
                       if line.lower().startswith("content-length:")), 0)
        if len(self._answers) < end + 4 + length:
            return False
        self._answers = self._answers[end + 4 + length:]
        self._statuses[lines[0]] = self._statuses.get(lines[0], 0) + 1
        return True
