"""The listening side of a process that speaks libprocess: one thread that accepts, parses, answers
202 in order, and hands every message to a handler in the order of its arrival."""

from __future__ import annotations

import selectors
import socket
import threading
import traceback
from collections.abc import Callable

from libprocess import Request, RequestParser, accepted
from rawhttp import TIMEOUT, ProtocolError

TICK = 0.02  # seconds between calls of the tick function


class Endpoint:
    """Bound to 127.0.0.1 from its construction, so that the address is known; it serves from start()
    to stop(). What is wrong with what peers send is in `problems`."""

    def __init__(self, handle: Callable[[Request, int], None],
                 tick: Callable[[], None] = lambda: None, port: int = 0) -> None:
        """`handle` gets each message and the number of the connection that it came by; it and `tick`
        run in the thread. They must not block for long."""
        self._handle = handle
        self._tick = tick
        self.problems: list[str] = []
        self.connections = 0  # ever accepted
        self._parsers: dict[socket.socket, tuple[int, RequestParser]] = {}
        self._selector = selectors.DefaultSelector()
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", port))
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
        self.connections += 1
        self._selector.register(connection, selectors.EVENT_READ)

    def _receive(self, connection: socket.socket) -> None:
        number, parser = self._parsers[connection]
        try:
            data = connection.recv(1 << 18)
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
        connection.close()
