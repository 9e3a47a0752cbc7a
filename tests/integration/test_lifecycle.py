"""Containers from launch to removal: what runs, as whom, where, within which limits, its end."""

from __future__ import annotations

import itertools
import os
import pwd
import re
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cgroups
from harness import (ENCODINGS, JSON, PROTOBUF, AgentTestCase, OwnAgentTestCase, argv,
                     container_id, eventually, pid_gone, resources, shell, unique)
from rawhttp import TIMEOUT, TIMEOUT_FACTOR
from wire import Message, to_json

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MB = 1 << 20

# (command, raw wait status)
ENDINGS: list[tuple[Message, int]] = [
    (shell("exit 0"), 0),
    (shell("exit 1"), 1 << 8),
    (shell("exit 255"), 255 << 8),
    (argv("true"), 0),
    (argv("false"), 1 << 8),
    (shell("kill -TERM $$"), 15),
    (shell("kill -KILL $$"), 9),
    (shell("kill -HUP $$"), 1),
    (shell("ulimit -c 0; kill -SEGV $$"), 11),
    (argv("/no/such"), 1 << 8),
    (argv("/etc/passwd"), 1 << 8),
    (argv("no-such-program"), 1 << 8),
]


def processes_running(command: str) -> list[int]:
    """Pids on the whole host whose command line is or ends with that, its words as arguments."""
    ending = command.replace(" ", "\0").encode() + b"\0"
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if Path(f"/proc/{pid}/cmdline").read_bytes().endswith(ending):
                found.append(int(pid))
        except OSError:
            continue
    return found


def linux_info(**fields: bool) -> Message:
    return {"type": "MESOS", "linux_info": fields}


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
                "setsid sleep 98765 & setsid sleep 98765 & sleep 0.5; exit 4"))
            pid = self.agent.await_process(root, name, containing="sleep 98765")
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


