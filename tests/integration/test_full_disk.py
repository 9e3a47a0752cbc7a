"""A full disk: output is lost only where it cannot be kept, statuses never, and the agent goes on.

The agent of each test has a mount namespace of its own with a small tmpfs as its work directory.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

from attach import Input, attach_output, session, tty, write_input
from harness import Agent, OwnAgentTestCase, argv, resources, shell
from sessions import ATTACHABLE, MB, random_file

SIZE = 4 * MB
LARGE = 16 * MB
LOST = "mesos-io-switchboard: {} bytes of stdout could not be written to the sandbox: " \
       "No space left on device\n"


class FullSandbox(OwnAgentTestCase):
    def agent_with_small_disk(self, options: str = f"size={SIZE}") -> Agent:
        """A running agent whose work directory is on such a disk."""
        agent = self.new_agent(start=False)
        mounting = f'mount -t tmpfs -o {options},mode=755 none "$0" && exec "$@"'
        agent.wrapper = ["unshare", "--mount", "--propagation", "private",
                         "sh", "-c", mounting, str(agent.work_dir)]
        return agent.start()

    def inside(self, agent: Agent, path: Path) -> Path:
        """The same path as the agent sees it."""
        return Path(f"/proc/{agent.pid}/root{path}")

    def sandbox(self, agent: Agent, *path: str) -> Path:
        return self.inside(agent, agent.sandbox(*path))

    def fill(self, agent: Agent) -> Path:
        """A file that takes all the room there is."""
        filler = self.inside(agent, agent.work_dir / "filler")
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 4096)
        self.assertEqual(0, os.statvfs(filler).f_bavail)
        return filler

    def check_alive(self, agent: Agent) -> None:
        agent.expect(200, {"type": "GET_HEALTH"})
        agent.expect(200, {"type": "GET_CONTAINERS", "get_containers": {"show_nested": True}})

    def test_readers_get_every_byte(self) -> None:
        agent = self.agent_with_small_disk()
        file, expected = random_file(agent, LARGE)
        agent.launch("root", command=shell("sleep 100000"), resources=resources(cpus=1, mem=256))
        with session(agent, "root", "session", command=shell(f"cat {file}; exit 5")) as output:
            output.read_to_end()
            self.assertTrue(output.clean_end)
        self.assertEqual(expected, hashlib.sha256(output.stdout).hexdigest())
        self.assertEqual({"exit_status": 5 << 8}, agent.wait("root", "session"))
        kept = (self.sandbox(agent, "root", "session") / "stdout").read_bytes()
        self.assertLessEqual(len(kept), SIZE)
        self.assertGreater(len(kept), SIZE // 2)
        self.assertEqual(bytes(output.stdout[:len(kept)]), kept, "what there was room for")
        self.check_alive(agent)

        # The disk is still full, and the next session is none the worse for it.
        with session(agent, "root", "next", command=argv("cat"), container=tty()) as output, \
                Input(agent, "root", "next") as stream:
            stream.stdin(b"fine\n\x04")
            self.assertEqual(b"fine\r\nfine\r\n", output.read_to_end().stdout)
        self.assertEqual({"exit_status": 0}, agent.wait("root", "next"))

    def test_what_is_missing_is_told(self) -> None:
        """The file has a gap, and stderr says how many bytes it is."""
        agent = self.agent_with_small_disk()
        agent.launch("c", command=shell("while read line; do echo $line; done; exit 6",
                                        **ATTACHABLE))
        with attach_output(agent, "c") as output:
            filler = self.fill(agent)
            write_input(agent, "c", data=b"lost\nlost too\n", eof=False)
            output.read_until(b"lost too\n")
            filler.unlink()
            write_input(agent, "c", data=b"kept\n")
            self.assertEqual(b"lost\nlost too\nkept\n", output.read_to_end().stdout)
        self.assertEqual({"exit_status": 6 << 8}, agent.wait("c"))
        sandbox = self.sandbox(agent, "c")
        self.assertEqual("kept\n", (sandbox / "stdout").read_text())
        self.assertEqual(LOST.format(len("lost\nlost too\n")), (sandbox / "stderr").read_text())

    def test_without_readers_it_does_not_block(self) -> None:
        agent = self.agent_with_small_disk()
        agent.launch("c", resources=resources(cpus=1, mem=256), command=shell(
            f"head -c {LARGE} /dev/zero; exit 7", **ATTACHABLE))
        self.assertEqual({"exit_status": 7 << 8}, agent.wait("c"))
        size = (self.sandbox(agent, "c") / "stdout").stat().st_size
        self.assertTrue(SIZE // 2 < size <= SIZE, size)
        self.check_alive(agent)

    def test_commands_see_the_error_themselves(self) -> None:
        """Those without a switchboard, and in any case those that write files."""
        agent = self.agent_with_small_disk()
        agent.launch("root", command=shell("sleep 100000"), resources=resources(cpus=1, mem=256))
        writing = f"dd if=/dev/zero of=file bs=64k count={LARGE >> 16}; " \
                  "code=$?; rm -f file; exit $((code + 10))"
        endings = ((f"head -c {LARGE} /dev/zero; exit $(($? + 10))", 11 << 8), (writing, 11 << 8))
        for number, (command, status) in enumerate(endings):
            path = ("root", f"c{number}")
            self.assertEqual({"exit_status": status}, agent.run(*path, command=shell(command)))
            agent.remove(*path)
        with session(agent, "root", "session", command=shell(writing)) as output:
            output.read_to_end()
        self.assertIn(b"No space left on device", output.stderr)
        self.assertEqual({"exit_status": 11 << 8}, agent.wait("root", "session"))
        self.check_alive(agent)

    def test_launches_without_an_inode(self) -> None:
        """Refused with the reason, and nothing of them stays; then there is room and it works."""
        agent = self.agent_with_small_disk("size=4m,nr_inodes=40")
        agent.launch("root", command=shell("sleep 100000"))
        directory = self.inside(agent, agent.work_dir / "many")
        directory.mkdir()
        with contextlib.suppress(OSError):
            for number in range(100):
                (directory / str(number)).touch()
        for _ in range(3):
            for path, status in ((("root", "child"), 400), (("other",), 500)):
                reply = agent.launch(*path, command=argv("true"), status=status)
                self.assertIn("No space left on device", reply.text)
                self.assert_status(404, agent.try_wait(*path))
        self.assertEqual({("root",)}, agent.containers())
        for file in directory.iterdir():
            file.unlink()
        self.assertEqual({"exit_status": 0}, agent.run("root", "child", command=argv("true")))
        self.assertEqual({"exit_status": 0}, agent.run("other", command=argv("true")))


if __name__ == "__main__":
    import run
    run.main([__file__])
