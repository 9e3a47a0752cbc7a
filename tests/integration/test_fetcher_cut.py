"""Fetches that do not come to their end, and in other surroundings."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fetching import CONTENT, USER, uris
from harness import Agent, OwnAgentTestCase, eventually, pid_gone, shell
from leftovers import processes_running
from rawhttp import TIMEOUT
from uri_servers import http_server


class Cut(OwnAgentTestCase):
    """A fetch that does not come to its end."""

    def start(self, agent: Agent, url: str, server: Any,
              user: str | None = None) -> tuple[threading.Thread, list[Any]]:
        replies: list[Any] = []

        def launch() -> None:
            try:
                replies.append(agent.launch("c", command=uris(shell("true", user=user), url),
                                            status=400))
            except (AssertionError, OSError) as error:
                replies.append(error)

        thread = threading.Thread(target=launch)
        thread.start()
        if server is not None:
            self.assertTrue(server.stalled.acquire(timeout=TIMEOUT))
        return thread, replies

    def fetchers(self, agent: Agent) -> list[int]:
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                environment = Path(f"/proc/{pid}/environ").read_bytes()
                name = Path(f"/proc/{pid}/comm").read_text().strip()
            except OSError:
                continue
            if name == "mesos-fetcher" and str(agent.scratch).encode() in environment:
                found.append(int(pid))
        return [pid for pid in found if not pid_gone(pid)]

    def test_killed(self) -> None:
        agent = self.new_agent()
        for user in (None, USER):
            for kill in (None, signal.SIGTERM):
                with self.subTest(user=user, kill=kill), \
                        http_server({"stalled": CONTENT}) as server:
                    thread, replies = self.start(agent, server.url("stalled"), server, user)
                    self.assertEqual(2, len(self.fetchers(agent)))
                    self.assert_status(200, agent.kill("c", signal=kill))
                    thread.join(TIMEOUT)
                    self.assertEqual("Container is being destroyed during fetching",
                                     replies[0].text)
                    self.assertEqual([], self.fetchers(agent))
                    self.assertFalse(agent.sandbox("c").exists())
        agent.assert_nothing_left()

    def test_the_agent_is_killed(self) -> None:
        for user in (None, USER):
            with self.subTest(user=user), http_server({"stalled": CONTENT}) as server:
                agent = self.new_agent()
                thread, _ = self.start(agent, server.url("stalled"), server, user)
                self.assertEqual(2, len(self.fetchers(agent)))
                agent.kill9()
                eventually(lambda a=agent: not self.fetchers(a), "the fetcher ends")
                thread.join(TIMEOUT)
                agent.start()
                # The launch that was cut off is undone; the id is free.
                agent.launch("c", command=shell("exit 3"))
                self.assertEqual(3 << 8, agent.wait("c")["exit_status"])
                self.assertFalse((agent.sandbox("c") / "stalled").exists())
                agent.assert_nothing_left()

    def test_the_agent_is_stopped(self) -> None:
        agent = self.new_agent()
        with http_server({"stalled": CONTENT}) as server:
            thread, _ = self.start(agent, server.url("stalled"), server)
            agent.stop()
            eventually(lambda: not self.fetchers(agent), "the fetcher ends")
            thread.join(TIMEOUT)
        agent.start()
        eventually(lambda: not agent.containers(), "the launch is undone")

    def test_the_fetcher_is_killed(self) -> None:
        agent = self.new_agent()
        for user in (None, USER):
            for victim in (min, max):  # the one that waits, and the one that works
                with self.subTest(user=user, victim=victim), \
                        http_server({"stalled": CONTENT}) as server:
                    thread, replies = self.start(agent, server.url("stalled"), server, user)
                    os.kill(victim(self.fetchers(agent)), signal.SIGKILL)
                    thread.join(TIMEOUT)
                    self.assertIn("Failed to fetch all URIs for container 'c'", replies[0].text)
                    eventually(lambda: not self.fetchers(agent), "the fetcher ends")

    def test_what_it_starts_goes_with_it(self) -> None:
        cases: tuple[Callable[[Agent], Any], ...] = (lambda a: a.kill("c"), Agent.kill9)
        for number, end in enumerate(cases):
            with self.subTest(number=number):
                sleep = f"sleep 1000.{os.getpid()}{number}"
                home = Path(tempfile.mkdtemp(prefix="mesos-agent-test-hadoop-"))
                self.addCleanup(shutil.rmtree, home)
                home.chmod(0o755)
                (home / "bin").mkdir()
                client = home / "bin" / "hadoop"
                client.write_text(f"#!/bin/sh\nsetsid {sleep} & {sleep}\n")
                client.chmod(0o755)
                agent = self.new_agent({"hadoop_home": str(home)})
                thread, _ = self.start(agent, "hdfs://cluster/data", None)
                eventually(lambda s=sleep: len(processes_running(s)) == 2, "hadoop runs")
                end(agent)
                eventually(lambda s=sleep: not processes_running(s), "nothing is left of it")
                thread.join(TIMEOUT)
                if agent.process is None:
                    agent.start()

    def test_without_the_program(self) -> None:
        directory = Path(tempfile.mkdtemp(prefix="mesos-agent-test-bin-"))
        self.addCleanup(shutil.rmtree, directory)
        agent = self.new_agent(start=False)
        programs = Path(str(agent.flags["launcher_dir"]))
        for name in ("mesos-containerizer", "mesos-io-switchboard"):
            (directory / name).symlink_to(programs / name)
        agent.flags["launcher_dir"] = str(directory)
        agent.start()
        reply = agent.launch("c", command=uris(shell("true"), "/etc/hostname"), status=400)
        self.assertIn("mesos-fetcher': No such file or directory", reply.text)
        self.assertEqual({"exit_status": 0}, agent.run("d", command=shell("true")))

    def test_posix_launcher(self) -> None:
        agent = self.new_agent({"launcher": "posix", "isolation": "posix/cpu,posix/mem",
                                "cgroups_root": None})
        agent.launch("c", command=uris(shell("cp passwd copy"), "/etc/passwd"))
        self.assertEqual({"exit_status": 0}, agent.wait("c"))


if __name__ == "__main__":
    import run
    run.main([__file__])