class Surroundings(AgentTestCase):
    """Environment, user, directory, files and arguments that a container starts with."""

    agent_environment = {"AGENT_ONLY": "leaked"}

    def run_nested(self, root: str, command: Message, **kwargs: object) -> tuple[str, str]:
        """stdout of a nested container that must end well, and its name."""
        name = unique()
        termination = self.agent.run(root, name, command=command, **kwargs)
        errors = self.agent.output(root, name, file="stderr")
        self.assertEqual({"exit_status": 0}, termination, errors)
        return self.agent.output(root, name), name

    def variables(self, text: str) -> dict[str, str]:
        return dict(line.split("=", 1) for line in text.splitlines())

    def test_environment_is_built_from_nothing(self) -> None:
        with self.root(shell("sleep 1000", PARENTS="yes")) as root:
            output, name = self.run_nested(root, argv("env"))
            self.assertEqual(
                {"MESOS_SANDBOX": str(self.agent.sandbox(root, name)), "PATH": DEFAULT_PATH},
                self.variables(output))

    def test_environment_of_a_standalone_container(self) -> None:
        name = unique()
        self.agent.run(name, command=argv("env", A="1"))
        self.assertEqual({"MESOS_SANDBOX": str(self.agent.sandbox(name)), "PATH": DEFAULT_PATH,
                          "A": "1"}, self.variables(self.agent.output(name)))

    def test_command_environment_wins(self) -> None:
        with self.root() as root:
            output, _ = self.run_nested(
                root, argv("/usr/bin/env", PATH="/bin", MESOS_SANDBOX="/x", EMPTY="",
                           SPACES=" a  b ", UTF8="é"))
            self.assertEqual({"MESOS_SANDBOX": "/x", "PATH": "/bin", "EMPTY": "",
                              "SPACES": " a  b ", "UTF8": "é"}, self.variables(output))

    def test_last_of_duplicate_variables_wins(self) -> None:
        command = argv("printenv", "A")
        command["environment"] = {"variables": [
            {"name": "A", "value": "first"}, {"name": "A", "value": "second"}]}
        with self.root() as root:
            self.assertEqual("second\n", self.run_nested(root, command)[0])

    def test_large_environment(self) -> None:
        value = "x" * 100_000
        with self.root() as root:
            output, _ = self.run_nested(root, shell('echo ${#BIG}', BIG=value))
            self.assertEqual("100000\n", output)

    def test_working_directory(self) -> None:
        with self.root() as root:
            output, name = self.run_nested(root, argv("pwd"))
            self.assertEqual(f"{self.agent.sandbox(root, name)}\n", output)
            self.assertEqual(self.agent.work_dir / "containers" / root / "containers" / name,
                             self.agent.sandbox(root, name))

    def test_arguments(self) -> None:
        """With `arguments`, they are all of argv, the zeroth included; nothing is split."""
        with self.root() as root:
            command = {"shell": False, "value": "cat",
                       "arguments": ["zero", "/proc/self/cmdline", "-", ""]}
            name = unique()
            self.agent.run(root, name, command=command)
            self.assertEqual("zero\0/proc/self/cmdline\0-\0\0", self.agent.output(root, name))
            output, _ = self.run_nested(root, argv("printf", "%s|", "a b", "$HOME", "*"))
            self.assertEqual("a b|$HOME|*|", output)

    def test_shell(self) -> None:
        with self.root() as root:
            output, _ = self.run_nested(root, shell('echo "$0" $# | cat; echo a  b'))
            self.assertEqual("sh 0\na b\n", output)

    def test_shell_is_the_default(self) -> None:
        with self.root() as root:
            output, _ = self.run_nested(root, {"value": "echo a; echo b"})
            self.assertEqual("a\nb\n", output)

    def test_relative_program(self) -> None:
        """Looked up in the working directory too; the sandbox is the same in a relaunch."""
        with self.root() as root:
            name = unique()
            self.assertEqual(0, self.agent.run(root, name, command=shell(
                "echo '#!/bin/sh' > prog; echo 'echo ran $1' >> prog; chmod +x prog"))
                ["exit_status"])
            for value in ("./prog", "prog"):
                with self.subTest(value=value):
                    command = {"shell": False, "value": value, "arguments": ["prog", "it"]}
                    self.assertEqual({"exit_status": 0},
                                     self.agent.run(root, name, command=command))
                    self.assertEqual("ran it\n", self.agent.output(root, name))

    def test_user(self) -> None:
        nobody = pwd.getpwnam("nobody")
        with self.root() as root:
            output, name = self.run_nested(root, shell("id -u; id -g; id -G; touch mine",
                                                       user="nobody"))
            groups = os.getgrouplist("nobody", nobody.pw_gid)
            self.assertEqual([str(nobody.pw_uid), str(nobody.pw_gid)], output.split("\n")[:2])
            self.assertEqual(set(map(str, groups)), set(output.split("\n")[2].split()))
            sandbox = self.agent.sandbox(root, name)
            for path in (sandbox, sandbox / "stdout", sandbox / "stderr", sandbox / "mine"):
                self.assertEqual(nobody.pw_uid, path.stat().st_uid, path)

    def test_user_is_inherited(self) -> None:
        with self.root(shell("sleep 1000", user="nobody")) as root:
            self.assertEqual("nobody\n", self.run_nested(root, argv("id", "-un"))[0])
            middle = unique()
            self.agent.launch(root, middle, command=shell("sleep 1000"))
            name = unique()
            self.agent.run(root, middle, name, command=argv("id", "-un"))
            self.assertEqual("nobody\n", self.agent.output(root, middle, name))
            self.assertEqual("root\n", self.run_nested(root, argv("id", "-un", user="root"))[0])

    def test_unknown_user(self) -> None:
        with self.root() as root:
            for encoding in ENCODINGS:
                name = unique()
                reply = self.agent.launch(root, name, command=shell("true", user="nosuchuser"),
                                          encoding=encoding, status=400)
                self.assertIn("No such user 'nosuchuser'", reply.text)
                self.assert_status(404, self.agent.try_wait(root, name))
        name = unique()
        reply = self.agent.launch(name, command=shell("true", user="nosuchuser"), status=500)
        self.assertTrue(reply.text.startswith("Failed to create sandbox: "), reply.text)
        self.assertNotIn((name,), self.agent.containers())

    def test_sandbox(self) -> None:
        with self.root() as root:
            _, name = self.run_nested(root, shell("echo out; echo err >&2"))
            for path in ((root,), (root, name)):
                sandbox = self.agent.sandbox(*path)
                self.assertEqual(0o750, stat.S_IMODE(sandbox.stat().st_mode), sandbox)
                for file in ("stdout", "stderr"):
                    self.assertEqual(0o644, stat.S_IMODE((sandbox / file).stat().st_mode))
            self.assertEqual("out\n", self.agent.output(root, name))
            self.assertEqual("err\n", self.agent.output(root, name, file="stderr"))

    def test_output_is_complete(self) -> None:
        with self.root() as root:
            output, _ = self.run_nested(root, shell("seq 1 200000"))
            self.assertEqual("".join(f"{i}\n" for i in range(1, 200001)), output)

    def test_stdin_is_empty(self) -> None:
        with self.root() as root:
            self.assertEqual("end\n", self.run_nested(root, shell("cat; echo end"))[0])

    def test_no_descriptors_leak_into_containers(self) -> None:
        with self.root() as root:
            output, _ = self.run_nested(root, argv("ls", "/proc/self/fd"))
            self.assertEqual(["0", "1", "2", "3"], output.split())  # 3 is ls reading it

    def test_signals_are_default_and_unblocked(self) -> None:
        with self.root() as root:
            output, _ = self.run_nested(root, shell("grep -E '^Sig(Blk|Ign)' /proc/self/status"))
            self.assertEqual(["0" * 16, "0" * 16], [l.split()[1] for l in output.splitlines()])

    def test_session_leader_of_its_own(self) -> None:
        """Not in the agent's session or group: a signal to those must not reach it."""
        with self.root() as root:
            pid = self.agent.await_process(root, containing="sleep 1000")
            self.assertNotEqual(os.getsid(self.agent.pid), os.getsid(pid))
            self.assertNotEqual(os.getpgid(self.agent.pid), os.getpgid(pid))

    def test_pid_namespace(self) -> None:
        with self.root() as root:
            output, _ = self.run_nested(root, shell("readlink /proc/self/ns/pid; ls /proc"))
            lines = output.split()
            self.assertNotEqual(os.readlink("/proc/self/ns/pid"), lines[0])
            pids = [int(p) for p in lines[1:] if p.isdigit()]
            self.assertIn(1, pids)
            self.assertLess(max(pids), 100, "a /proc of the container's own")

    def test_mount_namespace(self) -> None:
        with self.root() as root:
            before = Path("/proc/self/mountinfo").read_text()
            self.run_nested(root, shell("mkdir m && mount -t tmpfs none m && touch m/inside"))
            self.assertEqual(before, Path("/proc/self/mountinfo").read_text())

    def test_unsupported(self) -> None:
        docker: Message = {"type": "DOCKER", "docker": {"image": "busybox"}}
        image: Message = {"type": "MESOS", "mesos": {"image": {
            "type": "DOCKER", "docker": {"name": "busybox"}}}}
        with self.root() as root:
            for container, text in ((docker, "The provided ContainerInfo is not supported"),
                                    (image, "Unsupported container image type: DOCKER")):
                for path in ((unique(),), (root, unique())):
                    reply = self.agent.launch(*path, command=shell("true"), container=container,
                                              status=400)
                    self.assertEqual(text, reply.text)
                    self.assert_status(404, self.agent.try_wait(*path))


