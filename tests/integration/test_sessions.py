"""Sessions and attaches: every byte arrives, terminals behave, clients may come and go."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attach
import leftovers
import wire
from attach import Input, Output, attach_output, session, tty, write_input
from harness import (ENCODINGS, JSON, PROTOBUF, Agent, AgentTestCase, OwnAgentTestCase, argv,
                     container_id, eventually, pid_gone, resources, shell, unique)
from rawhttp import (LAST_CHUNK, TIMEOUT, TIMEOUT_FACTOR, ConnectionClosed, chunk,
                     request_head)
from recordio import record
from wire import RECORDIO, Message

MB = 1 << 20
FULL = os.environ.get("MESOS_TEST_FULL") == "1"
OUTPUT_SIZE = 1024 * MB if FULL else 64 * MB
INPUT_SIZE = 256 * MB if FULL else 32 * MB
ATTACHABLE = {"MESOS_CONTAINER_ATTACHABLE": "true"}
DISABLED = "I/O switchboard server was disabled for this container"


def random_file(agent: Agent, size: int) -> tuple[Path, str]:
    """A file of random bytes that containers can read, and its sha256."""
    path = agent.scratch / f"random-{size}"
    digest = hashlib.sha256()
    if not path.exists():
        with path.open("wb") as file:
            for _ in range(size // MB):
                file.write(os.urandom(MB))
    with path.open("rb") as file:
        while block := file.read(MB):
            digest.update(block)
    return path, digest.hexdigest()


def rss(pid: int) -> int:
    """Resident bytes of a process, 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    except (OSError, IndexError):
        return 0


def helper_processes(agent: Agent) -> dict[int, str]:
    """Processes that belong to the agent besides itself, by pid, with their program's path."""
    found = {}
    for pid in leftovers.processes(agent.owner, frozenset({agent.pid})):
        with contextlib.suppress(OSError):
            found[pid] = os.readlink(f"/proc/{pid}/exe")
    return found


class SessionTestCase(AgentTestCase):
    """One root per class to open sessions in."""

    MEMORY = 512

    def setUp(self) -> None:
        super().setUp()
        self.root_name = unique("root")
        self.agent.launch(self.root_name, command=shell("sleep 100000", INHERITED="from root"),
                          resources=resources(cpus=1, mem=self.MEMORY))

    def new(self) -> tuple[str, str]:
        """A path for another session."""
        return (self.root_name, unique("session"))

    def status(self, *path: str) -> int:
        return self.agent.wait(*path)["exit_status"]

    def start(self, *path: str, command: Message, **kwargs: object) -> Output:
        output = session(self.agent, *path, command=command, **kwargs)
        self.addCleanup(output.close)
        return output


