"""Agents that crash, stop and start again: containers, their statuses and their streams survive."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable

import attach
from attach import attach_output, session, tty, write_input
from harness import (JSON, Agent, OwnAgentTestCase, argv, eventually, pid_gone, resources, shell,
                     unique)
from rawhttp import TIMEOUT_FACTOR
from sessions import ATTACHABLE
from wire import Message, to_json

ROUNDS = 8


def kinds_of_restart(agent: Agent) -> dict[str, Callable[[], None]]:
    def stop_and_start() -> None:
        agent.stop()
        agent.start()

    return {"kill -9": agent.restart, "SIGTERM": stop_and_start}


class Restart(OwnAgentTestCase):
    def test_running_containers_stay(self) -> None:
        for how in ("kill -9", "SIGTERM"):
            with self.subTest(how=how):
                agent = self.new_agent()
                paths = [("root",), ("root", "a"), ("root", "a", "b"), ("other",)]
                for path in paths:
                    agent.launch(*path, command=argv("sleep", "100000"))
                for path in paths:
                    agent.await_process(*path, containing="sleep 100000")
                pids = {path: agent.pids(*path) for path in paths}
                kinds_of_restart(agent)[how]()
                self.assertEqual(set(paths), agent.containers())
                self.assertEqual(pids, {path: agent.pids(*path) for path in paths})
                for path in paths:
                    agent.launch(*path, command=shell("exit 1"), status=202)
                entries = agent.container_entries()
                for entry in entries:
                    self.assertIn(entry["container_status"]["executor_pid"],
                                  set().union(*pids.values()))
                    self.assertIn("resource_statistics", entry)
                agent.launch("root", "a", "c", command=shell("exit 3"))
                self.assertEqual(3 << 8, agent.wait("root", "a", "c")["exit_status"])
                self.assert_status(200, agent.kill("root", "a", "b", signal=15))
                self.assertEqual(15, agent.wait("root", "a", "b")["exit_status"])
                self.assert_status(200, agent.kill("root"))
                self.assertEqual(9, agent.wait("root")["exit_status"])
                self.assertEqual({("other",)}, agent.containers())
                agent.kill("other")
                agent.wait("other")
                agent.assert_nothing_left()

    def test_several_restarts_in_a_row(self) -> None:
        agent = self.new_agent()
        agent.launch("root", command=shell("sleep 100000"))
        for i in range(5):
            agent.launch("root", f"c{i}", command=shell(f"sleep {0.2 * i}; exit {i + 1}"))
            agent.restart()
        for i in range(5):
            self.assertEqual(i + 1 << 8, agent.wait("root", f"c{i}")["exit_status"])

    def test_status_of_what_ended_meanwhile(self) -> None:
        agent = self.new_agent()
        agent.launch("root", command=shell("sleep 100000"))
        endings: list[tuple[tuple[str, ...], str, int]] = [
            (("alone",), "exit 5", 5 << 8), (("killed",), "kill -KILL $$", 9),
            (("root", "child"), "exit 6", 6 << 8), (("root", "term"), "kill -TERM $$", 15),
            (("root", "fine"), "true", 0)]
        for path, ending, _ in endings:
            agent.launch(*path, command=shell(f"sleep 0.7; {ending}"))
        pids = set().union(*(agent.pids(*path) for path, _, _ in endings))
        agent.kill9()
        eventually(lambda: all(pid_gone(pid) for pid in pids), "the containers have ended")
        agent.start()
        for path, _, status in endings:
            with self.subTest(path=path):
                self.assertEqual({"exit_status": status}, agent.wait(*path))
        self.assertEqual({("root",)}, agent.containers())

    def test_status_of_what_ended_before(self) -> None:
        agent = self.new_agent()
        agent.launch("root", command=shell("sleep 100000"))
        for path, code in ((("root", "c"), 7), (("alone",), 8)):
            agent.run(*path, command=shell(f"exit {code}"))
        for how in kinds_of_restart(agent).values():
            how()
            self.assertEqual(7 << 8, agent.wait("root", "c")["exit_status"])
            self.assertEqual(8 << 8, agent.wait("alone")["exit_status"])
        self.assert_status(200, agent.remove("root", "c"))
        self.assert_status(200, agent.remove("alone"))
        agent.restart()
        self.assert_status(404, agent.try_wait("root", "c"))
        self.assert_status(404, agent.try_wait("alone"))

    def test_root_that_ended_meanwhile_takes_its_tree_along(self) -> None:
        agent = self.new_agent()
        agent.launch("root", command=shell("while ! test -e go; do sleep 0.02; done; exit 4"))
        agent.launch("root", "child", command=shell("sleep 100000"))
        child = agent.pids("root", "child")
        root = next(e["container_status"]["executor_pid"] for e in agent.container_entries()
                    if e["container_id"]["value"] == "root")
        agent.kill9()
        (agent.sandbox("root") / "go").touch()
        eventually(lambda: pid_gone(root), "the root has ended")
        agent.start()
        self.assertEqual(4 << 8, agent.wait("root")["exit_status"])
        eventually(lambda: not agent.containers(), "the tree is gone")
        self.assertTrue(all(pid_gone(pid) for pid in child))
        agent.assert_nothing_left()

    def test_init_killed_meanwhile(self) -> None:
        """Killed from outside with no status written: reported as killed."""
        agent = self.new_agent()
        agent.launch("root", command=shell("sleep 100000"))
        agent.launch("root", "c", command=shell("sleep 100000"))
        pid = next(e["container_status"]["executor_pid"] for e in agent.container_entries()
                   if e["container_id"]["value"] == "c")
        agent.kill9()
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: pid_gone(pid), "the init is dead")
        agent.start()
        self.assertEqual(9, agent.wait("root", "c")["exit_status"])

    def test_out_of_memory_after_a_restart(self) -> None:
        """Limits are watched again."""
        agent = self.new_agent()
        agent.launch("hog", resources=resources(cpus=1, mem=32), command=shell(
            "while ! test -e go; do sleep 0.05; done; exec tail /dev/zero"))
        agent.restart()
        (agent.sandbox("hog") / "go").touch()
        termination = agent.wait("hog")
        self.assertEqual("REASON_CONTAINER_LIMITATION_MEMORY", termination.get("reason"),
                         termination)

    def test_waiters_are_cut_and_may_come_again(self) -> None:
        agent = self.new_agent()
        agent.launch("c", command=shell("while ! test -e go; do sleep 0.02; done; exit 2"))
        connection = agent.connect()
        connection.send_request("POST", "/api/v1", {"Content-Type": JSON},
                                to_json(agent.wait_call("c")))
        agent.restart()
        self.assertTrue(connection.ended())
        connection.close()
        (agent.sandbox("c") / "go").touch()
        self.assertEqual(2 << 8, agent.wait("c")["exit_status"])

    def test_recover_cleanup(self) -> None:
        """--recover=cleanup ends all containers of an earlier run, and then the agent."""
        agent = self.new_agent()
        for path in (("root",), ("root", "child"), ("other",)):
            agent.launch(*path, command=shell("trap '' TERM; sleep 100000"))
        pids = agent.pids("root") | agent.pids("other")
        agent.kill9()
        agent.flags["recover"] = "cleanup"
        agent.start(wait=False)
        self.assertEqual(0, agent.join())
        self.assertTrue(all(map(pid_gone, pids)))
        agent.flags["recover"] = "reconnect"
        agent.start()
        self.assertEqual(set(), agent.containers())
        agent.assert_nothing_left()

    def test_stop_amid_calls(self) -> None:
        """SIGTERM with calls and streams pending: a clean end, and the containers stay."""
        agent = self.new_agent()
        agent.launch("root", command=shell("sleep 100000"))
        agent.launch("root", "cat", command=argv("cat", **ATTACHABLE))
        for what in ("wait", "output", "input", "all"):
            with self.subTest(pending=what), contextlib.ExitStack() as pending:
                if what in ("wait", "all"):
                    waiter = pending.enter_context(agent.connect())
                    waiter.send_request("POST", "/api/v1", {"Content-Type": JSON},
                                        to_json(agent.wait_call("root")))
                if what in ("output", "all"):
                    pending.enter_context(attach_output(agent, "root", "cat"))
                if what in ("input", "all"):
                    pending.enter_context(attach.Input(agent, "root", "cat")).stdin(b"x")
                time.sleep(0.1)
                try:
                    agent.stop()
                finally:
                    agent.start()
                self.assertEqual({("root",), ("root", "cat")}, agent.containers())

    def test_many_containers(self) -> None:
        agent = self.new_agent()
        agent.launch("root", command=shell("sleep 100000"), resources=resources(cpus=1, mem=512))
        for i in range(100):
            agent.launch("root", f"c{i}", command=argv("sleep", "100000"))
        agent.kill9()
        agent.start()
        self.assertEqual(101, len(agent.containers()))

    def test_503_or_200_while_it_recovers(self) -> None:
        """No call is answered before recovery is over, except with 503."""
        agent = self.new_agent()
        agent.launch("root", command=shell("sleep 100000"))
        for i in range(30):
            agent.launch("root", f"c{i}", command=argv("sleep", "100000"))
        agent.kill9()
        agent.start(wait=False)
        call = {"type": "GET_CONTAINERS", "get_containers": {"show_nested": True}}

        def answered() -> Message | None:
            agent.check_alive()
            try:
                reply = agent.call(call)
            except ConnectionError:
                return None
            if reply.status == 503:
                self.assertEqual("Agent has not finished recovery", reply.text)
                return None
            self.assertEqual(200, reply.status)
            return reply.message

        message = eventually(answered, "an answer")
        self.assertEqual(30, len(message["get_containers"]["containers"]))


class Streams(OwnAgentTestCase):
    def test_sessions_end(self) -> None:
        """As with Mesos, a session's container goes when the agent has restarted."""
        agent = self.new_agent()
        agent.launch("root", command=shell("sleep 100000"))
        output = session(agent, "root", "c", command=shell("echo ready; sleep 100000"))
        terminal = session(agent, "root", "t", command=shell("echo ready; sleep 100000"),
                           container=tty())
        output.read_until(b"ready\n")
        terminal.read_until(b"ready")
        pids = agent.pids("root", "c") | agent.pids("root", "t")
        agent.restart()
        eventually(lambda: agent.containers() == {("root",)}, "the sessions are gone")
        self.assertTrue(all(pid_gone(pid) for pid in pids))
        for stream in (output, terminal):
            stream.close()
        agent.kill("root")
        agent.wait("root")
        agent.assert_nothing_left()

    def test_attached_containers_go_on(self) -> None:
        agent = self.new_agent()
        agent.launch("root", command=shell("sleep 100000"))
        for path, container in ((("plain",), None), (("root", "tty"), tty(20, 60))):
            agent.launch(*path, container=container, command=shell(
                "while read line; do echo got $line; done; exit 3", **ATTACHABLE))
            before = attach_output(agent, *path)
            write_input(agent, *path, data=b"one\n", eof=False)
            before.read_until(b"got one")
            agent.restart()
            with attach_output(agent, *path) as after:
                self.assertEqual(200, write_input(agent, *path, data=b"two\n",
                                                  eof=False).status)
                after.read_until(b"got two")
                last = b"\x04" if container else b""
                self.assertEqual(200, write_input(agent, *path, data=last).status)
                after.read_to_end()
            before.close()
            self.assertEqual(3 << 8, agent.wait(*path)["exit_status"])
            text = agent.output(*path).replace("\r\n", "\n")
            self.assertIn("got one\n", text)
            self.assertIn("got two\n", text)

    def test_output_while_the_agent_is_down(self) -> None:
        """No byte of output is lost, and the container does not wait for the agent."""
        agent = self.new_agent()
        agent.launch("c", command=shell("seq 1 300000; echo end; exit 2", **ATTACHABLE))
        agent.kill9()
        eventually(lambda: agent.output("c").endswith("300000\nend\n"), "it has run to its end")
        agent.start()
        self.assertEqual(2 << 8, agent.wait("c")["exit_status"])
        expected = "".join(f"{i}\n" for i in range(1, 300001)) + "end\n"
        self.assertEqual(expected, agent.output("c"))

    def test_writer_cut_by_the_crash(self) -> None:
        agent = self.new_agent()
        agent.launch("c", command=argv("cat", **ATTACHABLE))
        with attach.Input(agent, "c") as stream:
            stream.stdin(b"one\n")
            eventually(lambda: agent.output("c") == "one\n", "it was written")
            agent.restart()
        eventually(lambda: write_input(agent, "c", data=b"two\n").status == 200,
                   "the next writer is accepted")
        self.assertEqual(0, agent.wait("c")["exit_status"])
        self.assertEqual("one\ntwo\n", agent.output("c"))


