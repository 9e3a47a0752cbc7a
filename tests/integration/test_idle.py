"""Nothing polls, and nobody waits for what is not theirs. How long things take is bench/'s business."""

from __future__ import annotations

import signal
import threading

from attach import Input
from harness import JSON, argv, eventually, shell, unique
from rawhttp import TIMEOUT, Connection
from sessions import SessionTestCase, helper_processes
from wakeups import wakeups
from wire import to_json


class Waiting(SessionTestCase):
    def wait_for(self, name: str) -> Connection:
        connection = self.agent.connect()
        self.addCleanup(connection.close)
        connection.send_request("POST", "/api/v1", {"Content-Type": JSON},
                                to_json(self.agent.wait_call(self.root_name, name)))
        return connection

    def test_calls_are_answered_while_many_wait(self) -> None:
        waiting = []
        for _ in range(100):
            name = unique()
            self.agent.launch(self.root_name, name, command=shell("sleep 1000"))
            waiting.append(self.wait_for(name))
        self.agent.expect(200, {"type": "GET_HEALTH"})
        self.agent.kill(self.root_name)
        for connection in waiting:
            self.assertEqual(200, connection.read_response().status)

    def test_nothing_polls(self) -> None:
        """With containers that run, one that is to end and does not, a session, and clients that
        wait for all of them, neither the agent nor a switchboard wakes up."""
        names = [unique() for _ in range(10)]
        for name in names:
            self.agent.launch(self.root_name, name, command=shell(
                "trap : TERM; touch ready; while true; do sleep 1000; done"))
            self.wait_for(name)
        eventually(lambda: (self.agent.sandbox(self.root_name, names[0]) / "ready").exists(),
                   "its trap")
        self.agent.kill(self.root_name, names[0], signal=signal.SIGTERM)
        self.start(*self.new(), command=argv("cat"))
        pids = [self.agent.pid, *(pid for pid, program in helper_processes(self.agent).items()
                                  if "switchboard" in program)]
        self.assertGreater(len(pids), 1)
        # What the agent looks at in intervals, such as how full the disk is, may come once.
        self.assertLess(wakeups(*pids), 5)
        self.assertIn((self.root_name, names[0]), self.agent.containers())


class Echo(SessionTestCase):
    """Interactive use goes on while others flood."""

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
            with Input(self.agent, *path) as stream:
                for i in range(50):
                    stream.stdin(b"%d\n" % i)
                    output.read_until(b"%d\n" % i)
                    output.stdout.clear()
                stream.eof()
                self.assertEqual(200, stream.finish().status)
        finally:
            stop.set()
            thread.join(TIMEOUT)
            flood.close()


if __name__ == "__main__":
    import run
    run.main([__file__])