class Calls(AgentTestCase):
    """The outcome tables of launch, wait, kill and remove."""

    def test_launch_of_an_id_in_use(self) -> None:
        for encoding in ENCODINGS:
            with self.root() as root:
                name = unique()
                self.agent.launch(root, name, command=shell("sleep 1000"))
                pids = self.agent.pids(root, name)
                for nested in (True, False):
                    reply = self.agent.launch(root, name, command=shell("exit 1"), nested=nested,
                                              encoding=encoding, status=202)
                    self.assertEqual(b"", reply.response.body)
                    self.assertIsNone(reply.response.content_type)
                self.agent.launch(root, command=shell("exit 1"), encoding=encoding, status=202)
                self.assertLessEqual(pids, self.agent.pids(root, name))

    def test_launch_at_once_from_many(self) -> None:
        """Of concurrent launches of one id, one is 200 and the others 202."""
        with self.root() as root, ThreadPoolExecutor(8) as pool:
            for _ in range(10):
                call = {"type": "LAUNCH_CONTAINER", "launch_container": {
                    "container_id": container_id(root, unique()),
                    "command": shell("sleep 1000")}}
                statuses = sorted(r.status for r in pool.map(
                    lambda _, c=call: self.agent.call(c), range(8)))
                self.assertEqual([200] + [202] * 7, statuses)

    def test_relaunch_after_the_end(self) -> None:
        with self.root() as root:
            for path in ((root, unique()), (unique(),)):
                for code in (1, 2, 3):
                    self.assertEqual(code << 8, self.agent.run(
                        *path, command=shell(f"exit {code}"))["exit_status"])

    def test_launch_under_unknown_parent(self) -> None:
        for encoding, nested in itertools.product(ENCODINGS, (True, False)):
            reply = self.agent.launch("nobody", unique(), command=shell("true"), nested=nested,
                                      encoding=encoding, status=400)
            self.assertEqual("Parent container nobody does not exist", reply.text)
        with self.root() as root:
            reply = self.agent.launch(root, "nobody", unique(), command=shell("true"), status=400)
            self.assertEqual(f"Parent container {root}.nobody does not exist", reply.text)
            name = unique()
            self.agent.run(root, name, command=shell("true"))
            reply = self.agent.launch(root, name, unique(), command=shell("true"), status=400)
            self.assertEqual(f"Parent container {root}.{name} does not exist", reply.text)

    def test_launch_while_the_parent_is_destroyed(self) -> None:
        """Answered one way or the other, never stuck, and nothing outlives the root."""
        with ThreadPoolExecutor(8) as pool:
            for _ in range(5):
                root = unique()
                self.agent.launch(root, command=shell("sleep 1000"))
                calls = [{"type": "LAUNCH_CONTAINER", "launch_container": {
                    "container_id": container_id(root, unique()),
                    "command": shell("sleep 1000")}} for _ in range(40)]
                launches = [pool.submit(self.agent.call, c) for c in calls]
                time.sleep(0.02)
                self.agent.kill(root)
                self.assertLessEqual({l.result().status for l in launches}, {200, 400})
                self.assertEqual(9, self.agent.wait(root)["exit_status"])
                self.assertFalse({p for p in self.agent.containers() if p[0] == root})
                self.assertEqual(set(), self.agent.pids(root))

    def test_wait_unknown(self) -> None:
        for encoding in ENCODINGS:
            self.assert_status(404, self.agent.try_wait("nobody", encoding=encoding),
                               "Container nobody cannot be found")
            for nested in (True, False):
                self.assert_status(
                    404, self.agent.try_wait("nobody", "c", nested=nested, encoding=encoding),
                    "Container nobody.c cannot be found")
                with self.root() as root:
                    self.assert_status(
                        404, self.agent.try_wait(root, "c", nested=nested, encoding=encoding),
                        f"Container {root}.c cannot be found")

    def test_wait_any_number_of_times(self) -> None:
        with self.root() as root:
            for path in ((root, unique()), (unique(),)):
                self.agent.launch(*path, command=shell("exit 3"))
                for encoding in (*ENCODINGS, *ENCODINGS):
                    self.assertEqual({"exit_status": 3 << 8},
                                     self.agent.wait(*path, encoding=encoding))

    def test_wait_concurrently(self) -> None:
        with self.root() as root, ThreadPoolExecutor(10) as pool:
            name = unique()
            self.agent.launch(root, name, command=shell("sleep 0.5; exit 6"))
            waits = [pool.submit(self.agent.wait, root, name, encoding=ENCODINGS[i % 2])
                     for i in range(10)]
            self.assertEqual([{"exit_status": 6 << 8}] * 10, [w.result() for w in waits])

    def test_a_waiter_that_leaves_affects_nobody(self) -> None:
        with self.root() as root:
            name = unique()
            self.agent.launch(root, name, command=shell("sleep 1; exit 7"))
            body = to_json(self.agent.wait_call(root, name))
            for leave in ("close", "reset", "shutdown_write"):
                connection = self.agent.connect()
                connection.send_request("POST", "/api/v1", {"Content-Type": JSON}, body)
                getattr(connection, leave)()
                self.addCleanup(connection.close)
            self.assertEqual(7 << 8, self.agent.wait(root, name)["exit_status"])

    def test_a_pending_wait_delays_later_replies(self) -> None:
        """Pipelined replies come in the order of their requests."""
        with self.root() as root, self.agent.connect() as connection:
            name = unique()
            self.agent.launch(root, name, command=shell("sleep 0.7; exit 1"))
            connection.send_request("POST", "/api/v1", {"Content-Type": JSON},
                                    to_json(self.agent.wait_call(root, name)))
            connection.send_request("POST", "/api/v1", {"Content-Type": JSON},
                                    b'{"type":"GET_HEALTH"}')
            self.assertFalse(connection.readable(0.2))
            self.assertIn("exit_status", connection.read_response().text)
            self.assertIn("healthy", connection.read_response().text)

    def test_kill_by_default_is_sigkill(self) -> None:
        with self.root() as root:
            for encoding, nested in itertools.product(ENCODINGS, (True, False)):
                name = unique()
                self.agent.launch(root, name, command=shell("trap '' TERM INT; sleep 1000"))
                reply = self.agent.kill(root, name, nested=nested, encoding=encoding)
                self.assert_status(200, reply, "")
                self.assertEqual({"exit_status": 9}, self.agent.wait(root, name))

    def test_kill_with_sigterm(self) -> None:
        """The command itself gets the signal, also under a pid namespace."""
        commands = (shell("sleep 1000"), argv("sleep", "1000"),
                    argv("sh", "-c", "sleep 1000"), argv("sh", "-c", "sleep 1000; true"))
        with self.root() as root:
            for command, encoding in itertools.product(commands, ENCODINGS):
                with self.subTest(command=command, encoding=encoding):
                    name = unique()
                    self.agent.launch(root, name, command=command)
                    self.agent.await_process(root, name, containing="sleep 1000")
                    reply = self.agent.kill(root, name, signal=15, encoding=encoding)
                    self.assert_status(200, reply)
                    self.assertEqual(15, self.agent.wait(root, name)["exit_status"])

    def test_kill_of_a_standalone_container(self) -> None:
        for sent, status in ((None, 9), (9, 9), (15, 15), (2, 2), (1, 1)):
            with self.subTest(signal=sent):
                name = unique()
                self.agent.launch(name, command=argv("sleep", "1000"))
                self.agent.await_process(name, containing="sleep 1000")
                self.assert_status(200, self.agent.kill(name, signal=sent))
                self.assertEqual({"exit_status": status}, self.agent.wait(name))

    def test_caught_and_ignored_signals(self) -> None:
        with self.root() as root:
            name = unique()
            self.agent.launch(root, name, command=shell(
                "trap 'echo usr1' USR1; trap 'exit 42' TERM; while :; do sleep 0.05; done"))
            self.agent.await_trap(root, name, containing="exit 42", signal=15)
            self.assert_status(200, self.agent.kill(root, name, signal=10))
            eventually(lambda: self.agent.output(root, name) == "usr1\n", "the trap has run")
            self.assert_status(200, self.agent.kill(root, name, signal=15))
            self.assertEqual(42 << 8, self.agent.wait(root, name)["exit_status"])

            name = unique()
            self.agent.launch(root, name, command=shell(
                "trap '' TERM; while :; do sleep 0.05; done"))
            self.agent.await_trap(root, name, containing="trap ''", signal=15, ignored=True)
            self.assert_status(200, self.agent.kill(root, name, signal=15))
            time.sleep(0.5)
            self.assertIn((root, name), self.agent.containers())
            self.assert_status(200, self.agent.kill(root, name))
            self.assertEqual(9, self.agent.wait(root, name)["exit_status"])

    def test_kill_of_what_is_not_there(self) -> None:
        for encoding in ENCODINGS:
            self.assert_status(
                404, self.agent.kill("nobody", encoding=encoding),
                "Container 'nobody' cannot be found (or is already killed)")
            with self.root() as root:
                name = unique()
                text = f"Container '{root}.{name}' cannot be found (or is already killed)"
                self.assert_status(404, self.agent.kill(root, name, encoding=encoding), text)
                self.agent.run(root, name, command=shell("true"))
                self.assert_status(404, self.agent.kill(root, name, encoding=encoding), text)

    def test_kill_with_a_bad_signal(self) -> None:
        with self.root() as root:
            for sent in (9999, -1):
                reply = self.agent.kill(root, signal=sent)
                self.assert_status(500, reply, "Unable to send signal to container: "
                                               "Invalid argument")
            self.assertIn((root,), self.agent.containers())

    def test_kill_right_after_launch(self) -> None:
        """A signal never gets lost between the launch and the command's start."""
        with self.root() as root:
            for _ in range(30):
                name = unique()
                self.agent.launch(root, name, command=argv("sleep", "1000"))
                self.assertEqual(200, self.agent.kill(root, name, signal=15).status)
                self.assertEqual(15, self.agent.wait(root, name)["exit_status"])

    def test_destroying_a_parent_destroys_the_tree(self) -> None:
        with ThreadPoolExecutor(8) as pool:
            root = unique()
            paths: list[tuple[str, ...]] = [(root,)]
            for parent in range(3):
                for _ in range(2):
                    paths.append((*paths[parent], unique()))
            for path in paths:
                self.agent.launch(*path, command=shell("trap '' TERM; sleep 1000"))
            pids = self.agent.pids(root)
            self.assertGreaterEqual(len(pids), len(paths))
            waits = [pool.submit(self.agent.wait, *path) for path in paths]
            time.sleep(0.2)
            self.assert_status(200, self.agent.kill(root))
            for path, wait in zip(paths, waits, strict=True):
                self.assertEqual({"exit_status": 9}, wait.result(), path)
            self.assertTrue(all(pid_gone(pid) for pid in pids))
            self.assertFalse({p for p in self.agent.containers() if p[0] == root})

    def test_killing_a_branch_leaves_the_others(self) -> None:
        with self.root() as root:
            left, right, leaf = unique(), unique(), unique()
            for path in ((root, left), (root, right), (root, left, leaf)):
                self.agent.launch(*path, command=shell("sleep 1000"))
            self.agent.kill(root, left)
            self.assertEqual(9, self.agent.wait(root, left)["exit_status"])
            self.assertEqual(9, self.agent.wait(root, left, leaf)["exit_status"])
            self.assertEqual({(root,), (root, right)}, self.agent.containers())

    def test_a_root_that_ends_takes_its_tree_along(self) -> None:
        root, child = unique(), unique()
        self.agent.launch(root, command=shell("sleep 0.7; exit 5"))
        self.agent.launch(root, child, command=shell("sleep 1000"))
        pids = self.agent.pids(root, child)
        self.assertEqual({"exit_status": 5 << 8}, self.agent.wait(root))
        self.assertTrue(all(pid_gone(pid) for pid in pids))

    def test_remove(self) -> None:
        for encoding, nested in itertools.product(ENCODINGS, (True, False)):
            with self.subTest(encoding=encoding, nested=nested), self.root() as root:
                name = unique()
                self.agent.launch(root, name, command=shell("sleep 1000"))
                self.assert_status(
                    500, self.agent.remove(root, name, nested=nested, encoding=encoding),
                    "Nested container has not terminated yet")
                self.agent.kill(root, name)
                self.agent.wait(root, name)
                for _ in range(2):  # again is no error
                    reply = self.agent.remove(root, name, nested=nested, encoding=encoding)
                    self.assert_status(200, reply, "")
                    self.assertIsNone(reply.response.content_type)
                self.assert_status(404, self.agent.try_wait(root, name),
                                   f"Container {root}.{name} cannot be found")
                self.assertFalse(self.agent.sandbox(root, name).exists())
                reply = self.agent.remove(root, "never", nested=nested, encoding=encoding)
                self.assert_status(200, reply, "")
                reply = self.agent.remove("nobody", "c", nested=nested, encoding=encoding)
                self.assert_status(500, reply, "Unknown root container")
                # After a removal the id is free.
                self.assertEqual(0, self.agent.run(root, name, command=shell("true"))
                                 ["exit_status"])

    def test_remove_takes_nested_ones_along(self) -> None:
        with self.root() as root:
            name, child = unique(), unique()
            self.agent.launch(root, name, command=shell("sleep 1000"))
            self.agent.run(root, name, child, command=shell("exit 2"))
            self.agent.kill(root, name)
            self.agent.wait(root, name)
            self.assertEqual(2 << 8, self.agent.wait(root, name, child)["exit_status"])
            self.assert_status(200, self.agent.remove(root, name))
            self.assert_status(404, self.agent.try_wait(root, name, child))

    def test_remove_of_a_standalone_container(self) -> None:
        """Mesos aborts here. Ours removes what has ended and refuses what runs."""
        name = unique()
        self.agent.run(name, command=shell("exit 1"))
        self.assert_status(200, self.agent.remove(name), "")
        self.assert_status(404, self.agent.try_wait(name), f"Container {name} cannot be found")
        self.assertFalse(self.agent.sandbox(name).exists())
        with self.root() as root:
            reply = self.agent.remove(root)
            self.assertEqual(500, reply.status)
            self.assertNotEqual("", reply.text)
            self.assertIn((root,), self.agent.containers())
        reply = self.agent.remove("nobody")
        self.assertIn(reply.status, (200, 404, 500))
        self.agent.check_alive()

    def test_listing(self) -> None:
        name, child = unique(), unique()
        self.agent.launch(name, command=shell("sleep 1000"), resources=resources(cpus=0.5, mem=80))
        self.agent.launch(name, child, command=shell("sleep 1000"))
        listed = {(n, s): [e["container_id"]["value"]
                           for e in self.agent.container_entries(nested=n, standalone=s)]
                  for n in (False, True) for s in (False, True)}
        self.assertEqual({(False, False): [], (False, True): [name], (True, False): [child]},
                         {k: v for k, v in listed.items() if k != (True, True)})
        self.assertEqual({name, child}, set(listed[True, True]))
        entries = {e["container_id"]["value"]: e for e in self.agent.container_entries()}
        self.assertEqual(container_id(name, child), entries[child]["container_id"])
        pid = entries[name]["container_status"]["executor_pid"]
        self.assertIn(pid, self.agent.pids(name))
        statistics = entries[name]["resource_statistics"]
        self.assertEqual(0.5, statistics["cpus_soft_limit"])
        self.assertEqual(80 * MB, statistics["mem_limit_bytes"])
        self.assertAlmostEqual(time.time(), statistics["timestamp"], delta=60)
        self.assertGreater(statistics["mem_total_bytes"], 0)
        call = {"type": "GET_CONTAINERS",
                "get_containers": {"show_nested": True, "show_standalone": True}}
        message = self.agent.expect(200, call, PROTOBUF).message
        assert message is not None
        self.assertEqual({name, child}, {c["container_id"]["value"]
                                         for c in message["get_containers"]["containers"]})
        self.agent.kill(name)
        self.agent.wait(name)