class Sessions(SessionTestCase):
    def test_output_and_status(self) -> None:
        for accept in ENCODINGS:
            for recordio in (True, False):
                with self.subTest(accept=accept, recordio=recordio):
                    path = self.new()
                    output = self.start(*path, command=shell("echo out; echo err >&2; exit 3"),
                                        accept=accept, recordio=recordio)
                    headers = output.response.headers
                    self.assertEqual(RECORDIO if recordio else accept, headers.get("Content-Type"))
                    self.assertEqual(accept if recordio else None,
                                     headers.get("Message-Content-Type"))
                    self.assertEqual("chunked", headers.get("Transfer-Encoding"))
                    output.read_to_end()
                    self.assertEqual((b"out\n", b"err\n"), (output.stdout, output.stderr))
                    self.assertTrue(output.clean_end)
                    self.assertEqual({1}, set(output.records_per_chunk))
                    self.assertEqual(3 << 8, self.status(*path))

    def test_call_in_protobuf(self) -> None:
        path = self.new()
        call = attach.session_call(*path, command=shell("echo hi"))
        body = wire.encode("Call", call)
        with self.agent.connect() as connection:
            response = connection.request(
                "POST", "/api/v1", {"Content-Type": PROTOBUF, "Accept": PROTOBUF}, body)
        self.assertEqual((200, PROTOBUF), (response.status, response.content_type))
        expected = {"type": "DATA", "data": {"type": "STDOUT", "data": b"hi\n"}}
        self.assertEqual(record(wire.encode("ProcessIO", expected)), response.body)

    def test_the_connection_lives_on(self) -> None:
        """After a clean end, the same connection takes other calls."""
        path = self.new()
        output = self.start(*path, command=shell("echo hi"))
        output.read_to_end()
        reply = self.agent.call_on(output.connection, self.agent.wait_call(*path))
        self.assertEqual(200, reply.status)

    def test_no_output(self) -> None:
        for command in (argv("true"), argv("false")):
            path = self.new()
            output = self.start(*path, command=command).read_to_end()
            self.assertEqual((b"", b""), (output.stdout, output.stderr))
            self.assertEqual(1 << 8 if command["value"] == "false" else 0, self.status(*path))

    def test_output_is_in_the_sandbox_too(self) -> None:
        path = self.new()
        self.start(*path, command=shell("echo out; echo err >&2")).read_to_end()
        self.status(*path)
        self.assertEqual("out\n", self.agent.output(*path))
        self.assertEqual("err\n", self.agent.output(*path, file="stderr"))

    def test_inherits_from_its_parent(self) -> None:
        """Environment, working directory, user and namespaces are the parent's."""
        output = self.start(*self.new(), command=shell(
            "env; echo CWD=$(pwd); readlink /proc/self/ns/pid /proc/1/ns/mnt", OWN="x"))
        text = output.read_to_end().stdout.decode()
        sandbox = self.agent.sandbox(self.root_name)
        for line in ("INHERITED=from root", f"MESOS_SANDBOX={sandbox}", f"CWD={sandbox}",
                     "OWN=x"):
            self.assertIn(line, text.splitlines())
        self.assertNotIn("TMPDIR=", text, "the agent's own environment")
        pid = self.agent.await_process(self.root_name, containing="sleep 100000")
        for namespace in ("pid", "mnt"):
            self.assertIn(os.readlink(f"/proc/{pid}/ns/{namespace}"), text.splitlines())
        override = self.start(*self.new(), command=shell("echo $INHERITED", INHERITED="mine"))
        self.assertEqual(b"mine\n", override.read_to_end().stdout)

    def test_inherits_the_user(self) -> None:
        with self.root(shell("sleep 1000", user="nobody")) as root:
            output = self.start(root, unique(), command=argv("id", "-un"))
            self.assertEqual(b"nobody\n", output.read_to_end().stdout)
            output = self.start(root, unique(), command=argv("id", "-un", user="root"))
            self.assertEqual(b"root\n", output.read_to_end().stdout)

    def test_in_nested_containers_of_any_depth(self) -> None:
        path = [self.root_name]
        for _ in range(3):
            path.append(unique())
            self.agent.launch(*path, command=shell("sleep 1000", DEPTH=str(len(path))))
            output = self.start(*path, unique("session"), command=shell("echo $DEPTH"))
            self.assertEqual(f"{len(path)}\n".encode(), output.read_to_end().stdout)

    def test_refused(self) -> None:
        path = self.new()
        keep = self.start(*path, command=shell("sleep 1000"))
        cases: list[tuple[tuple[str, ...], Message, Message | None, int, str]] = [
            (path, shell("true"), None, 202, ""),
            (("nobody", "c"), shell("true"), None, 400, "Parent container nobody does not exist"),
            (self.new(), shell("true", user="nosuchuser"), None, 400, "nosuchuser"),
            (self.new(), shell("true"), {"type": "DOCKER", "docker": {"image": "x"}}, 400,
             "The provided ContainerInfo is not supported"),
            (self.new(), shell("true"), {"type": "MESOS", "volumes": [
                {"mode": "RW", "container_path": "/mnt", "host_path": "/tmp"}]}, 400,
             "Volumes not supported for DEBUG containers"),
        ]
        for target, command, container, status, text in cases:
            with self.subTest(target=target, status=status):
                output = attach.try_session(self.agent, *target, command=command,
                                            container=container)
                self.assertEqual(status, output.response.status, str(output))
                self.assertIn(text, output.response.text)
                if target != path:
                    self.assertNotIn(target, self.agent.containers())
        self.assertIn(path, self.agent.containers())
        keep.close()

    def test_destroyed_when_its_client_leaves(self) -> None:
        for leave in ("close", "reset"):
            with self.subTest(leave=leave):
                path = self.new()
                output = self.start(*path, command=shell(
                    "trap '' HUP TERM; echo ready; setsid sleep 98766 & sleep 98766; true"))
                output.read_until(b"ready\n")
                self.agent.await_process(*path, containing="sleep 98766")
                pids = self.agent.pids(*path)
                getattr(output.connection, leave)()
                self.assertEqual(9, self.status(*path))
                self.assertTrue(all(pid_gone(pid) for pid in pids))
                self.assertEqual(set(), self.agent.pids(*path))

    def test_destroyed_when_its_client_leaves_early(self) -> None:
        """The connection breaks at any moment of the launch (MESOS-8577): nothing stays."""
        before = self.agent.settled_fds()
        for i in range(60):
            connection = self.agent.connect()
            connection.send(attach.output_request(
                attach.session_call(*self.new(), command=shell("sleep 1000"))))
            time.sleep(i * 0.0005)
            (connection.reset if i % 2 else connection.close)()
        eventually(lambda: self.agent.containers() == {(self.root_name,)}, "no session is left")
        self.assertEqual(before, self.agent.settled_fds())

    def test_kill(self) -> None:
        for sent, status in ((15, 15), (None, 9), (2, 2)):
            path = self.new()
            output = self.start(*path, command=argv("sleep", "1000"))
            self.agent.await_process(*path, containing="sleep 1000")
            self.agent.kill(*path, signal=sent)
            self.assertTrue(output.read_to_end().clean_end)
            self.assertEqual(status, self.status(*path))

    def test_ends_with_its_parent(self) -> None:
        path = self.new()
        output = self.start(*path, command=shell("echo ready; sleep 1000"))
        output.read_until(b"ready\n")
        self.agent.kill(self.root_name)
        self.assertTrue(output.read_to_end().clean_end)
        self.assertEqual(9, self.agent.wait(self.root_name)["exit_status"])

    def test_goes_on_when_the_command_closes_its_output(self) -> None:
        """Mesos kills it then; ours ends when the process does."""
        path = self.new()
        start = time.monotonic()
        output = self.start(*path, command=shell("echo a; exec >&- 2>&-; sleep 2; exit 7"))
        output.read_to_end()
        self.assertEqual(b"a\n", output.stdout)
        self.assertGreater(time.monotonic() - start, 1.9, "the stream lasts until the exit")
        self.assertEqual(7 << 8, self.status(*path))

    def test_background_process_holding_the_output(self) -> None:
        """The command's exit ends the session; nothing waits for what it left behind."""
        path = self.new()
        start = time.monotonic()
        output = self.start(*path, command=shell("sleep 98767 & echo a; exit 4"))
        output.read_to_end()
        self.assertEqual(b"a\n", output.stdout)
        self.assertLess(time.monotonic() - start, 4 * TIMEOUT_FACTOR)
        self.assertEqual(4 << 8, self.status(*path))

    def test_short_sessions_lose_nothing(self) -> None:
        """The tail of the output arrives though the process is gone at once (MESOS-7742)."""
        for terminal in (None, tty()):
            end = "\r\n" if terminal else "\n"
            for i in range(40):
                output = self.start(*self.new(), command=shell(f"echo last words {i}"),
                                    container=terminal)
                output.read_to_end()
                self.assertEqual(f"last words {i}{end}".encode(), output.stdout)
                output.close()

    def test_the_status_stays_after_the_stream(self) -> None:
        path = self.new()
        self.start(*path, command=shell("exit 5")).read_to_end()
        time.sleep(2)
        for nested in (True, False):
            self.assertEqual(5 << 8, self.agent.wait(*path, nested=nested)["exit_status"])


