"""What a container starts with: environment, user, directory, files, arguments, namespaces."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

from harness import ENCODINGS, AgentTestCase, argv, shell, unique
from wire import Message

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


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
            def of_agent() -> list[str]:  # others may mount what they like
                return [line for line in Path("/proc/self/mountinfo").read_text().splitlines()
                        if str(self.agent.scratch) in line]

            before = of_agent()
            self.run_nested(root, shell("mkdir m && mount -t tmpfs none m && touch m/inside"))
            self.assertEqual(before, of_agent())

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


if __name__ == "__main__":
    import run
    run.main([__file__])