class Limits(AgentTestCase):
    """Cgroups: where, with which values, and what happens at the memory limit."""

    HOG = "tail /dev/zero"  # looks for a line's end in endless zeros, keeping all of it

    def value(self, controller: str, *path: str, file: str) -> int:
        return int(self.agent.cgroup_file(controller, *path, file=file))

    def test_values(self) -> None:
        for cpus, mem, shares, bytes_ in ((0.5, 64, 512, 64 * MB), (2, 128, 2048, 128 * MB),
                                          (0.001, 33.7, 2, 33 * MB), (0.1, 1, 102, 32 * MB)):
            with self.subTest(cpus=cpus, mem=mem):
                with self.root(resources=resources(cpus=cpus, mem=mem)) as root:
                    self.assertEqual(shares, self.value("cpu", root, file="cpu.shares"))
                    self.assertEqual(-1, self.value("cpu", root, file="cpu.cfs_quota_us"))
                    for file in ("memory.soft_limit_in_bytes", "memory.limit_in_bytes"):
                        found = self.value("memory", root, file=file)
                        self.assertLess(abs(found - bytes_), MB, file)

    def test_limits(self) -> None:
        with self.root(resources=resources(cpus=0.5, mem=64),
                       limits={"cpus": {"value": 1.5}, "mem": {"value": 128}}) as root:
            self.assertEqual(512, self.value("cpu", root, file="cpu.shares"))
            self.assertEqual(100_000, self.value("cpu", root, file="cpu.cfs_period_us"))
            self.assertEqual(150_000, self.value("cpu", root, file="cpu.cfs_quota_us"))
            self.assertEqual(64 * MB, self.value("memory", root,
                                                 file="memory.soft_limit_in_bytes"))
            self.assertEqual(128 * MB, self.value("memory", root, file="memory.limit_in_bytes"))

    def test_infinite_limits(self) -> None:
        for encoding in ENCODINGS:
            infinite = {"cpus": {"value": float("inf")}, "mem": {"value": float("inf")}}
            with self.root(resources=resources(cpus=0.5, mem=64), limits=infinite,
                           encoding=encoding) as root:
                self.assertEqual(-1, self.value("cpu", root, file="cpu.cfs_quota_us"))
                self.assertGreater(self.value("memory", root, file="memory.limit_in_bytes"),
                                   1 << 50)
                self.assertEqual(64 * MB, self.value("memory", root,
                                                     file="memory.soft_limit_in_bytes"))

    def test_missing_resources(self) -> None:
        name = unique()
        for given, missing in ((resources(cpus=0.1), "memory"), (resources(mem=32), "cpus")):
            reply = self.agent.launch(name, command=shell("true"), resources=given, status=400)
            self.assertRegex(reply.text, f"No {missing} resource given")
            self.assertNotIn((name,), self.agent.containers())
            self.assertEqual({}, cgroups.own_directories(self.agent.cgroups_root, (name,)))

    def test_where_processes_are(self) -> None:
        """Nested containers share their ancestor's cgroups, but each is tracked by its own."""
        with self.root() as root:
            child, grandchild = unique(), unique()
            for path in ((root, child), (root, child, grandchild)):
                self.agent.launch(*path, command=shell("sleep 1000"))
            tracked = self.agent.pids(root)
            for path in ((root,), (root, child), (root, child, grandchild)):
                owned = set(cgroups.own_directories(self.agent.cgroups_root, path))
                if len(path) == 1:
                    self.assertLessEqual({"cpu", "cpuacct", "memory", "pids"}, owned)
                else:
                    self.assertFalse({"cpu", "cpuacct", "memory", "pids"} & owned)
                self.assertTrue(owned, "tracked by no cgroup of its own")
            for pid in tracked:
                places = dict(line.split(":")[1:] for line in
                              Path(f"/proc/{pid}/cgroup").read_text().splitlines())
                for controller in ("cpu", "cpuacct", "memory", "pids"):
                    self.assertEqual(f"/{self.agent.cgroups_root}/{root}", places[controller])

    def test_own_cgroups_of_a_nested_container(self) -> None:
        with self.root(resources=resources(cpus=1, mem=128)) as root:
            name = unique()
            self.agent.launch(root, name, command=shell("sleep 1000"),
                              container=linux_info(share_cgroups=False),
                              resources=resources(cpus=0.25, mem=48),
                              limits={"cpus": {"value": 0.5}})
            self.assertEqual(256, self.value("cpu", root, name, file="cpu.shares"))
            self.assertEqual(50_000, self.value("cpu", root, name, file="cpu.cfs_quota_us"))
            self.assertEqual(48 * MB, self.value("memory", root, name,
                                                 file="memory.limit_in_bytes"))
            pid = self.agent.await_process(root, name, containing="sleep 1000")
            self.assertIn(f"memory:/{self.agent.cgroups_root}/{root}/mesos/{name}",
                          Path(f"/proc/{pid}/cgroup").read_text())
            entries = {e["container_id"]["value"]: e for e in self.agent.container_entries()}
            self.assertEqual(48 * MB, entries[name]["resource_statistics"]["mem_limit_bytes"])
            self.agent.kill(root, name)
            self.agent.wait(root, name)
            self.assertEqual({}, cgroups.own_directories(self.agent.cgroups_root, (root, name)))

    def assert_memory_limitation(self, termination: Message) -> None:
        self.assertEqual("TASK_FAILED", termination.get("state"), termination)
        self.assertEqual("REASON_CONTAINER_LIMITATION_MEMORY", termination.get("reason"))
        self.assertRegex(termination.get("message", ""), "^Memory limit exceeded")
        limited = termination["limitation"]["resources"]
        self.assertEqual([("mem", "SCALAR")], [(r["name"], r["type"]) for r in limited])
        self.assertGreater(limited[0]["scalar"]["value"], 16)

    def test_out_of_memory(self) -> None:
        for encoding in ENCODINGS:
            name = unique()
            self.agent.launch(name, command=shell(self.HOG), resources=resources(cpus=1, mem=32),
                              encoding=encoding)
            self.assert_memory_limitation(self.agent.wait(name, encoding=encoding))

    def test_out_of_memory_of_a_nested_container_of_its_own(self) -> None:
        """Only that container ends."""
        with self.root(resources=resources(cpus=1, mem=256)) as root:
            name = unique()
            termination = self.agent.run(
                root, name, command=shell(self.HOG), container=linux_info(share_cgroups=False),
                resources=resources(cpus=0.1, mem=32))
            self.assert_memory_limitation(termination)
            self.assertEqual({(root,)}, self.agent.containers())

    def test_out_of_memory_of_shared_cgroups(self) -> None:
        """The limit is the root's: the whole tree ends, each with the same limitation."""
        with ThreadPoolExecutor(2) as pool:
            root, hog, other = unique(), unique(), unique()
            self.agent.launch(root, command=shell("sleep 1000"),
                              resources=resources(cpus=1, mem=32))
            self.agent.launch(root, other, command=shell("sleep 1000"))
            waits = [pool.submit(self.agent.wait, root, other), pool.submit(self.agent.wait, root)]
            time.sleep(0.2)
            self.agent.launch(root, hog, command=shell(self.HOG))
            for wait in waits:
                self.assert_memory_limitation(wait.result())
            self.assertEqual(set(), self.agent.containers())


