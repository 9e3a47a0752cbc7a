"""The listening side of a process that speaks libprocess: one thread that accepts, parses, answers
202 in order, and hands every message to a handler in the order of its arrival."""

from __future__ import annotations

import contextlib
import random
import selectors
import socket
import ssl
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

from libprocess import Request, RequestParser, accepted
from rawhttp import TIMEOUT, ProtocolError

TICK = 0.02  # seconds between calls of the tick function


FIRST_OF_TLS = b"\x16"  # the byte that a handshake begins with


def bind(listener: socket.socket, port: int) -> None:
    """If no port is wanted (0), to one below those that the kernel gives to clients: while an
    endpoint is down that is to come back, one of them could get its port, even by connecting to
    itself."""
    if port:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        return
    # A port that may be reused could be bound twice, which shows only when both listen.
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        with contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", random.randrange(first // 2, first)))
            break
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)


class Endpoint:
    """Bound to 127.0.0.1 from its construction, so that the address is known; it serves from start()
    to stop(). What is wrong with what peers send is in `problems`; who makes no handshake where one
    is asked for is in `refused`."""

    def __init__(self, handle: Callable[[Request, int], None],
                 tick: Callable[[], None] = lambda: None, port: int = 0,
                 tls: ssl.SSLContext | None = None, downgrade: bool = False) -> None:
        """`handle` gets each message and the number of the connection that it came by; it and `tick`
        run in the thread. They must not block for long. `tls`, which may be changed at any time, is
        what peers must speak; with `downgrade` they may do without. Without it, what begins like a
        handshake only is noted and closed, as by a server that knows no TLS."""
        self._handle = handle
        self._tick = tick
        self.problems: list[str] = []
        self.tls = tls
        self.downgrade = downgrade
        self.refused: list[str] = []
        self.encrypted = 0  # handshakes that were completed
        self.peer_names: list[str] = []  # of the certificates that were shown
        self.connections = 0  # ever accepted
        self._greeting: set[socket.socket] = set()  # nothing has come yet, or only of a handshake
        self._parsers: dict[socket.socket, tuple[int, RequestParser]] = {}
        self._selector = selectors.DefaultSelector()
        self._listener = socket.socket()
        bind(self._listener, port)
        self.address: tuple[str, int] = self._listener.getsockname()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="endpoint", daemon=True)

    def start(self) -> None:
        self._listener.listen(128)
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._thread.start()

    def stop(self) -> None:
        """Close everything, as the end of a process does. Not from the handler."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(TIMEOUT)
            assert not self._thread.is_alive(), "the endpoint's thread hangs"
        for connection in list(self._parsers):
            connection.close()
        self._parsers.clear()
        self._selector.close()
        self._listener.close()

    def open_connections(self) -> int:
        return len(self._parsers)

    def _serve(self) -> None:
        while not self._stopping.is_set():
            for key, _ in self._selector.select(TICK):
                connection = key.fileobj
                assert isinstance(connection, socket.socket)
                if connection is self._listener:
                    self._accept()
                else:
                    self._receive(connection)
            self._guarded(self._tick)

    def _guarded(self, call: Callable[[], None]) -> None:
        """A fault in our own code must fail the test, not end the thread in silence."""
        try:
            call()
        except Exception:
            self.problems.append(traceback.format_exc())

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return  # it has gone again
        connection.settimeout(TIMEOUT)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._parsers[connection] = (self.connections, RequestParser())
        self._greeting.add(connection)
        self.connections += 1
        self._selector.register(connection, selectors.EVENT_READ)

    def _greet(self, connection: socket.socket) -> socket.socket | None:
        """The connection, or what takes its place, when it is ready for messages."""
        try:
            if not isinstance(connection, ssl.SSLSocket):
                begins = connection.recv(1, socket.MSG_PEEK) == FIRST_OF_TLS
                if not begins and (self.tls is None or self.downgrade):
                    self._greeting.discard(connection)
                    return connection
                if not begins or self.tls is None:
                    raise ssl.SSLError("TLS" if begins else "no TLS")
                connection = self._wrap(connection)
            connection.setblocking(False)
            connection.do_handshake()
        except ssl.SSLWantReadError:
            return None
        except OSError as error:
            self.refused.append(str(error))
            self._close(connection)
            return None
        connection.settimeout(TIMEOUT)
        self.encrypted += 1
        certificate = connection.getpeercert() or {}
        self.peer_names += [value for part in certificate.get("subject", ())
                            for name, value in part if name == "commonName"]
        self._greeting.discard(connection)
        return connection

    def _wrap(self, plain: socket.socket) -> ssl.SSLSocket:
        assert self.tls is not None
        self._selector.unregister(plain)
        connection = self.tls.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        self._parsers[connection] = self._parsers.pop(plain)
        self._greeting.discard(plain)
        self._greeting.add(connection)
        self._selector.register(connection, selectors.EVENT_READ)
        return connection

    def _receive(self, connection: socket.socket) -> None:
        if connection in self._greeting:
            greeted = self._greet(connection)
            if greeted is None:
                return
            if greeted is not connection or isinstance(greeted, ssl.SSLSocket):
                return  # what comes next wakes the selector
        number, parser = self._parsers[connection]
        try:
            data = connection.recv(1 << 18)
            while isinstance(connection, ssl.SSLSocket) and connection.pending():
                data += connection.recv(1 << 18)
        except OSError:
            data = b""
        if not data:
            self._close(connection)
            return
        try:
            requests = parser.feed(data)
        except ProtocolError as error:
            self.problems.append(f"connection {number}: {error}")
            self._close(connection)
            return
        if not requests:
            return
        try:
            connection.sendall(accepted() * len(requests))
        except OSError:
            pass  # the peer has gone, but what it has sent counts
        for request in requests:
            self._guarded(lambda request=request: self._handle(request, number))

    def _close(self, connection: socket.socket) -> None:
        self._selector.unregister(connection)
        del self._parsers[connection]
        self._greeting.discard(connection)
        connection.close()
