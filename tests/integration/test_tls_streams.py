"""The streams over TLS: the tests of plain connections once more, to whom nothing may change.

Among them are 64 MiB of output bit-exact, back-pressure, vanishing clients, and clients that close
their sending side: here by close_notify.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import test_attach
import test_half_close
import test_input
import test_volume
from attach import session
from harness import AgentTestCase, eventually, shell, unique
from sessions import SessionTestCase
from tls import Authority, client_context, environment


class OverTls(AgentTestCase):
    """Before the class whose tests are to run over TLS."""

    @classmethod
    def setUpClass(cls) -> None:
        directory = Path(tempfile.mkdtemp(prefix="mesos-agent-test-tls-"))
        cls.addClassCleanup(shutil.rmtree, directory)
        authority = Authority(directory)
        cls.agent_environment = environment(authority.issue("server"))
        cls.agent_tls = client_context(authority)
        super().setUpClass()


class Volume(OverTls, test_volume.Volume):
    pass


class HalfClose(OverTls, test_half_close.HalfClose):
    pass


class LaterGone(OverTls, test_half_close.Heartbeats):
    pass


class Input(OverTls, test_input.InputStreams):
    pass


class Attach(OverTls, test_attach.Attach):
    pass


class Ends(OverTls, SessionTestCase):
    """What TLS has besides: an end of the stream without an end of the connection."""

    def test_close_notify_alone_is_a_half_close(self) -> None:
        path = self.new()
        output = self.start(*path, command=shell("sleep 0.3; echo late; exit 3"))
        output.connection.socket.close_notify()
        self.assertEqual(b"late\n", output.read_to_end().stdout)
        self.assertTrue(output.clean_end)
        self.assertEqual(3 << 8, self.status(*path))

    def test_the_server_ends_with_close_notify(self) -> None:
        for path in ("/health", "/no/such/path"):
            with self.agent.connect() as connection:
                connection.request("GET", path, {"Host": "a", "Connection": "close"})
                # Without close_notify this were an ssl.SSLEOFError.
                self.assertEqual(b"", connection.socket.recv(1))

    def test_a_connection_that_ends_without_close_notify_is_noticed(self) -> None:
        path = (self.root_name, unique())
        output = session(self.agent, *path, command=shell("echo ready; sleep 1000"))
        output.read_until(b"ready\n")
        output.close()
        self.assertEqual(9, self.status(*path))
        eventually(lambda: not self.agent.pids(*path), "its processes are gone")

    def test_a_request_that_is_cut_short_is_none(self) -> None:
        body = b'{"type": "GET_HEALTH"}'
        with self.agent.connect() as connection:
            connection.send(b"POST /api/v1 HTTP/1.1\r\nHost: a\r\nContent-Type: application/json"
                            b"\r\nContent-Length: %d\r\n\r\n" % (len(body) + 1) + body)
            connection.socket.close_notify()
            self.assertIn("cut short", connection.read_response().text)

    def test_pipelined_requests_in_one_record_and_in_many(self) -> None:
        request = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"
        with self.agent.connect() as connection:
            connection.send(request * 300)
            for _ in range(300):
                self.assertEqual(200, connection.read_response().status)
            for at in range(len(request)):
                connection.send(request[at:at + 1])
            self.assertEqual(200, connection.read_response().status)


if __name__ == "__main__":
    import run
    run.main([__file__])