class CfsQuota(AgentTestCase):
    agent_flags = {"cgroups_enable_cfs": True}

    def test_quota(self) -> None:
        for cpus, quota in ((0.5, 50_000), (2, 200_000), (0.001, 1_000)):
            with self.root(resources=resources(cpus=cpus, mem=32)) as root:
                self.assertEqual("100000", self.agent.cgroup_file(
                    "cpu", root, file="cpu.cfs_period_us"))
                self.assertEqual(str(quota), self.agent.cgroup_file(
                    "cpu", root, file="cpu.cfs_quota_us"))

    def test_it_throttles(self) -> None:
        with self.root(shell("while :; do :; done"), resources=resources(cpus=0.2, mem=32)) as root:
            time.sleep(1)
            statistics = self.agent.container_entries()[0]["resource_statistics"]
            self.assertEqual(0.2, statistics["cpus_limit"])
            self.assertGreater(statistics["cpus_nr_throttled"], 0)
            self.assertGreater(statistics["cpus_throttled_time_secs"], 0)
            self.assertEqual(0.2, statistics["cpus_soft_limit"])
            self.agent.kill(root)


# Started many times over, each copy lives for a moment and passes on to a new one in a session of
# its own: no snapshot of the process list is ever complete.
RESPAWN = """#!/bin/sh
sleep 0.5
setsid "$0" > /dev/null 2>&1 < /dev/null &
exit 0
"""


