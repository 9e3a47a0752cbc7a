"""mesos-executor against a scripted agent: what it sends about a command, field by field, and what
the command gets."""

from __future__ import annotations

import base64
import json
import os
import pty
import pwd
import subprocess
import time
import unittest

import wire
from harness import bin_dir
from rawhttp import TIMEOUT
from scripted_agent import (
    EXECUTOR, FRAMEWORK, TARGET, Executor, ScriptedAgent, task)

# What the executor of Apache Mesos sent for a task `exit 3`, recorded: one SUBSCRIBE, three UPDATEs.
RECORDED = (
    "CgUKA2JhZBIrCik1M2UwM2RiMC1jOTA1LTQ0NGQtOGE2Yy03MTgxNDM4NjU0MGQtMDAwMRgBIgA=",
    "CgUKA2JhZBIrCik1M2UwM2RiMC1jOTA1LTQ0NGQtOGE2Yy03MTgxNDM4NjU0MGQtMDAwMRgCKi8KLQoFCgNiYWQQADHv"
    "y6GwWsDaQToFCgNiYWRIAloQUtb9l96jRxiMu6P61KPQmw==",
    "CgUKA2JhZBIrCik1M2UwM2RiMC1jOTA1LTQ0NGQtOGE2Yy03MTgxNDM4NjU0MGQtMDAwMRgCKi8KLQoFCgNiYWQQATEI"
    "FaKwWsDaQToFCgNiYWRIAloQGXgLpGomR8GALBAnF4d9Og==",
    "CgUKA2JhZBIrCik1M2UwM2RiMC1jOTA1LTQ0NGQtOGE2Yy03MTgxNDM4NjU0MGQtMDAwMRgCKk0KSwoFCgNiYWQQAyIc"
    "Q29tbWFuZCBleGl0ZWQgd2l0aCBzdGF0dXMgMzEzG6iwWsDaQToFCgNiYWRIAloQO4i0xtBjRFuIXSgr/Zry+A==",
)


class ExecutorTestCase(unittest.TestCase):
    def agent(self, **options: object) -> ScriptedAgent:
        agent = ScriptedAgent(**options)  # type: ignore[arg-type]
        self.addCleanup(agent.__exit__)
        return agent

    def run_task(self, task_info: wire.Message, *flags: str,
                 **environment: str) -> tuple[ScriptedAgent, Executor]:
        """Runs it to its end."""
        agent = self.agent()
        agent.launch(task_info)
        executor = agent.start_executor(*flags, **environment)
        self.assertEqual(executor.wait(), 0)
        return agent, executor


