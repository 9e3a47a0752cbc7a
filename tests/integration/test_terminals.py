"""Terminals: job control, window sizes, signals, editors, and their ends."""

from __future__ import annotations

from attach import Input, attach_output, tty, write_input
from harness import ENCODINGS, argv, pid_gone, shell, unique
from sessions import SessionTestCase
from wire import Message


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


if __name__ == "__main__":
    import run
    run.main([__file__])
