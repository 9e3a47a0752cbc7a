"""HTTP/1.1 on plain sockets, for tests that care about bytes.

Independent of the project's own HTTP code and of http.client: a test may send exactly the bytes
it wants, pipeline, half-close, reset, and see every chunk as it came. The parser is strict, so
that a reply that only lenient clients understand fails a test.
"""

from __future__ import annotations

import gzip
import os
import select
import socket
import ssl
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from tls import TlsSocket

# How long anything may take that is not known to take longer. Sanitizer builds and loaded machines
# set the factor.
TIMEOUT_FACTOR = float(os.environ.get("MESOS_TEST_TIMEOUT_FACTOR", "1"))
TIMEOUT = 20.0 * TIMEOUT_FACTOR


class ProtocolError(AssertionError):
    """The server sent something that is not HTTP/1.1 as we accept it."""


class ConnectionClosed(ProtocolError):
    """The server closed the connection where bytes were due."""


class Headers:
    """Header fields in order; look-ups ignore case and give the last value."""

    def __init__(self, items: list[tuple[str, str]]) -> None:
        self.items = items

    def get(self, name: str) -> str | None:
        values = self.all(name)
        return values[-1] if values else None

    def all(self, name: str) -> list[str]:
        return [v for n, v in self.items if n.lower() == name.lower()]

    def __contains__(self, name: str) -> bool:
        return bool(self.all(name))

    def __repr__(self) -> str:
        return repr(self.items)


@dataclass
class Response:
    status_line: str
    status: int
    headers: Headers
    body: bytes = b""
    chunk_sizes: list[int] = field(default_factory=list)

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "surrogateescape")

    @property
    def content(self) -> bytes:
        """The body without its Content-Encoding."""
        return gzip.decompress(self.body) if self.headers.get("Content-Encoding") else self.body

    @property
    def content_type(self) -> str | None:
        return self.headers.get("Content-Type")

    @property
    def chunked(self) -> bool:
        return (self.headers.get("Transfer-Encoding") or "").lower() == "chunked"


class ChunkDecoder:
    """Incremental decoder of a chunked body: feed bytes in any pieces, get whole chunks."""

    def __init__(self) -> None:
        self.done = False
        self._buffer = bytearray()
        self._size: int | None = None

    def feed(self, data: bytes) -> list[bytes]:
        """The chunks completed by these bytes, without the empty last one."""
        self._buffer += data
        chunks = []
        while not self.done:
            if self._size is None:
                end = self._buffer.find(b"\r\n")
                if end < 0:
                    if len(self._buffer) > 20:
                        raise ProtocolError(f"no chunk size in {bytes(self._buffer[:60])!r}")
                    break
                digits = bytes(self._buffer[:end])
                if not digits or digits.strip(b"0123456789abcdefABCDEF"):
                    raise ProtocolError(f"bad chunk size {digits[:60]!r}")
                self._size = int(digits, 16)
                del self._buffer[:end + 2]
            if len(self._buffer) < self._size + 2:
                break
            if self._buffer[self._size:self._size + 2] != b"\r\n":
                raise ProtocolError("chunk not followed by CRLF")
            chunk = bytes(self._buffer[:self._size])
            del self._buffer[:self._size + 2]
            self.done = self._size == 0
            self._size = None
            if not self.done:
                chunks.append(chunk)
        return chunks

    def leftover(self) -> bytes:
        """What followed the last chunk."""
        return bytes(self._buffer) if self.done else b""


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"


def request_head(method: str, path: str, headers: dict[str, str | None]) -> bytes:
    lines = [f"{method} {path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items() if value is not None]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")


