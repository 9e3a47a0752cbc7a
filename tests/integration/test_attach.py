"""ATTACH_CONTAINER_OUTPUT: who can be attached to, readers of any number and speed, history."""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor

import attach
from attach import Input, Output, attach_output, session, tty, write_input
from harness import ENCODINGS, AgentTestCase, argv, eventually, resources, shell, unique
from rawhttp import TIMEOUT
from sessions import ATTACHABLE, DISABLED, MB, helper_processes, random_file, rss


class Attach(AgentTestCase):
    """ATTACH_CONTAINER_OUTPUT of containers that asked for it, and of those that did not."""

    def attachable(self, command: str, *path: str, **kwargs: object) -> tuple[str, ...]:
        """A container that can be attached to, launched; it reads a line before it begins."""
        path = path or (unique(),)
        self.agent.launch(*path, command=shell(f"read go; {command}", **ATTACHABLE), **kwargs)
        return path

    def go(self, *path: str) -> None:
        self.assertEqual(200, write_input(self.agent, *path, data=b"go\n", eof=False).status)

    def test_standalone_and_nested(self) -> None:
        root = unique()
        self.agent.launch(root, command=shell("sleep 1000"))
        for path in ((unique(),), (root, unique())):
            for accept in ENCODINGS:
                self.attachable("echo out; echo err >&2; exit 2", *path)
                with attach_output(self.agent, *path, accept=accept) as output:
                    self.go(*path)
                    output.read_to_end()
                self.assertEqual((b"out\n", b"err\n"), (output.stdout, output.stderr))
                self.assertEqual(2 << 8, self.agent.wait(*path)["exit_status"])
                self.assertEqual("out\n", self.agent.output(*path))

    def test_the_variable_does_not_change_what_the_command_sees(self) -> None:
        path = self.attachable("echo $MESOS_SANDBOX")
        with attach_output(self.agent, *path) as output:
            self.go(*path)
            output.read_to_end()
        self.assertEqual(f"{self.agent.sandbox(*path)}\n".encode(), output.stdout)

    def test_others_cannot_be_attached_to(self) -> None:
        with self.root() as root:
            name = unique()
            self.agent.launch(root, name, command=shell("sleep 1000"))
            off = unique()
            self.agent.launch(root, off, command=shell("sleep 1000",
                                                       MESOS_CONTAINER_ATTACHABLE="false"))
            for path in ((root,), (root, name), (root, off)):
                for recordio in (True, False):
                    response = attach.try_attach_output(self.agent, *path,
                                                        recordio=recordio).response
                    self.assertEqual((500, DISABLED), (response.status, response.text))
                response = write_input(self.agent, *path, data=b"x")
                self.assertEqual((500, DISABLED), (response.status, response.text))
            for path, status, text in (
                    ((root, "c"), 500, f"Unknown container {root}.c"),
                    (("nobody",), 404, "Container nobody cannot be found"),
                    (("nobody", "c"), 404, "Container nobody.c cannot be found")):
                response = attach.try_attach_output(self.agent, *path).response
                self.assertEqual((status, text), (response.status, response.text))

    def test_ended_containers(self) -> None:
        path = self.attachable("true")
        self.go(*path)
        self.agent.wait(*path)
        self.assertIn(attach.try_attach_output(self.agent, *path).response.status, (404, 500))
        self.assertIn(write_input(self.agent, *path, data=b"x").status, (404, 500))

    def test_runs_without_anyone_attached(self) -> None:
        """Its output goes to the sandbox and it does not block."""
        path = self.attachable("seq 1 100000; echo end")
        self.go(*path)
        self.assertEqual(0, self.agent.wait(*path)["exit_status"])
        self.assertTrue(self.agent.output(*path).endswith("100000\nend\n"))

    def test_readers_come_and_go(self) -> None:
        path = self.attachable("while read line; do echo $line; done; echo end")
        self.go(*path)
        for i in range(20):
            with attach_output(self.agent, *path) as output:
                write_input(self.agent, *path, data=b"line-%d\n" % i, eof=False)
                output.read_until(b"line-%d\n" % i)
        with attach_output(self.agent, *path) as output:
            write_input(self.agent, *path, data=b"")
            output.read_to_end()
        self.assertEqual(b"end\n", output.stdout, "no history is sent unless asked for")
        self.assertEqual(0, self.agent.wait(*path)["exit_status"])

    def test_twenty_readers(self) -> None:
        size = 16 * MB
        file, expected = random_file(self.agent, size)
        path = self.attachable(f"cat {file}", resources=resources(cpus=1, mem=256))
        outputs = [attach_output(self.agent, *path, accept=ENCODINGS[i % 2], timeout=4 * TIMEOUT)
                   for i in range(20)]

        def digest(output: Output) -> tuple[int, str]:
            found, count = hashlib.sha256(), 0
            for _ in output.records():
                found.update(output.stdout)
                count += len(output.stdout)
                output.stdout.clear()
            output.close()
            return count, found.hexdigest()

        with ThreadPoolExecutor(20) as pool:
            results = [pool.submit(digest, output) for output in outputs]
            self.go(*path)
            self.assertEqual({(size, expected)}, {r.result() for r in results})
        self.assertEqual(0, self.agent.wait(*path)["exit_status"])

    def test_slow_reader(self) -> None:
        """One that does not read holds up neither the container nor the others for long, and
        does not fill memory."""
        size = 128 * MB
        file, expected = random_file(self.agent, size)
        path = self.attachable(f"cat {file}", resources=resources(cpus=1, mem=256))
        slow = attach_output(self.agent, *path, receive_buffer=8192)
        self.addCleanup(slow.close)
        fast = attach_output(self.agent, *path, timeout=6 * TIMEOUT)
        self.addCleanup(fast.close)
        helpers = {self.agent.pid, *helper_processes(self.agent)}
        before = sum(map(rss, helpers))
        peak = 0
        self.go(*path)
        digest, records = hashlib.sha256(), 0
        for _ in fast.records():
            digest.update(fast.stdout)
            fast.stdout.clear()
            records += 1
            if records % 50 == 0:
                peak = max(peak, sum(map(rss, helpers)))
        self.assertEqual(expected, digest.hexdigest())
        self.assertLess(peak - before, 64 * MB, "memory grows with what a slow reader leaves")
        # Its end does not wait for the slow reader without bound either.
        self.assertEqual(0, self.agent.wait(*path, timeout=4 * TIMEOUT)["exit_status"])

    def test_slow_reader_alone(self) -> None:
        """A session whose client stops reading for a while misses nothing when it goes on."""
        size = 32 * MB
        file, expected = random_file(self.agent, size)
        with self.root(resources=resources(cpus=1, mem=256)) as root:
            name = unique()
            with session(self.agent, root, name, command=argv("cat", str(file)),
                         receive_buffer=8192) as output:
                time.sleep(2)
                output.read_to_end()
            self.assertEqual(expected, hashlib.sha256(output.stdout).hexdigest())
            self.assertEqual(0, self.agent.wait(root, name)["exit_status"])

    def test_vanishing_readers(self) -> None:
        path = self.attachable("while read line; do echo $line; done; seq 1 1000; exit 4")
        self.go(*path)
        for i in range(20):
            output = attach_output(self.agent, *path)
            write_input(self.agent, *path, data=b"x" * 1000 + b"\n", eof=False)
            (output.connection.reset if i % 2 else output.close)()
        self.assertIn(path, self.agent.containers())
        with attach_output(self.agent, *path) as output:
            write_input(self.agent, *path, data=b"")
            self.assertTrue(output.read_to_end().stdout.endswith(b"999\n1000\n"))
        self.assertEqual(4 << 8, self.agent.wait(*path)["exit_status"])

    def test_second_reader_of_a_session(self) -> None:
        """Leaving does not end the session; only its own connection does that."""
        with self.root() as root:
            path = (root, unique())
            own = session(self.agent, *path, command=argv("cat"))
            with attach_output(self.agent, *path) as other:
                write_input(self.agent, *path, data=b"both\n", eof=False)
                own.read_until(b"both\n")
                other.read_until(b"both\n")
            write_input(self.agent, *path, data=b"one\n")
            self.assertEqual(b"both\none\n", own.read_to_end().stdout)
            self.assertEqual(0, self.agent.wait(*path)["exit_status"])