class ForkBomb(OwnAgentTestCase):
    def bomb(self, **flags: str) -> None:
        agent = self.new_agent(dict(flags))
        script = agent.scratch / "respawn.sh"
        script.write_text(RESPAWN)
        script.chmod(0o755)
        root, name = unique(), unique()
        agent.launch(root, command=shell("sleep 1000"), resources=resources(cpus=1, mem=512))
        agent.launch(root, name, command=shell(
            f"i=0; while [ $i -lt 200 ]; do {script} & i=$((i+1)); done; sleep 1000"))
        eventually(lambda: len(agent.pids(root, name)) > 200, "200 processes", 2 * TIMEOUT)
        self.assert_status(200, agent.kill(root, name))
        self.assertEqual(9, agent.wait(root, name)["exit_status"])
        self.assertEqual(set(), agent.pids(root, name))
        time.sleep(1)
        self.assertEqual([], processes_running(str(script)))
        self.assertEqual({(root,)}, agent.containers())

    def test_with_pid_namespace(self) -> None:
        self.bomb()

    def test_without_pid_namespace(self) -> None:
        self.bomb(isolation="cgroups/cpu,cgroups/mem,filesystem/linux")


class Retention(OwnAgentTestCase):
    """How long the termination of an ended standalone container stays."""

    def test_time(self) -> None:
        agent = self.new_agent({"termination_retention": "2secs"})
        agent.launch("early", command=shell("exit 3"))
        self.assertEqual(3 << 8, agent.wait("early")["exit_status"])
        self.assertEqual(3 << 8, agent.wait("early")["exit_status"])
        eventually(lambda: agent.try_wait("early").status == 404, "the termination expires",
                   10 * TIMEOUT_FACTOR)
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