class Connection:
    """One connection, to a TCP address or to the path of a unix socket; with `tls`, over TLS. Every
    wait is bounded by `timeout` seconds."""

    socket: socket.socket | TlsSocket

    def __init__(self, address: tuple[str, int] | str, timeout: float = TIMEOUT,
                 receive_buffer: int | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.timeout = timeout
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer is not None:  # must be set before connecting to limit the window
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self._buffer = bytearray()
        try:
            self.socket.connect(address)
            if family == socket.AF_INET:
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls is not None:
                self.socket = TlsSocket(self.socket, tls)
                self.socket.do_handshake()
        except OSError:
            self.socket.close()
            raise

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- sending --

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def send_request(self, method: str, path: str, headers: dict[str, str | None],
                     body: bytes | None = None) -> None:
        headers = {"Host": "agent", **headers}
        if body is not None:
            headers["Content-Length"] = str(len(body))
        self.send(request_head(method, path, headers) + (body or b""))

    def shutdown_write(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        """Close with RST instead of FIN, as a crashed peer's kernel does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    # -- receiving --

    def _receive(self, deadline: float) -> bytes:
        """Some bytes, b"" at end of stream; TimeoutError when the deadline passes first."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("nothing received in time")
        self.socket.settimeout(left)
        try:
            return self.socket.recv(1 << 18)
        except TimeoutError:
            raise TimeoutError(
                f"nothing received in time; unparsed: {bytes(self._buffer[:200])!r}") from None
        finally:
            self.socket.settimeout(self.timeout)

    def readable(self, seconds: float) -> bool:
        """Whether bytes or the end of the stream arrive within that time."""
        return bool(self._buffer) or bool(select.select([self.socket], [], [], seconds)[0])

    def read_exactly(self, size: int, timeout: float | None = None) -> bytes:
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while len(self._buffer) < size:
            data = self._receive(deadline)
            if not data:
                raise ConnectionClosed(f"closed after {len(self._buffer)} of {size} bytes")
            self._buffer += data
        out = bytes(self._buffer[:size])
        del self._buffer[:size]
        return out

    def read_head(self, timeout: float | None = None) -> Response:
        """Status line and headers of the next response, its body still unread."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            data = self._receive(deadline)
            if not data:
                raise ConnectionClosed(f"closed in the head: {bytes(self._buffer[:200])!r}")
            self._buffer += data
        lines = self._buffer[:end].decode("latin-1").split("\r\n")
        del self._buffer[:end + 4]
        version, _, rest = lines[0].partition(" ")
        if version != "HTTP/1.1" or not rest[:3].isdigit() or rest[3:4] != " ":
            raise ProtocolError(f"bad status line {lines[0]!r}")
        headers = []
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip():
                raise ProtocolError(f"bad header line {line!r}")
            headers.append((name, value.strip()))
        return Response(lines[0], int(rest[:3]), Headers(headers))

    def read_final_head(self, timeout: float | None = None) -> Response:
        """The head of the next response, behind any "100 Continue"."""
        while (head := self.read_head(timeout)).status == 100:
            pass
        return head

    def chunks(self, timeout: float | None = None) -> Iterator[bytes]:
        """The chunks of a chunked body as they come; `timeout` bounds the wait for each.

        Ends at the last chunk. Raises ConnectionClosed when the stream ends without it.
        """
        decoder = ChunkDecoder()
        data = bytes(self._buffer)
        self._buffer.clear()
        limit = self.timeout if timeout is None else timeout
        while True:
            yield from decoder.feed(data)
            if decoder.done:
                self._buffer += decoder.leftover()
                return
            data = self._receive(time.monotonic() + limit)
            if not data:
                raise ConnectionClosed("closed before the last chunk")

    def read_body(self, response: Response, timeout: float | None = None) -> Response:
        if response.chunked:
            for piece in self.chunks(timeout):
                response.body += piece
                response.chunk_sizes.append(len(piece))
        elif (length := response.headers.get("Content-Length")) is not None:
            if not length.isdigit():
                raise ProtocolError(f"bad Content-Length {length!r}")
            response.body = self.read_exactly(int(length), timeout)
        elif response.status not in (100, 204, 304):
            raise ProtocolError(f"reply without length: {response.status_line} {response.headers}")
        return response

    def read_response(self, timeout: float | None = None) -> Response:
        return self.read_body(self.read_head(timeout), timeout)

    def request(self, method: str, path: str, headers: dict[str, str | None],
                body: bytes | None = None, timeout: float | None = None) -> Response:
        self.send_request(method, path, headers, body)
        return self.read_response(timeout)

    def ended(self, timeout: float | None = None) -> bool:
        """Whether the server closes the connection in that time, sending nothing more."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        if self._buffer:
            return False
        try:
            data = self._receive(deadline)
        except TimeoutError:
            return False
        except ConnectionResetError:
            return True
        self._buffer += data
        return not data