class Volume(SessionTestCase):
    """Much data, bit-exact, in both encodings."""

    def test_output(self) -> None:
        path, expected = random_file(self.agent, OUTPUT_SIZE)
        for accept in ENCODINGS:
            with self.subTest(accept=accept):
                output = self.start(*self.new(), command=argv("cat", str(path)), accept=accept)
                digest, size = hashlib.sha256(), 0
                for _ in output.records():
                    digest.update(output.stdout)
                    size += len(output.stdout)
                    output.stdout.clear()
                self.assertEqual((OUTPUT_SIZE, expected), (size, digest.hexdigest()))
                self.assertTrue(output.clean_end)

    def test_input(self) -> None:
        path, expected = random_file(self.agent, INPUT_SIZE)
        for encoding in ENCODINGS:
            with self.subTest(encoding=encoding):
                target = self.new()
                output = self.start(*target, command=argv("sha256sum"))
                with Input(self.agent, *target, encoding=encoding) as stream, \
                        path.open("rb") as file:
                    sizes = random.Random(1)
                    while block := file.read(sizes.choice((1, 4096, 65536, 300_000))):
                        stream.stdin(block)
                    stream.eof()
                    response = stream.finish(6 * TIMEOUT)
                self.assertEqual((200, b""), (response.status, response.body))
                self.assertEqual(f"{expected}  -\n", output.read_to_end().stdout.decode())

    def test_both_ways_at_once(self) -> None:
        target = self.new()
        output = self.start(*target, command=argv("cat"))
        data = os.urandom(8 * MB)

        def write() -> int:
            with Input(self.agent, *target) as stream:
                for at in range(0, len(data), 50_000):
                    stream.stdin(data[at:at + 50_000])
                return stream.eof().finish(2 * TIMEOUT).status

        with ThreadPoolExecutor(1) as pool:
            written = pool.submit(write)
            output.read_to_end()
            self.assertEqual(200, written.result())
        self.assertEqual(data, bytes(output.stdout))

    def test_one_byte_records(self) -> None:
        target = self.new()
        output = self.start(*target, command=argv("cat"))
        data = os.urandom(5000)
        with Input(self.agent, *target) as stream:
            for byte in data:
                stream.stdin(bytes([byte]))
            self.assertEqual(200, stream.eof().finish().status)
        self.assertEqual(data, bytes(output.read_to_end().stdout))

    def test_one_large_record(self) -> None:
        for encoding in ENCODINGS:
            target = self.new()
            output = self.start(*target, command=argv("wc", "-c"))
            response = write_input(self.agent, *target, data=b"x" * (16 * MB), encoding=encoding)
            self.assertEqual(200, response.status)
            self.assertEqual(b"%d\n" % (16 * MB), output.read_to_end().stdout)

    def test_records_and_chunks_in_any_pieces(self) -> None:
        """Record length, newline and payload in chunks of their own, and many in one."""
        target = self.new()
        output = self.start(*target, command=argv("cat"))
        data = bytes(range(256)) * 4
        body = b"".join(
            record(wire.to_json(r)) for r in (
                attach.id_record(*target), attach.io_record(attach.stdin_io(data)),
                attach.io_record(attach.stdin_io(data)), attach.io_record(attach.stdin_io(b""))))
        with self.agent.connect() as connection:
            connection.send(request_head("POST", "/api/v1", {
                "Host": "a", "Content-Type": RECORDIO, "Message-Content-Type": JSON,
                "Transfer-Encoding": "chunked"}))
            sizes, at = random.Random(2), 0
            while at < len(body):
                size = sizes.choice((1, 2, 3, 50, 700))
                connection.send(chunk(body[at:at + size]))
                at += size
            connection.send(LAST_CHUNK)
            self.assertEqual(200, connection.read_response().status)
        self.assertEqual(data * 2, bytes(output.read_to_end().stdout))

    def test_many_sessions_at_once(self) -> None:
        """200 sessions, each with output, input and exit status of its own."""

        def one(number: int) -> tuple[bytes, int]:
            path = (self.root_name, unique("many"))
            with session(self.agent, *path, timeout=6 * TIMEOUT, command=shell(
                    f"read line; echo {number} $line; exit {number % 100}")) as output:
                write_input(self.agent, *path, data=b"in-%d\n" % number, eof=False)
                output.read_to_end()
            return bytes(output.stdout), self.agent.wait(*path, timeout=6 * TIMEOUT)["exit_status"]

        with ThreadPoolExecutor(200) as pool:
            results = list(pool.map(one, range(200)))
        for number, result in enumerate(results):
            self.assertEqual((b"%d in-%d\n" % (number, number), number % 100 << 8), result)


