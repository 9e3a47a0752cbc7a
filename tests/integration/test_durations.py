"""Not a benchmark: only that nothing polls, or waits for what it need not."""

from __future__ import annotations

import threading
import time

from attach import Input
from harness import JSON, AgentTestCase, argv, shell, unique
from rawhttp import TIMEOUT, TIMEOUT_FACTOR
from sessions import SessionTestCase
from wire import to_json


class Durations(AgentTestCase):
    """Not a benchmark: only that nothing polls, or waits for what it need not."""

    def test_launch_and_wait_do_not_poll(self) -> None:
        with self.root() as root:
            self.agent.run(root, unique(), command=argv("true"))
            times = []
            for _ in range(20):
                start = time.monotonic()
                self.agent.run(root, unique(), command=argv("true"))
                times.append(time.monotonic() - start)
            self.assertLess(sorted(times)[10], 0.08 * TIMEOUT_FACTOR,
                            "the median launch and wait of `true`")

    def test_kill_does_not_poll(self) -> None:
        with self.root() as root:
            times = []
            for _ in range(10):
                name = unique()
                self.agent.launch(root, name, command=shell("sleep 1000"))
                start = time.monotonic()
                self.agent.kill(root, name)
                self.agent.wait(root, name)
                times.append(time.monotonic() - start)
            self.assertLess(sorted(times)[5], 0.08 * TIMEOUT_FACTOR, "the median kill and wait")

    def test_calls_are_answered_while_many_wait(self) -> None:
        with self.root() as root:
            waiting = []
            for _ in range(100):
                name = unique()
                self.agent.launch(root, name, command=shell("sleep 1000"))
                connection = self.agent.connect()
                connection.send_request("POST", "/api/v1", {"Content-Type": JSON},
                                        to_json(self.agent.wait_call(root, name)))
                waiting.append(connection)
            start = time.monotonic()
            self.agent.expect(200, {"type": "GET_HEALTH"})
            self.assertLess(time.monotonic() - start, 1 * TIMEOUT_FACTOR)
            self.agent.kill(root)
            for connection in waiting:
                self.assertEqual(200, connection.read_response().status)
                connection.close()


class Echo(SessionTestCase):
    """Interactive use stays fluent while much else goes on."""

    def test_keystrokes_while_another_session_floods(self) -> None:
        flood = self.start(*self.new(), command=argv("cat", "/dev/zero"))
        stop = threading.Event()

        def drain() -> None:
            for _ in flood.records():
                flood.stdout.clear()
                if stop.is_set():
                    return

        thread = threading.Thread(target=drain)
        thread.start()
        try:
            path = self.new()
            output = self.start(*path, command=argv("cat"))
            times = []
            with Input(self.agent, *path) as stream:
                for i in range(50):
                    start = time.monotonic()
                    stream.stdin(b"%d\n" % i)
                    output.read_until(b"%d\n" % i)
                    output.stdout.clear()
                    times.append(time.monotonic() - start)
                stream.eof()
                self.assertEqual(200, stream.finish().status)
            self.assertLess(sorted(times)[25], 0.25 * TIMEOUT_FACTOR, "the median echo")
        finally:
            stop.set()
            thread.join(TIMEOUT)
            flood.close()


if __name__ == "__main__":
    import run
    run.main([__file__])