class NothingLeaks(OwnAgentTestCase):
    def test_quick_launches(self) -> None:
        agent = self.new_agent()
        agent.launch("root", command=shell("sleep 100000"))
        for i in range(10):  # what is opened once and for all is open after that
            agent.run("root", f"warm-{i}", command=argv("true"))
            agent.remove("root", f"warm-{i}")
        before = agent.settled_fds()
        threads = len(os.listdir(f"/proc/{agent.pid}/task"))

        def one(_: int) -> int:
            name = unique("quick")
            agent.launch("root", name, command=argv("true"))
            status = agent.wait("root", name)["exit_status"]
            agent.remove("root", name)
            return status

        with ThreadPoolExecutor(8) as pool:
            self.assertEqual({0}, set(pool.map(one, range(500))))
        self.assertEqual(before, agent.settled_fds())
        self.assertLessEqual(len(os.listdir(f"/proc/{agent.pid}/task")), threads + 4)
        agent.kill("root")
        agent.wait("root")
        agent.assert_nothing_left()

    def test_failed_launches(self) -> None:
        agent = self.new_agent()
        agent.launch("root", command=shell("sleep 100000"))

        def fail() -> None:
            agent.launch("root", unique(), command=shell("true", user="nosuchuser"), status=400)
            agent.launch("nobody", unique(), command=shell("true"), status=400)
            agent.launch(unique(), command=shell("true"), resources=resources(cpus=1), status=400)
            agent.launch("root", unique(), command=shell("true"), status=400,
                         container={"type": "MESOS", "mesos": {"image": {
                             "type": "DOCKER", "docker": {"name": "busybox"}}}})

        fail()
        before = agent.settled_fds()
        for _ in range(50):
            fail()
        self.assertEqual(before, agent.settled_fds())
        self.assertEqual({("root",)}, agent.containers())
        agent.kill("root")
        agent.wait("root")
        agent.assert_nothing_left()

    def test_launches_whose_client_leaves(self) -> None:
        agent = self.new_agent()
        agent.launch("root", command=shell("sleep 100000"))
        before = agent.settled_fds()
        for i in range(50):
            call = {"type": "LAUNCH_CONTAINER", "launch_container": {
                "container_id": container_id("root", unique()), "command": shell("sleep 100")}}
            connection = agent.connect()
            connection.send_request("POST", "/api/v1", {"Content-Type": JSON}, to_json(call))
            time.sleep(i * 0.0002)
            connection.reset()
        agent.settled_fds()
        # Launched or discarded; either way each can be ended, and then nothing is left.
        for path in sorted(agent.containers()):
            if len(path) == 2:
                agent.kill(*path)
        eventually(lambda: agent.containers() == {("root",)}, "the others are gone")
        self.assertEqual(before, agent.settled_fds())
        agent.kill("root")
        agent.wait("root")
        agent.assert_nothing_left()