class Terminals(SessionTestCase):
    def run_tty(self, command: Message, rows: int | None = None, columns: int | None = None,
                path: tuple[str, ...] | None = None) -> str:
        output = self.start(*(path or self.new()), command=command, container=tty(rows, columns))
        return output.read_to_end().stdout.decode()

    def test_is_a_terminal(self) -> None:
        text = self.run_tty(shell("tty; test -t 0 && test -t 1 && test -t 2 && echo all"))
        self.assertRegex(text, r"^/dev/(pts/\d+|console)\r\nall\r\n$")

    def test_controlling_terminal(self) -> None:
        self.assertEqual("via tty\r\n", self.run_tty(shell("echo via tty > /dev/tty")))
        text = self.run_tty(argv("sh", "-ic", "echo interactive"))
        self.assertNotIn("job control", text)
        self.assertIn("interactive", text)

    def test_job_control(self) -> None:
        text = self.run_tty(argv("bash", "-ic", "sleep 1000 & jobs; kill %1; echo done",
                                 HISTFILE=""))
        self.assertRegex(text, r"\[1\].*Running.*sleep 1000")
        self.assertNotIn("no job control", text)

    def test_everything_is_stdout(self) -> None:
        path = self.new()
        output = self.start(*path, command=shell("echo a; echo b >&2; exit 3"), container=tty())
        output.read_to_end()
        self.assertEqual((b"a\r\nb\r\n", b""), (output.stdout, output.stderr))
        self.assertEqual(3 << 8, self.status(*path))
        self.assertEqual("a\nb\n", self.agent.output(*path).replace("\r\n", "\n"))

    def test_window_size_at_launch(self) -> None:
        for rows, columns in ((24, 80), (55, 211)):
            self.assertEqual(f"{rows} {columns}\r\n", self.run_tty(argv("stty", "size"),
                                                                   rows, columns))

    def test_resize(self) -> None:
        for encoding in ENCODINGS:
            path = self.new()
            output = self.start(*path, container=tty(10, 20), command=shell(
                "trap 'stty size' WINCH; stty -echo; echo ready; "
                "while :; do sleep 0.05; done"))
            output.read_until(b"ready\r\n")
            with Input(self.agent, *path, encoding=encoding) as stream:
                stream.resize(0, 0).resize(33, 101)
                output.read_until(b"33 101\r\n")
                stream.resize(40, 120)
                output.read_until(b"40 120\r\n")
            output.close()
            self.assertEqual(9, self.status(*path))

    def test_interrupt(self) -> None:
        path = self.new()
        output = self.start(*path, command=argv("sleep", "1000"), container=tty())
        self.agent.await_process(*path, containing="sleep 1000")
        with Input(self.agent, *path) as stream:
            stream.stdin(b"\x03")
            self.assertEqual(200, stream.response().status, "the container has ended")
        self.assertEqual(b"^C", output.read_to_end().stdout)
        self.assertTrue(output.clean_end)
        self.assertEqual(2, self.status(*path))

    def test_suspend_and_resume(self) -> None:
        path = self.new()
        output = self.start(*path, container=tty(),
                            command=argv("bash", "--norc", "--noediting", "-i", HISTFILE=""))
        with Input(self.agent, *path) as stream:
            stream.stdin(b"PS1=; stty -echo; echo up-$((1+1))\n")
            output.read_until(b"up-2\r\n")
            stream.stdin(b"sleep 1000\n")
            self.agent.await_process(*path, containing="sleep 1000")
            stream.stdin(b"\x1a")
            output.read_until(b"Stopped")
            output.stdout.clear()
            stream.stdin(b"fg\n")
            output.read_until(b"sleep 1000\r\n")
            stream.stdin(b"\x03")
            stream.stdin(b"echo back-$((2+2))\n")
            output.read_until(b"back-4\r\n")
            stream.stdin(b"exit 5\n")
            self.assertEqual(200, stream.response().status)
        output.read_to_end()
        self.assertEqual(5 << 8, self.status(*path))

    def test_end_of_file(self) -> None:
        """On a terminal, an empty record means nothing; the character EOT ends input."""
        path = self.new()
        output = self.start(*path, container=tty(), command=shell("stty -echo; echo ready; cat"))
        output.read_until(b"ready\r\n")
        with Input(self.agent, *path) as stream:
            stream.stdin(b"one\n").eof().stdin(b"two\n")
            output.read_until(b"two\r\n")
            stream.stdin(b"\x04")
            self.assertEqual(200, stream.response().status)
        output.read_to_end()
        self.assertEqual(b"ready\r\none\r\ntwo\r\n", output.stdout)
        self.assertEqual(0, self.status(*path))

    def test_echo(self) -> None:
        path = self.new()
        output = self.start(*path, container=tty(), command=shell("read line; echo got $line"))
        write_input(self.agent, *path, data=b"abc\n", eof=False)
        self.assertEqual(b"abc\r\ngot abc\r\n", output.read_to_end().stdout)

    def test_large_output(self) -> None:
        expected = "".join(f"{i}\r\n" for i in range(1, 200001))
        self.assertEqual(expected, self.run_tty(argv("seq", "1", "200000")))

    def test_many_short_ones(self) -> None:
        """The end of a terminal (EIO) is an end of file: no last word is lost, no call fails."""
        for i in range(30):
            path = self.new()
            output = self.start(*path, container=tty(),
                                command=shell(f"read x; seq 1 {i * 10}; echo end-$x"))
            response = write_input(self.agent, *path, data=b"go\n", eof=False)
            self.assertEqual(200, response.status)
            output.read_to_end()
            self.assertTrue(output.stdout.endswith(b"end-go\r\n"), output.stdout[-50:])
            self.assertEqual(0, self.status(*path))

    def test_hangup_when_the_client_leaves(self) -> None:
        path = self.new()
        output = self.start(*path, container=tty(), command=shell("echo ready; sleep 1000"))
        output.read_until(b"ready")
        pids = self.agent.pids(*path)
        output.close()
        self.status(*path)
        self.assertTrue(all(pid_gone(pid) for pid in pids))

    def test_full_screen_editor(self) -> None:
        path = self.new()
        output = self.start(*path, container=tty(24, 80),
                            command=argv("vi", "-u", "NONE", "written", TERM="xterm"))
        output.read_until(b"\x1b[")
        with Input(self.agent, *path) as stream:
            stream.stdin(b"ihello from vi\x1b")
            output.read_until(b"hello from vi")
            stream.resize(40, 100)
            stream.stdin(b":wq\r")
            self.assertEqual(200, stream.response().status)
        output.read_to_end()
        self.assertEqual(0, self.status(*path))
        written = self.agent.sandbox(self.root_name) / "written"
        self.assertEqual("hello from vi\n", written.read_text())

    def test_full_screen_monitor(self) -> None:
        path = self.new()
        output = self.start(*path, container=tty(30, 100),
                            command=argv("top", "-d", "1", TERM="xterm"))
        output.read_until(b"Tasks:")
        with Input(self.agent, *path) as stream:
            stream.stdin(b"q")
            self.assertEqual(200, stream.response().status)
        output.read_to_end()
        self.assertEqual(0, self.status(*path))

    def test_user_owns_the_terminal(self) -> None:
        text = self.run_tty(shell("stat -c %U $(tty); echo x > $(tty)", user="nobody"))
        self.assertEqual("nobody\r\nx\r\n", text)

    def test_plain_container_with_a_terminal(self) -> None:
        """Any container with tty_info can be attached to, a standalone one too."""
        for path in ((unique(),), self.new()):
            self.agent.launch(*path, container=tty(30, 90), command=shell(
                "read line; stty size; echo got $line; exit 2"))
            with attach_output(self.agent, *path) as output:
                write_input(self.agent, *path, data=b"x\n", eof=False)
                self.assertEqual(b"x\r\n30 90\r\ngot x\r\n", output.read_to_end().stdout)
            self.assertEqual(2 << 8, self.status(*path))


