"""How containers end: exit statuses, what ends with them, and how long that is remembered."""

from __future__ import annotations

import itertools
from pathlib import Path

from endings import ENDINGS
from harness import (ENCODINGS, AgentTestCase, OwnAgentTestCase, argv, eventually, pid_gone, shell,
                     unique)
from rawhttp import TIMEOUT_FACTOR


class Endings(AgentTestCase):
    """exit_status of standalone, nested and deeply nested containers, by all three call pairs."""

    def test_standalone(self) -> None:
        for encoding in ENCODINGS:
            for command, status in ENDINGS:
                with self.subTest(command=command, encoding=encoding):
                    name = unique()
                    self.agent.launch(name, command=command, encoding=encoding)
                    self.assertEqual({"exit_status": status},
                                     self.agent.wait(name, encoding=encoding))

    def test_nested(self) -> None:
        with self.root() as root:
            for encoding, nested in itertools.product(ENCODINGS, (True, False)):
                for command, status in ENDINGS:
                    with self.subTest(command=command, encoding=encoding, nested=nested):
                        name = unique()
                        self.agent.launch(root, name, command=command, encoding=encoding,
                                          nested=nested)
                        self.assertEqual(
                            {"exit_status": status},
                            self.agent.wait(root, name, encoding=encoding, nested=nested))

    def test_three_levels_deep(self) -> None:
        with self.root() as root:
            path = [root]
            for _ in range(3):
                path.append(unique())
                self.agent.launch(*path, command=shell("sleep 1000"))
            leaf = (*path, unique())
            for command, status in ENDINGS:
                with self.subTest(command=command):
                    self.assertEqual({"exit_status": status}, self.agent.run(*leaf,
                                                                             command=command))
            self.assertEqual({tuple(path[:n]) for n in (1, 2, 3, 4)}, self.agent.containers())

    def test_no_command(self) -> None:
        """Launches with an empty shell command, which the helper refuses."""
        with self.root() as root:
            for encoding in ENCODINGS:
                name = unique()
                self.agent.launch(root, name, command=None, encoding=encoding)
                self.assertEqual(1 << 8, self.agent.wait(root, name)["exit_status"])

    def test_failed_exec_is_explained_in_stderr(self) -> None:
        with self.root() as root:
            name = unique()
            self.agent.run(root, name, command=argv("/no/such"))
            self.assertEqual("Failed to execute '/no/such': No such file or directory\n",
                             self.agent.output(root, name, file="stderr"))

    def test_background_processes_end_with_the_command(self) -> None:
        with self.root() as root:
            name = unique()
            self.agent.launch(root, name, command=shell(
                "setsid sleep 98765 & setsid sleep 98765 & "
                "while ! test -e go; do sleep 0.02; done; exit 4"))
            pid = self.agent.await_process(root, name, containing="sleep 98765")
            (self.agent.sandbox(root, name) / "go").touch()
            self.assertEqual(4 << 8, self.agent.wait(root, name)["exit_status"])
            self.assertTrue(pid_gone(pid), "WAIT answered before all processes were dead")

    def test_orphans_are_reaped(self) -> None:
        """The init adopts and reaps: no zombies pile up in a container."""
        with self.root() as root:
            name = unique()
            self.agent.launch(root, name, command=shell(
                "for i in 1 2 3 4 5 6 7 8; do (sh -c 'true &' &); done; sleep 1000"))
            self.agent.await_process(root, name, containing="sleep 1000")

            def zombies() -> int:
                states = []
                for pid in self.agent.pids(root, name):
                    try:
                        text = Path(f"/proc/{pid}/stat").read_text()
                    except OSError:
                        continue
                    states.append(text.rpartition(") ")[2][0])
                return states.count("Z")

            eventually(lambda: zombies() == 0, "zombies are reaped")


class Retention(OwnAgentTestCase):
    """How long the termination of an ended standalone container stays."""

    def test_time(self) -> None:
        agent = self.new_agent({"termination_retention": "5secs"})
        agent.launch("early", command=shell("exit 3"))
        self.assertEqual(3 << 8, agent.wait("early")["exit_status"])
        self.assertEqual(3 << 8, agent.wait("early")["exit_status"])
        eventually(lambda: agent.try_wait("early").status == 404, "the termination expires",
                   20 * TIMEOUT_FACTOR)
        self.assertEqual([], list(agent.runtime_dir.glob("containers/*")))

    def test_count(self) -> None:
        agent = self.new_agent({"termination_retention_count": "3"})
        for i in range(5):
            agent.run(f"c{i}", command=shell(f"exit {i}"))
        eventually(lambda: [agent.try_wait(f"c{i}").status for i in range(5)]
                   == [404, 404, 200, 200, 200], "only the last three are kept")

    def test_removal_frees_at_once(self) -> None:
        agent = self.new_agent()
        agent.run("c", command=shell("exit 1"))
        self.assert_status(200, agent.remove("c"))
        self.assert_status(404, agent.try_wait("c"))

    def test_a_relaunch_forgets_the_old_status(self) -> None:
        agent = self.new_agent()
        agent.run("c", command=shell("exit 1"))
        agent.launch("c", command=shell("sleep 0.3; exit 2"))
        self.assertEqual(2 << 8, agent.wait("c")["exit_status"])


if __name__ == "__main__":
    import run
    run.main([__file__])