class PosixLauncher(AgentTestCase):
    """--launcher=posix with posix/cpu and posix/mem: no namespaces, no cgroups."""

    agent_flags = {"launcher": "posix", "isolation": "posix/cpu,posix/mem", "cgroups_root": None}

    def test_endings(self) -> None:
        with self.root() as root:
            for command, status in ENDINGS:
                with self.subTest(command=command):
                    self.assertEqual({"exit_status": status},
                                     self.agent.run(root, unique(), command=command))

    def test_no_resources_needed(self) -> None:
        name = unique()
        self.agent.launch(name, command=shell("exit 2"), resources=[])
        self.assertEqual({"exit_status": 2 << 8}, self.agent.wait(name))

    def test_kill_takes_the_process_tree(self) -> None:
        name = unique()
        sleep = f"sleep 1000.{os.getpid()}1"  # no other process on the host has this argument
        self.agent.launch(name, command=shell(
            f"{sleep} & ({sleep} &) ; sh -c '{sleep}; true'; true"))
        eventually(lambda: len(processes_running(sleep)) == 3, "three sleeps")
        self.assert_status(200, self.agent.kill(name))
        self.assertEqual(9, self.agent.wait(name)["exit_status"])
        self.assertEqual([], processes_running(sleep))

    def test_destroying_a_parent_destroys_the_tree(self) -> None:
        root, child = unique(), unique()
        self.agent.launch(root, command=shell("sleep 1000"))
        sleep = f"sleep 1000.{os.getpid()}2"
        self.agent.launch(root, child, command=shell(sleep))
        eventually(lambda: len(processes_running(sleep)) == 1, "the child runs")
        self.agent.kill(root)
        self.assertEqual(9, self.agent.wait(root)["exit_status"])
        self.assertEqual([], processes_running(sleep))

    def test_sigterm(self) -> None:
        with self.root() as root:
            name = unique()
            self.agent.launch(root, name, command=shell("sleep 1000"))
            self.assert_status(200, self.agent.kill(root, name, signal=15))
            self.assertEqual(15, self.agent.wait(root, name)["exit_status"])


class Durations(AgentTestCase):
    """Not a benchmark: only that nothing polls, or waits for what it need not."""

    def test_launch_and_wait_do_not_poll(self) -> None:
        with self.root() as root:
            self.agent.run(root, unique(), command=argv("true"))
            times = []
            for _ in range(20):
                start = time.monotonic()
                self.agent.run(root, unique(), command=argv("true"))
                times.append(time.monotonic() - start)
            self.assertLess(sorted(times)[10], 0.08 * TIMEOUT_FACTOR,
                            "the median launch and wait of `true`")

    def test_kill_does_not_poll(self) -> None:
        with self.root() as root:
            times = []
            for _ in range(10):
                name = unique()
                self.agent.launch(root, name, command=shell("sleep 1000"))
                start = time.monotonic()
                self.agent.kill(root, name)
                self.agent.wait(root, name)
                times.append(time.monotonic() - start)
            self.assertLess(sorted(times)[5], 0.08 * TIMEOUT_FACTOR, "the median kill and wait")

    def test_calls_are_answered_while_many_wait(self) -> None:
        with self.root() as root:
            waiting = []
            for _ in range(100):
                name = unique()
                self.agent.launch(root, name, command=shell("sleep 1000"))
                connection = self.agent.connect()
                connection.send_request("POST", "/api/v1", {"Content-Type": JSON},
                                        to_json(self.agent.wait_call(root, name)))
                waiting.append(connection)
            start = time.monotonic()
            self.agent.expect(200, {"type": "GET_HEALTH"})
            self.assertLess(time.monotonic() - start, 1 * TIMEOUT_FACTOR)
            self.agent.kill(root)
            for connection in waiting:
                self.assertEqual(200, connection.read_response().status)
                connection.close()


class WordsOfErrors(AgentTestCase):
    """Error replies are text/plain with one sentence, and do not close the connection."""

    def test_form(self) -> None:
        with self.agent.connect() as connection:
            for call in (self.agent.wait_call("nobody"),
                         {"type": "KILL_CONTAINER",
                          "kill_container": {"container_id": container_id("nobody")}},
                         {"type": "REMOVE_CONTAINER",
                          "remove_container": {"container_id": container_id("nobody", "c")}}):
                reply = self.agent.call_on(connection, call)
                self.assertGreaterEqual(reply.status, 400)
                self.assertEqual("text/plain; charset=utf-8", reply.response.content_type)
                self.assertTrue(re.fullmatch(r"[^\n]+", reply.text), reply.text)


if __name__ == "__main__":
    import run
    run.main([__file__])