class InputStreams(SessionTestCase):
    """ATTACH_CONTAINER_INPUT: one writer at a time, each record answered for."""

    def cat(self) -> tuple[tuple[str, str], Output]:
        path = self.new()
        return path, self.start(*path, command=argv("cat"))

    def test_end_of_file_record(self) -> None:
        for encoding in ENCODINGS:
            path, output = self.cat()
            with Input(self.agent, *path, encoding=encoding) as stream:
                stream.stdin(b"a").eof()
                self.assertEqual(b"a", output.read_to_end().stdout)
                self.assertEqual(0, self.status(*path))
                self.assertEqual((200, b""), (lambda r: (r.status, r.body))(stream.response()))

    def test_stdin_stays_open_between_writers(self) -> None:
        path, output = self.cat()
        for data in (b"", b"one\n", b"", b"two\n"):
            self.assertEqual(200, write_input(self.agent, *path, data=data, eof=False).status)
        self.assertEqual(200, write_input(self.agent, *path, data=b"three\n").status)
        self.assertEqual(b"one\ntwo\nthree\n", output.read_to_end().stdout)

    def test_connection_close(self) -> None:
        """The Python clients close and re-open at once; neither 409 nor an end of stdin."""
        path, output = self.cat()
        for _ in range(20):
            with Input(self.agent, *path, headers={"Connection": "close"}) as stream:
                self.assertEqual(200, stream.finish().status)
        self.assertEqual(200, write_input(self.agent, *path, data=b"x").status)
        self.assertEqual(b"x", output.read_to_end().stdout)

    def test_second_writer(self) -> None:
        path, output = self.cat()
        with Input(self.agent, *path) as first:
            first.stdin(b"first\n")
            output.read_until(b"first\n")
            with Input(self.agent, *path) as second:
                response = second.response()
                self.assertEqual((409, "Multiple input connections are not allowed"),
                                 (response.status, response.text))
            first.stdin(b"again\n").eof()
            self.assertEqual(200, first.finish().status)
        self.assertEqual(b"first\nagain\n", output.read_to_end().stdout)

    def test_vanished_writer(self) -> None:
        """The next one is accepted; Mesos answers 409 for ever."""
        path, output = self.cat()
        for leave in ("reset", "close"):
            stream = Input(self.agent, *path)
            stream.stdin(b"x")
            output.read_until(b"x")
            output.stdout.clear()
            getattr(stream, leave)()

            def accepted() -> bool:
                response = write_input(self.agent, *path, data=b"after\n", eof=False)
                self.assertIn(response.status, (200, 409), response.text)
                return response.status == 200

            eventually(accepted, "the next writer is accepted")
            output.read_until(b"after\n")
            output.stdout.clear()
        self.assertIn(path, self.agent.containers())

    def test_vanished_amid_a_record(self) -> None:
        path, output = self.cat()
        payload = wire.to_json(attach.io_record(attach.stdin_io(b"never")))
        for cut in (1, 3, 10, len(payload) - 1):
            stream = Input(self.agent, *path)
            stream.connection.send(b"%x\r\n" % (len(payload) + 4) + b"%d\n" % len(payload)
                                   + payload[:cut])
            stream.reset()
        eventually(lambda: write_input(self.agent, *path, data=b"x").status == 200,
                   "the next writer is accepted")
        self.assertEqual(b"x", output.read_to_end().stdout)

    def test_container_that_does_not_read(self) -> None:
        """Its input is held back, not kept without bound; other calls go on."""
        path = self.new()
        output = self.start(*path, command=shell("echo ready; sleep 1000"))
        output.read_until(b"ready\n")
        before = rss(self.agent.pid)
        with Input(self.agent, *path, timeout=2) as stream:
            block, sent = b"x" * 65536, 0
            try:
                while sent < 256 * MB:
                    stream.stdin(block)
                    sent += len(block)
            except TimeoutError:
                pass
            self.assertLess(sent, 64 * MB, "nothing holds the writer back")
            self.assertLess(rss(self.agent.pid) - before, 32 * MB)
            self.agent.expect(200, {"type": "GET_HEALTH"})
            self.agent.kill(*path)
            self.assertEqual(9, self.status(*path))

    def test_container_ends_while_a_writer_is_attached(self) -> None:
        path = self.new()
        output = self.start(*path, command=shell("read line; echo $line; exit 3"))
        with Input(self.agent, *path) as stream:
            stream.stdin(b"go\n")
            response = stream.response()
            self.assertEqual((200, b""), (response.status, response.body))
        self.assertEqual(b"go\n", output.read_to_end().stdout)
        self.assertEqual(3 << 8, self.status(*path))

    def test_heartbeats_are_ignored(self) -> None:
        path, output = self.cat()
        with Input(self.agent, *path) as stream:
            for _ in range(3):
                stream.io(attach.heartbeat_io())
            self.assertEqual(200, stream.stdin(b"x").eof().finish().status)
        self.assertEqual(b"x", output.read_to_end().stdout)

    def test_errors_come_at_once(self) -> None:
        """A reply does not wait for the end of the request (dcos-cli#856)."""
        plain = self.new()
        self.agent.launch(*plain, command=shell("sleep 1000"))
        for path, status, text in (
                (("nobody",), 404, "Container nobody cannot be found"),
                (("nobody", "c"), 404, "Container nobody.c cannot be found"),
                ((self.root_name, "c"), 500, f"Unknown container {self.root_name}.c"),
                (plain, 500, DISABLED)):
            for encoding in ENCODINGS:
                with self.subTest(path=path), \
                        Input(self.agent, *path, encoding=encoding) as stream:
                    response = stream.response()
                    self.assertEqual((status, text), (response.status, response.text))

    BAD_RECORDS: list[tuple[Message, str]] = [
        (attach.io_record({"type": "DATA", "data": {"type": "STDOUT", "data": b"x"}}),
         "Expecting 'process_io.data.type' to be 'STDIN'"),
        (attach.io_record({"type": "DATA", "data": {"data": b"x"}}), "process_io.data.type"),
        (attach.io_record({"type": "DATA"}), "process_io.data"),
        (attach.io_record({"data": {"type": "STDIN", "data": b"x"}}),
         "Expecting 'process_io.type' to be present"),
        (attach.io_record({"type": "UNKNOWN"}), "'process_io.type' is unknown"),
        (attach.io_record({"type": "CONTROL"}), "Expecting 'process_io.control"),
        (attach.io_record({"type": "CONTROL", "control": {}}), "Expecting 'process_io.control"),
        (attach.io_record({"type": "CONTROL", "control": {"type": "TTY_INFO"}}), "tty_info"),
        (attach.io_record({"type": "CONTROL", "control": {"type": "TTY_INFO", "tty_info": {}}}),
         "Expecting 'tty_info.window_size' to be present"),
        ({"type": "ATTACH_CONTAINER_INPUT", "attach_container_input": {"type": "PROCESS_IO"}},
         "'attach_container_input.process_io' to be present"),
        (attach.id_record("root", "again"), "'attach_container_input.type' to be 'PROCESS_IO'"),
    ]

    def test_bad_records(self) -> None:
        """400 with what is wrong, at once, and the container and its next writer are unharmed."""
        path, output = self.cat()
        for encoding in ENCODINGS:
            for call, text in self.BAD_RECORDS:
                with self.subTest(call=call, encoding=encoding):
                    with Input(self.agent, *path, encoding=encoding) as stream:
                        stream.send(call)
                        response = stream.response()
                    self.assertEqual(400, response.status, response.text)
                    self.assertIn(text, response.text)
        self.assertEqual(200, write_input(self.agent, *path, data=b"fine").status)
        self.assertEqual(b"fine", output.read_to_end().stdout)

    def test_window_size_without_a_terminal(self) -> None:
        path, output = self.cat()
        with Input(self.agent, *path) as stream:
            response = stream.resize(24, 80).response()
        self.assertEqual(400, response.status)
        self.assertRegex(response.text, "^Unable to set the window size")
        self.assertEqual(200, write_input(self.agent, *path, data=b"x").status)
        self.assertEqual(b"x", output.read_to_end().stdout)

    def test_broken_record_amid_the_stream(self) -> None:
        path, output = self.cat()
        for junk in (b"zz\n{}", b"3\n{}}", b"2\n[]"):
            with self.subTest(junk=junk), Input(self.agent, *path) as stream:
                stream.connection.send(chunk(junk))
                self.assertGreaterEqual(stream.response().status, 400)
        self.assertEqual(200, write_input(self.agent, *path, data=b"x").status)
        self.assertEqual(b"x", output.read_to_end().stdout)

    def test_stdin_closed_by_the_command(self) -> None:
        """Input that nobody will read is refused or dropped; the session stays readable."""
        path = self.new()
        output = self.start(*path, command=shell("exec <&-; echo closed; sleep 1; echo end"))
        output.read_until(b"closed\n")
        with Input(self.agent, *path) as stream:
            stream.stdin(b"x")
            response = stream.response()
        self.assertIn(response.status, (200, 500))
        if response.status == 500:
            self.assertRegex(response.text, "^Failed writing to stdin")


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
                with session(self.agent, root, unique(), accept=accept,
                             command=shell("sleep 3.4; echo end")) as output:
                    output.read_to_end()
                self.assertEqual(b"end\n", output.stdout)
                self.assertIn(len(output.heartbeats), (3, 4))
                self.assertEqual({1_000_000_000}, {i for _, i in output.heartbeats})
                times = [t for t, _ in output.heartbeats]
                for earlier, later in zip(times, times[1:], strict=False):
                    self.assertAlmostEqual(1.0, later - earlier, delta=0.4 * TIMEOUT_FACTOR)

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


