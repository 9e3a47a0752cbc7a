"""No status update is lost, doubled or out of order, however often the agent is killed.

A task of a framework that checkpoints reaches exactly one terminal state, whatever the moment at which
the agent dies: after any message to the master, before its acknowledgement or after, at any system
call that changes a file, or at any time at all under a stream of tasks.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import threading
import time
from pathlib import Path

from harness import eventually, pid_gone
from master_case import MasterTestCase
from rawhttp import TIMEOUT, TIMEOUT_FACTOR
from scripted_master import Received
from scripted_scheduler import Framework
from scripted_tasks import Task
from uri_servers import http_server

FULL = os.environ.get("MESOS_TEST_FULL") == "1"

# Calls by which checkpoints are made.
CHANGES = ("write,pwrite64,writev,pwritev,fsync,fdatasync,rename,renameat,renameat2,mkdir,mkdirat,"
           "symlink,symlinkat,unlink,unlinkat,rmdir,ftruncate,openat")
AFTER_ALL = 60 * TIMEOUT_FACTOR  # until every task has come to its end


class Ends(MasterTestCase):
    def join_checkpointing(self) -> Framework:
        self.join({"executor_reregistration_timeout": "1secs"})
        return self.master.subscribe(checkpoint=True)

    def kill_agent(self) -> None:
        """From any thread: the process ends at once; await_again() starts the next."""
        process = self.agent.process
        if process is not None:
            process.send_signal(signal.SIGKILL)

    def start_again(self) -> None:
        self.agent.kill9()
        self.agent.start(wait=False)

    def assert_ended(self, *tasks: Task) -> None:
        """Each has one end, known and acknowledged, and no rule was broken on the way."""
        self.agent.wait_until_ready(AFTER_ALL)
        for task in tasks:
            self.master.wait_for(lambda task=task: task.done, f"{task.task_id} ends", AFTER_ALL)
            self.assertEqual(1, sum(update.terminal for update in task.updates), task.states)
            self.assertEqual(sorted(task.states, key=_progress), task.states)
        self.assertEqual([], self.master.ledger.problems)
        self.assertEqual([], self.master.ledger.unfinished())


def _progress(state: str) -> int:
    return ("TASK_STARTING", "TASK_RUNNING", "TASK_KILLING").index(state) if state in (
        "TASK_STARTING", "TASK_RUNNING", "TASK_KILLING") else 3


class AtEachMessage(Ends):
    """The agent dies when the master has got its n-th update, before or after the acknowledgement
    of it was sent."""

    def die_at(self, number: int, acknowledged: bool) -> None:
        framework = self.join_checkpointing()
        count = itertools.count(1)
        died = threading.Event()

        def watch(received: Received) -> None:
            if received.name == "StatusUpdateMessage" and next(count) == number:
                self.kill_agent()
                died.set()

        if acknowledged:
            self.master.after = watch
        else:
            self.master.before = watch
        task = self.master.run_task(framework, self.master.task(framework, "exit 3"))
        self.assertTrue(died.wait(TIMEOUT))
        self.start_again()
        self.assert_ended(task)
        self.assertIn(task.states[-1], ("TASK_FAILED", "TASK_GONE"))
        if number == 3:
            self.assert_states(task, "STARTING", "RUNNING", "FAILED")

    def test_first_before(self) -> None:
        self.die_at(1, False)

    def test_first_after(self) -> None:
        self.die_at(1, True)

    def test_second_before(self) -> None:
        self.die_at(2, False)

    def test_second_after(self) -> None:
        self.die_at(2, True)

    def test_last_before(self) -> None:
        self.die_at(3, False)

    def test_last_after(self) -> None:
        """The acknowledgement of the end got lost, or did not: the end comes again, or does not."""
        self.die_at(3, True)


class BeforeTheRelease(Ends):
    """The agent dies when the executor's process is there and its pid is on disk, but nothing of the
    executor has run: its files are still being fetched."""

    def test_it_dies(self) -> None:
        framework = self.join_checkpointing()
        with http_server({"stalled": b"part"}) as server:
            task = self.master.run_task(framework, self.master.task(framework, {
                "shell": True, "value": "exit 3",
                "uris": [{"value": server.url("stalled"), "extract": False}]}))
            self.assertTrue(server.stalled.acquire(timeout=TIMEOUT))
            (forked,) = {path.resolve() for path in self.agent.work_dir.glob(
                "meta/slaves/*/frameworks/*/executors/*/runs/*/pids/forked.pid")}
            pid = int(forked.read_text())
            self.assertFalse(pid_gone(pid))
            self.start_again()
            eventually(lambda: pid_gone(pid), "it is gone")
        self.assert_ended(task)
        self.assertEqual((["TASK_FAILED"], "REASON_EXECUTOR_TERMINATED"),
                         (task.states, task.last and task.last.reason))


class AtEachCall(Ends):
    """The agent dies at the n-th call of one thread that changes a file or a directory."""

    def trace(self, number: int) -> subprocess.Popen[bytes]:
        threads = [task.name for task in Path(f"/proc/{self.agent.pid}/task").iterdir()]
        tracer = subprocess.Popen(
            ["strace", "-q", "-o", "/dev/null", "-e", f"trace={CHANGES}",
             "-e", f"inject={CHANGES}:signal=KILL:when={number}",
             *(argument for thread in threads for argument in ("-p", thread))],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(tracer.wait, TIMEOUT)
        self.addCleanup(tracer.kill)

        def attached() -> bool:
            try:
                return all(f"TracerPid:\t{tracer.pid}" in Path(
                    f"/proc/{self.agent.pid}/task/{thread}/status").read_text()
                    for thread in threads)
            except OSError:
                return True  # it has made so many calls already, or a thread has ended

        eventually(attached, "the tracer is attached")
        return tracer

    def die_at(self, number: int) -> bool:
        """Whether the agent died before the task had ended."""
        framework = self.join_checkpointing()
        tracer = self.trace(number)
        task = self.master.run_task(framework, self.master.task(framework, "exit 3"))
        agent = self.agent.process
        assert agent is not None
        eventually(lambda: agent.poll() is not None or task.done, "it dies or is done")
        died = agent.poll() is not None
        tracer.kill()  # told to detach, it waits for ever if a thread is just about to die
        tracer.wait(TIMEOUT)
        self.start_again()
        self.assert_ended(task)
        return died

    def test_some(self) -> None:
        """In full: at each, until there is none left before the end."""
        numbers = range(1, 400) if FULL else random.sample(range(1, 25), 4)
        deaths = 0
        for number in numbers:
            with self.subTest(number=number):
                died = self.die_at(number)
                self.doCleanups()
                deaths += died
                if FULL and not died:
                    break
        print(f"killed at {deaths} calls", flush=True)
        self.assertGreater(deaths, 0)


class AtAnyTime(Ends):
    """kill -9 every 200 ms under a stream of tasks of all kinds."""

    COMMANDS = ("true", "exit 3", "sleep 0.1", "sleep 0.3; exit 5", "kill -9 $$", "sleep 1000")

    def stream(self, framework: Framework, stop: threading.Event, launched: list[Task]) -> None:
        chance = random.Random(1)
        while not stop.is_set():
            with self.master.lock:
                agent = self.master.agent
                alive = sum(not task.done for task in launched)
                if agent is not None and agent.connected and alive < 8:
                    command = chance.choice(self.COMMANDS)
                    launched.append(self.master.run_task(
                        framework, self.master.task(framework, command)))
                    if command == "sleep 1000":
                        self.endless.append(launched[-1])
                for task in self.endless:
                    if not task.terminal and chance.random() < 0.05 and task.states:
                        self.master.kill_task(task)
            stop.wait(0.05)

    def test_under_a_stream_of_tasks(self) -> None:
        framework = self.join_checkpointing()
        self.endless: list[Task] = []
        launched: list[Task] = []
        stop = threading.Event()
        scheduler = threading.Thread(target=self.stream, args=(framework, stop, launched))
        scheduler.start()
        crashes = 0
        try:
            end = time.monotonic() + (120 if FULL else 8)
            # On a slow machine a life takes as long as all of it does elsewhere.
            while time.monotonic() < end or crashes <= 5:
                time.sleep(0.2 * TIMEOUT_FACTOR)
                self.agent.check_alive()
                self.start_again()
                crashes += 1
                # Recovery takes longer than that: now and then it may end.
                if random.random() < 0.1:
                    time.sleep(random.random() * 3 * TIMEOUT_FACTOR)
        finally:
            stop.set()
            scheduler.join(TIMEOUT)
        # The last life: everything comes to its end.
        deadline = time.monotonic() + AFTER_ALL
        while not all(task.done for task in launched) and time.monotonic() < deadline:
            self.agent.check_alive()
            for task in self.endless:
                with self.master.lock:
                    agent = self.master.agent
                    if agent is not None and agent.connected and task.states and not task.terminal:
                        self.master.kill_task(task)
            time.sleep(0.5)
        self.assert_ended(*launched)
        repeats = sum(update.arrivals - 1 for task in launched for update in task.updates)
        print(f"{crashes} crashes, {len(launched)} tasks, {repeats} updates that came again",
              flush=True)
        self.assertGreater(len(launched), 5)


if __name__ == "__main__":
    import run
    run.main([__file__])