class Statuses(ExecutorTestCase):
    def test_every_field_of_a_task_that_succeeds(self) -> None:
        before = time.time()
        agent, executor = self.run_task(task("echo hello"))
        self.assertEqual([call.type for call in agent.calls],
                         ["SUBSCRIBE", "UPDATE", "UPDATE", "UPDATE"])
        subscribe, *updates = agent.calls
        ids = {"executor_id": {"value": EXECUTOR}, "framework_id": {"value": FRAMEWORK}}
        self.assertEqual(subscribe.message, {**ids, "type": "SUBSCRIBE", "subscribe": {}})
        for call in agent.calls:
            self.assertEqual(call.target, TARGET)
            self.assertEqual(call.headers["accept"], wire.PROTOBUF)
            self.assertEqual(call.headers["host"], f"127.0.0.1:{agent.port}")
            self.assertNotIn("authorization", call.headers)
        self.assertEqual(len({call.connection for call in updates}), 1)
        self.assertNotEqual(subscribe.connection, updates[0].connection)
        uuids = set()
        for call in updates:
            status = call.status
            uuids.add(status.pop("uuid"))
            self.assertTrue(before <= status.pop("timestamp") <= time.time())
            self.assertEqual(call.message, {**ids, "type": "UPDATE", "update": {"status": status}})
        self.assertEqual({len(uuid) for uuid in uuids}, {16})
        self.assertEqual(len(uuids), 3)
        common = {"task_id": {"value": EXECUTOR}, "executor_id": {"value": EXECUTOR},
                  "source": "SOURCE_EXECUTOR"}
        self.assertEqual([call.status for call in updates], [
            {**common, "state": "TASK_STARTING"},
            {**common, "state": "TASK_RUNNING"},
            {**common, "state": "TASK_FINISHED", "message": "Command exited with status 0"}])
        self.assertEqual(executor.stdout, "hello\n")
        self.assertEqual(executor.stderr, "")

    def test_the_bytes_are_those_of_apache_mesos(self) -> None:
        agent, _ = self.run_task(task("exit 3"))
        self.assertEqual(len(agent.calls), len(RECORDED))
        for ours, recorded in zip(agent.calls, RECORDED, strict=True):
            theirs = wire.decode("ExecutorCall", base64.b64decode(recorded))
            theirs["executor_id"] = {"value": EXECUTOR}
            theirs["framework_id"] = {"value": FRAMEWORK}
            if "update" in theirs:
                theirs["update"]["status"] |= {
                    "task_id": {"value": EXECUTOR}, "executor_id": {"value": EXECUTOR},
                    "uuid": ours.status["uuid"], "timestamp": ours.status["timestamp"]}
            # Encoded in the order in which it came.
            self.assertEqual(ours.body, wire.encode("ExecutorCall", theirs))

    def test_how_commands_end(self) -> None:
        for command, state, message in (
                ("exit 3", "TASK_FAILED", "Command exited with status 3"),
                ("no-such-command", "TASK_FAILED", "Command exited with status 127"),
                ("kill -USR1 $$", "TASK_FAILED",
                 "Command terminated with signal User defined signal 1"),
                ("kill -KILL $$", "TASK_FAILED", "Command terminated with signal Killed")):
            with self.subTest(command):
                agent, _ = self.run_task(task(command))
                self.assertEqual(agent.states(), ["TASK_STARTING", "TASK_RUNNING", state])
                self.assertEqual(agent.updates()[-1]["message"], message)

    def test_a_file_that_cannot_be_executed(self) -> None:
        agent, executor = self.run_task(task("/no/such/file", "file"))
        self.assertEqual(agent.states(), ["TASK_STARTING", "TASK_RUNNING", "TASK_FAILED"])
        self.assertEqual(agent.updates()[-1]["message"], "Command exited with status 1")
        self.assertIn("Failed to execute '/no/such/file': No such file or directory",
                      executor.stderr)

    def test_a_second_task_fails(self) -> None:
        agent = self.agent()
        agent.launch(task("sleep 1000"))
        agent.start_executor()
        agent.wait_state("TASK_RUNNING")
        agent.launch({**task("true"), "task_id": {"value": "second"}})
        status = agent.wait_state("TASK_FAILED")
        self.assertEqual(status["task_id"], {"value": "second"})
        self.assertEqual(status["message"],
                         'Attempted to run multiple tasks using a "command" executor')
        agent.kill()
        self.assertEqual(agent.wait_state("TASK_KILLED")["task_id"], {"value": EXECUTOR})

    def test_a_task_group_ends_the_executor(self) -> None:
        agent = self.agent()
        agent.send({"type": "LAUNCH_GROUP", "launch_group": {"task_group": {"tasks": [task("x")]}}})
        self.assertEqual(agent.start_executor().wait(), 0)
        self.assertEqual(agent.updates(), [])

    def test_messages_errors_and_heartbeats_change_nothing(self) -> None:
        agent = self.agent()
        agent.launch(task("read line < fifo; exit $line"))
        os.mkfifo(agent.sandbox / "fifo")
        executor = agent.start_executor()
        agent.send({"type": "MESSAGE", "message": {"data": b"hello"}})
        agent.send({"type": "ERROR", "error": {"message": "something"}})
        agent.send({"type": "HEARTBEAT"})
        agent.send({"type": 99})
        agent.wait_state("TASK_RUNNING")
        (agent.sandbox / "fifo").write_text("7\n")
        executor.wait()
        self.assertEqual(agent.updates()[-1]["message"], "Command exited with status 7")