class Bursts(OwnAgentTestCase):
    """kill -9 at any moment of many launches: nothing is lost, nothing leaks."""

    def burst(self, agent: Agent, sessions: bool, delay: float) -> dict[tuple[str, ...], str]:
        """Launch from four threads until the agent dies; what was answered, by path."""
        answers: dict[tuple[str, ...], str] = {}

        def launches(number: int) -> None:
            while True:
                top = number % 2 == 0
                path = (unique("burst"),) if top else ("root", unique("burst"))
                answers[path] = "none"
                try:
                    if sessions and not top:
                        with session(agent, *path, command=shell("sleep 100000")):
                            answers[path] = "session"
                    else:
                        long = random.random() < 0.5
                        agent.launch(*path, command=argv(*(("sleep", "100000") if long
                                                           else ("true",))))
                        answers[path] = "running" if long else "short"
                except (OSError, AssertionError):
                    return

        threads = [threading.Thread(target=launches, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(delay)
        agent.kill9()
        for thread in threads:
            thread.join()
        return answers

    def check(self, agent: Agent, answers: dict[tuple[str, ...], str]) -> None:
        known = agent.containers()
        for path, answer in answers.items():
            reply = None if path in known else agent.try_wait(*path)
            if answer == "running":
                self.assertIn(path, known, "answered with 200, and forgotten")
            elif answer == "short":
                if reply is not None:
                    self.assertEqual(200, reply.status, f"{path}: {reply}")
            elif answer == "session" and reply is not None:
                self.assertIn(reply.status, (200, 404))
        for path in known:
            if path != ("root",):
                self.assertIn(agent.kill(*path).status, (200, 404))  # 404: it has ended by now
        eventually(lambda: agent.containers() == {("root",)}, "all others are gone")

    def rounds(self, sessions: bool) -> None:
        agent = self.new_agent({"termination_retention_count": "100000"})
        agent.launch("root", command=shell("sleep 100000"), resources=resources(cpus=1, mem=512))
        for i in range(ROUNDS):
            with self.subTest(round=i):
                answers = self.burst(agent, sessions, 0.02 + 0.05 * i * TIMEOUT_FACTOR)
                agent.start()
                self.check(agent, answers)
        agent.kill("root")
        agent.wait("root")
        agent.assert_nothing_left()

    def test_launches(self) -> None:
        self.rounds(sessions=False)

    def test_sessions(self) -> None:
        self.rounds(sessions=True)

    def test_destroys(self) -> None:
        """kill -9 while trees are being destroyed: the destruction is finished after the start."""
        agent = self.new_agent()
        for i in range(ROUNDS):
            roots = [unique("doomed") for _ in range(5)]
            for root in roots:
                agent.launch(root, command=shell("sleep 100000"))
                for _ in range(4):
                    agent.launch(root, unique(), command=shell("sleep 100000"))
            for root in roots:
                agent.kill(root)
            time.sleep(0.002 * i)
            agent.restart()
            for root in roots:
                self.assertEqual(9, agent.wait(root)["exit_status"])
            eventually(lambda: not agent.containers(), "all trees are gone")
        agent.assert_nothing_left()


class Neighbours(OwnAgentTestCase):
    def test_two_agents_with_one_cgroup_root(self) -> None:
        """A starting agent does not touch another's containers (MESOS-9960)."""
        first = self.new_agent()
        first.launch("mine", command=shell("sleep 100000"))
        pids = first.pids("mine")
        second = self.new_agent(cgroups_root=first.cgroups_root)
        second.launch("theirs", command=shell("sleep 100000"))
        second.restart()
        self.assertFalse(any(map(pid_gone, pids)))
        self.assertEqual({("mine",)}, first.containers())
        self.assertEqual({("theirs",)}, second.containers())
        first.restart()
        self.assertEqual({("mine",)}, first.containers())
        self.assertEqual({("theirs",)}, second.containers())
        for agent, name in ((first, "mine"), (second, "theirs")):
            agent.kill(name)
            self.assertEqual(9, agent.wait(name)["exit_status"])

    def test_orphans_of_its_own_are_cleaned(self) -> None:
        """Cgroups with processes whose checkpoints are gone end with the next start."""
        agent = self.new_agent()
        agent.launch("lost", command=shell("sleep 100000"))
        agent.launch("kept", command=shell("sleep 100000"))
        pids = agent.pids("lost")
        agent.kill9()
        subprocess.run(["rm", "-rf", str(agent.runtime_dir / "containers" / "lost")], check=True)
        agent.start()
        eventually(lambda: agent.containers() == {("kept",)}, "only the known one is left")
        self.assertTrue(all(map(pid_gone, pids)), "the orphan is killed")
        agent.kill("kept")
        agent.wait("kept")
        agent.assert_nothing_left()


if __name__ == "__main__":
    import run
    run.main([__file__])