class Heartbeats(AgentTestCase):
    agent_flags = {"http_heartbeat_interval": "1secs"}

    def test_heartbeats(self) -> None:
        with self.root() as root:
            for accept in ENCODINGS:
                path = (root, unique())
                began = time.monotonic()
                with session(self.agent, *path, accept=accept,
                             command=shell("read x; echo end")) as output:
                    while len(output.heartbeats) < 3:
                        self.assertIsNotNone(next(output.records(), None))
                    write_input(self.agent, *path, data=b"go\n", eof=False)
                    output.read_to_end()
                self.assertEqual(b"end\n", output.stdout)
                self.assertEqual({1_000_000_000}, {i for _, i in output.heartbeats})
                # They come when the machine has the time, but none before its own.
                for number, (at, _) in enumerate(output.heartbeats, 1):
                    self.assertGreater(at - began, number - 0.1)

    def test_none_on_the_input_connection(self) -> None:
        with self.root() as root:
            path = (root, unique())
            with session(self.agent, *path, command=argv("cat")), \
                    Input(self.agent, *path) as stream:
                self.assertFalse(stream.answered(2.5))
                self.assertEqual((200, b""),
                                 (lambda r: (r.status, r.body))(stream.finish()))


class Replay(AgentTestCase):
    agent_flags = {"io_switchboard_all_containers": True, "io_switchboard_replay_size": "64KB"}

    def test_all_containers_can_be_attached_to(self) -> None:
        with self.root() as root:
            for path in ((unique(),), (root, unique())):
                self.agent.launch(*path, command=shell("read x; echo got $x; exit 3"))
                with attach_output(self.agent, *path) as output:
                    write_input(self.agent, *path, data=b"it\n", eof=False)
                    self.assertEqual(b"got it\n", output.read_to_end().stdout)
                self.assertEqual(3 << 8, self.agent.wait(*path)["exit_status"])

    def test_history_on_request_only(self) -> None:
        name = unique()
        self.agent.launch(name, command=shell("echo early; echo errors >&2; cat"))
        eventually(lambda: "early" in self.agent.output(name)
                   and "errors" in self.agent.output(name, file="stderr"), "it has written")
        for accept in ENCODINGS:
            with attach_output(self.agent, name, replay=True, accept=accept) as late:
                late.read_until(b"early\n")
                while not late.stderr:
                    next(late.records())
                self.assertEqual((b"early\n", b"errors\n"), (late.stdout, late.stderr))
        with attach_output(self.agent, name) as plain, \
                attach_output(self.agent, name, replay=True) as late:
            write_input(self.agent, name, data=b"now\n")
            self.assertEqual(b"now\n", plain.read_to_end().stdout)
            self.assertEqual(b"early\nnow\n", late.read_to_end().stdout)

    def test_history_is_bounded(self) -> None:
        name = unique()
        total = "".join(f"{i}\n" for i in range(1, 50001))
        self.agent.launch(name, command=shell("seq 1 50000; cat"))
        eventually(lambda: self.agent.output(name).endswith("50000\n"), "it has written")
        with attach_output(self.agent, name, replay=True) as late:
            write_input(self.agent, name, data=b"")
            late.read_to_end()
        kept = late.stdout.decode()
        self.assertTrue(total.endswith(kept), "the end of the output, without a gap")
        self.assertGreater(len(kept), 32 * 1024)
        self.assertLessEqual(len(kept), 64 * 1024)

    def test_nothing_is_doubled_or_lost_at_the_seam(self) -> None:
        """Attaching with replay while the container writes: history and stream fit together."""
        name = unique()
        self.agent.launch(name, resources=resources(cpus=1, mem=64), command=shell(
            "i=0; while [ $i -lt 3000 ]; do echo $i; i=$((i+1)); done; cat"))
        lates = [attach_output(self.agent, name, replay=True) for _ in range(20)]
        eventually(lambda: self.agent.output(name).endswith("\n2999\n"), "it has written")
        write_input(self.agent, name, data=b"")
        expected = "".join(f"{i}\n" for i in range(3000)).encode()
        for late in lates:
            self.assertEqual(expected, late.read_to_end().stdout)
            late.close()

    def test_a_terminal_has_history_too(self) -> None:
        name = unique()
        self.agent.launch(name, command=shell("stty -echo; echo prompt; read x; echo $x"),
                          container=tty())
        eventually(lambda: "prompt" in self.agent.output(name), "it has written")
        with attach_output(self.agent, name, replay=True) as late:
            write_input(self.agent, name, data=b"x\n", eof=False)
            self.assertEqual(b"prompt\r\nx\r\n", late.read_to_end().stdout)


class NoReplay(AgentTestCase):
    """Without the flag there is no history to ask for, and asking is no error."""

    def test_replay_of_nothing(self) -> None:
        name = unique()
        self.agent.launch(name, command=shell("echo early; cat", **ATTACHABLE))
        eventually(lambda: self.agent.output(name) == "early\n", "it has written")
        with attach_output(self.agent, name, replay=True) as late:
            write_input(self.agent, name, data=b"now\n")
            self.assertEqual(b"now\n", late.read_to_end().stdout)


if __name__ == "__main__":
    import run
    run.main([__file__])