class WhatTheCommandGets(ExecutorTestCase):
    def environment_of(self, task_info: wire.Message, *flags: str, **variables: str) -> dict[str, str]:
        self.last_agent, executor = self.run_task(task_info, *flags, **variables)
        return dict(line.split("=", 1) for line in executor.stdout.splitlines())

    def test_environment(self) -> None:
        flag = json.dumps({"variables": [
            {"name": "FROM_FLAG", "type": "VALUE", "value": "flag"},
            {"name": "BOTH", "type": "VALUE", "value": "flag"}]})
        env = self.environment_of(
            task("env", "env", environment={"BOTH": "task", "MINE": "a=b", "OWN": "task"}),
            f"--task_environment={flag}", OWN="executor",
            MESOS_EXECUTOR_AUTHENTICATION_TOKEN="secret")
        expected = self.last_agent.environment() | {
            "FROM_FLAG": "flag", "BOTH": "task", "MINE": "a=b", "OWN": "task",
            "MESOS_ALLOCATION_ROLE": "some-role"}
        self.assertEqual(env, expected)  # without the token

    def test_argv_is_passed_as_it_is(self) -> None:
        _, executor = self.run_task(task("sh", "a name", "-c", 'echo "$0" "$1"', "x", "y z"))
        self.assertEqual(executor.stdout, "x y z\n")

    def test_the_path_of_the_new_environment_is_searched(self) -> None:
        agent = self.agent()
        for directory, mode in (("first", 0o600), ("second", 0o700)):
            path = agent.sandbox / directory / "program"
            path.parent.mkdir()
            path.write_text('echo "$0 $1"\n')  # without a header: the shell's
            path.chmod(mode)
        agent.launch(task("program", "program", "argument",
                          environment={"PATH": f"{agent.sandbox}/none:{agent.sandbox}/first:"
                                               f"{agent.sandbox}/second:/bin:/usr/bin"}))
        executor = agent.start_executor()
        executor.wait()
        self.assertEqual(executor.stdout, f"{agent.sandbox}/second/program argument\n")

    def test_user(self) -> None:
        nobody = pwd.getpwnam("nobody")
        _, executor = self.run_task(task("id -u; id -G; cat /proc/self/status | grep ^CapEff",
                                         check={"type": "COMMAND", "delay_seconds": 1000,
                                                "command": {"command": {"value": "true"}}}),
                                    "--user=nobody")
        self.assertEqual(executor.stdout.split(), [str(nobody.pw_uid), str(nobody.pw_gid), "CapEff:",
                                                   "0" * 16])

    def test_descriptors_signals_and_session(self) -> None:
        _, executor = self.run_task(task(
            "ls /proc/self/fd; grep -E 'Sig(Blk|Ign|Cgt)' /proc/self/status; pwd;"
            "ps -o pid=,sid=,pgid= -p $$"))
        lines = executor.stdout.splitlines()
        self.assertEqual(lines[:4], ["0", "1", "2", "3"])  # 3 is the directory that ls reads
        signals = dict(line.split(":\t") for line in lines[4:7])
        # dash blocks nothing and ignores nothing that it has not inherited so.
        self.assertEqual(int(signals["SigBlk"], 16), 0)
        self.assertEqual(int(signals["SigIgn"], 16), 0)
        self.assertEqual(lines[7], str(executor.sandbox))
        pid, session, group = lines[8].split()
        self.assertEqual((pid, pid), (session, group))

    def test_a_task_with_a_terminal_is_its_foreground_group(self) -> None:
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        agent = self.agent()
        agent.launch(task("ps -o pid=,sid=,pgid=,tpgid= -p $$ > ids; read line; echo got $line",
                          container={"type": "MESOS", "tty_info": {}}))
        # What the containerizer does: a session whose terminal is stdin.
        executor = Executor(agent.sandbox, agent.environment(), (), slave, controlling=True)
        agent.executors.append(executor)
        os.close(slave)
        agent.wait_state("TASK_RUNNING")
        os.write(master, b"input\n")
        self.assertEqual(executor.wait(), 0)
        self.assertEqual(agent.states()[-1], "TASK_FINISHED")
        pid, session, group, foreground = (agent.sandbox / "ids").read_text().split()
        self.assertEqual(int(session), executor.pid)
        self.assertEqual((group, foreground), (pid, pid))
        self.assertIn("got input", executor.stdout)


class Starting(unittest.TestCase):
    def start(self, *flags: str, **environment: str) -> subprocess.CompletedProcess[str]:
        with ScriptedAgent() as agent:
            env = agent.environment() | environment
            return subprocess.run([bin_dir() / "mesos-executor", *flags], env=env, text=True,
                                  capture_output=True, timeout=TIMEOUT, check=False)

    def test_what_is_refused_says_why(self) -> None:
        for flags, environment, text in (
                (("--rootfs=/image",), {}, "--rootfs: tasks with a root file system of their own "
                                           "are not supported yet"),
                (("--user=no-such-user",), {},
                 "--user: there is no user 'no-such-user' in /etc/passwd"),
                (("--nonsense",), {}, "Unknown flag --nonsense"),
                ((), {"MESOS_FRAMEWORK_ID": ""}, "The environment variable MESOS_FRAMEWORK_ID is "
                                                 "not set: this program is started by an agent"),
                ((), {"LIBPROCESS_SSL_ENABLED": "1"}, "The agent speaks TLS, which this executor "
                 "does not: run the agent with --http_executor_domain_sockets")):
            with self.subTest(text):
                done = self.start(*flags, **environment)
                self.assertEqual(done.returncode, 1)
                self.assertEqual(done.stderr, f"mesos-executor: {text}\n")

    def test_it_is_small(self) -> None:
        with ScriptedAgent() as agent:
            agent.launch(task("sleep", "sleep", "1000"))
            executor = agent.start_executor()
            agent.wait_state("TASK_RUNNING")
            with open(f"/proc/{executor.pid}/exe", "rb") as program:
                if b"__asan_init" in program.read():
                    return  # with sanitizers nothing is small
            # Nothing that is mapped is shared with others by way of a loader: it is static.
            with open(f"/proc/{executor.pid}/maps", encoding="utf-8") as maps:
                self.assertNotIn(".so", maps.read())
            with open(f"/proc/{executor.pid}/smaps_rollup", encoding="utf-8") as rollup:
                own = sum(int(line.split()[1]) for line in rollup if line.startswith("Anonymous:"))
            self.assertLess(own, 512)  # kB; the rest is the program, which all share


if __name__ == "__main__":
    unittest.main()
