"""ATTACH_CONTAINER_INPUT: one writer at a time, each record answered for, writers that vanish."""

from __future__ import annotations

import attach
import wire
from attach import Input, Output, write_input
from harness import ENCODINGS, argv, eventually, shell
from rawhttp import chunk
from sessions import DISABLED, MB, SessionTestCase, rss
from wire import Message


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


if __name__ == "__main__":
    import run
    run.main([__file__])