class Small(AgentTestCase):
    def test_fifty_sessions_in_a_small_container(self) -> None:
        """The helpers charge next to nothing to the container (Mesos: out of memory)."""
        with self.root(resources=resources(cpus=1, mem=64)) as root:
            paths = [(root, unique()) for _ in range(50)]
            outputs = [session(self.agent, *path, command=argv("cat")) for path in paths]
            for path, output in zip(paths, outputs, strict=True):
                self.assertEqual(200, write_input(self.agent, *path, data=b"hi\n",
                                                  eof=False).status)
                output.read_until(b"hi\n")
            usage = int(self.agent.cgroup_file("memory", root, file="memory.usage_in_bytes"))
            self.assertLess(usage, 60 * MB)
            for path, output in zip(paths, outputs, strict=True):
                write_input(self.agent, *path, data=b"")
                self.assertEqual(b"hi\n", output.read_to_end().stdout)
                self.assertEqual(0, self.agent.wait(*path)["exit_status"])
            self.assertEqual({(root,)}, self.agent.containers())


class NothingLeaks(OwnAgentTestCase):
    def test_sessions(self) -> None:
        agent = self.new_agent()
        agent.launch("root", command=shell("sleep 100000"), resources=resources(cpus=1, mem=512))

        def rounds(count: int) -> None:
            for i in range(count):
                path = ("root", unique())
                output = session(agent, *path, command=argv("cat"),
                                 container=tty() if i % 2 else None)
                other = attach_output(agent, *path)
                if i % 3 == 0:
                    stream = Input(agent, *path)
                    stream.reset()
                output.close()
                other.close()
                agent.wait(*path)
                agent.remove(*path)

        rounds(5)
        before = agent.settled_fds()
        rounds(60)
        self.assertEqual(before, agent.settled_fds())
        agent.kill("root")
        agent.wait("root")
        agent.assert_nothing_left()

    def test_a_stream_that_breaks_ends_without_the_last_chunk(self) -> None:
        """When the switchboard dies, the client can tell; nothing is written into the body."""
        agent = self.new_agent()
        agent.launch("root", command=shell("sleep 100000"))
        output = session(agent, "root", "c", command=shell("echo ready; sleep 1000"))
        output.read_until(b"ready\n")
        switchboards = [pid for pid, what in helper_processes(agent).items()
                        if "switchboard" in what]
        self.assertEqual(1, len(switchboards), "one switchboard process")
        os.kill(switchboards[0], 9)
        self.assertTrue(output.ends_uncleanly())
        termination = agent.wait("root", "c")
        self.assertEqual("REASON_IO_SWITCHBOARD_EXITED", termination.get("reason"), termination)
        self.assertEqual("TASK_FAILED", termination.get("state"))
        self.assertRegex(termination.get("message", ""), "IOSwitchboard")
        self.assertEqual({("root",)}, agent.containers())

    def test_agent_killed_amid_a_stream(self) -> None:
        agent = self.new_agent()
        agent.launch("root", command=shell("sleep 100000"))
        output = session(agent, "root", "c", command=shell("echo ready; sleep 1000"))
        output.read_until(b"ready\n")
        agent.kill9()
        with self.assertRaises((ConnectionClosed, ConnectionResetError)):
            output.read_to_end()
        agent.start()


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


class Encodings(SessionTestCase):
    def test_bytes_survive_json(self) -> None:
        """Every byte value, in records of every length modulo three (base64 padding)."""
        data = bytes(range(256))
        for accept in ENCODINGS:
            for size in (1, 2, 3, 4, 255, 256):
                path = self.new()
                output = self.start(*path, command=argv("cat"), accept=accept)
                write_input(self.agent, *path, data=data[:size], encoding=accept)
                self.assertEqual(data[:size], bytes(output.read_to_end().stdout))

    def test_records_are_as_mesos_writes_them(self) -> None:
        """Field order, no whitespace: clients compare and split by these bytes."""
        call = attach.session_call(*self.new(), command=shell("echo out"))
        with self.agent.connect() as connection:
            connection.send(attach.output_request(call))
            response = connection.read_response()
        expected = b'58\n{"type":"DATA","data":{"type":"STDOUT","data":"b3V0Cg=="}}'
        self.assertEqual(expected, response.body)
        self.assertTrue(re.fullmatch(rb"\d+\n\{.*\}", response.body))

    def test_ids_are_echoed_in_errors(self) -> None:
        name = "é" * 10
        response = attach.try_attach_output(self.agent, self.root_name, name).response
        self.assertEqual(f"Unknown container {self.root_name}.{name}", response.text)
        self.assertEqual(container_id(self.root_name, name)["parent"]["value"], self.root_name)


if __name__ == "__main__":
    import run
    run.main([__file__])
