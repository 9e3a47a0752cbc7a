"""What containers could reach without asking: descriptors that leak into them (CVE-2024-21626), and
what the agent writes down about others."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from attach import session, tty
from attackers import attacker, await_told
from harness import (Agent, AgentTestCase, OwnAgentTestCase, argv, descriptors, eventually,
                     resources, shell, unique)
from sessions import ATTACHABLE

# Executes the agent with descriptors that nobody has marked close-on-exec: of the host's root
# directory, of a secret, of a socket; and one of the first numbers that the agent will use.
CARELESS = """
import os, socket, sys
os.dup2(os.open('/', os.O_RDONLY), 29)
directory = 29
secret = os.open(sys.argv[1], os.O_RDONLY)
pair = [s.detach() for s in socket.socketpair()]
for fd in (directory, secret, *pair): os.set_inheritable(fd, True)
os.dup2(secret, 201)
for number in (30, 200, 900, 3, 4, 5): os.dup2(directory, number)
os.execv(sys.argv[2], sys.argv[2:])
"""


class LeakedDescriptors(OwnAgentTestCase):
    """An agent that was started with a careless parent's descriptors, or has some of its own."""

    def careless_agent(self) -> Agent:
        agent = self.new_agent(start=False)
        secret = agent.scratch / "secret"
        secret.touch(0o600)
        agent.wrapper = [sys.executable, "-c", CARELESS, str(secret)]
        return agent.start()

    def test_containers_get_none(self) -> None:
        """Of the agent's, or of its parent's; no directory outside the sandbox, in any kind of
        container, in its command or its helper."""
        agent = self.careless_agent()
        inherited = descriptors(agent.pid)
        self.assertEqual(["/", "/", str(agent.scratch / "secret")],
                         [inherited[number] for number in (30, 200, 201)])
        root = (unique("root"),)
        nested, attachable, terminal, debug = ((*root, unique()) for _ in range(4))
        command = argv("sleep", "100000")
        agent.launch(*root, command=command)
        agent.launch(*nested, command=command)
        agent.launch(*attachable, command=argv("sleep", "100000", **ATTACHABLE))
        agent.launch(*terminal, command=command, container=tty())
        output = session(agent, *debug, command=command)
        self.addCleanup(output.close)
        for path in (root, nested, attachable, terminal, debug):
            pid = agent.await_process(*path, containing="sleep 100000")
            self.assertEqual({0, 1, 2}, set(descriptors(pid)), path)
            own = agent.sandbox(*(root if path == debug else path))
            self.assertEqual((str(own), "/"),
                             (os.readlink(f"/proc/{pid}/cwd"), os.readlink(f"/proc/{pid}/root")))
            init = int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1])
            # All that the helper keeps is the file for the status; it gives up the command's own
            # descriptors only once the command is on its way.
            status = agent.runtime_dir / "containers" / "/containers/".join(path) / "status"
            eventually(lambda init=init, kept={4: str(status)}: descriptors(init) == kept,
                       f"the helper of {path} keeps nothing but its file for the status")
            self.assertEqual(str(own), os.readlink(f"/proc/{init}/cwd"))
            self.assertEqual(b"", Path(f"/proc/{init}/environ").read_bytes())

    def test_switchboards_get_none(self) -> None:
        agent = self.careless_agent()
        name = unique()
        agent.launch(name, command=argv("cat", **ATTACHABLE))
        record = agent.runtime_dir / "containers" / name / "io_switchboard" / "pid"
        found = descriptors(int(record.read_text().split()[0]))
        self.assertEqual([], [f for f in found.values() if f in ("/", str(agent.scratch / "secret"))])

    def test_a_link_to_a_descriptor_leads_nowhere(self) -> None:
        """A working directory /proc/self/fd/N is what CVE-2024-21626 is about. Clients cannot name
        one here; a command that goes there finds nothing."""
        agent = self.careless_agent()
        name = unique()
        agent.launch(name, command=attacker(agent, """
results = {}
for number in range(3, 1024):
    results.setdefault(attempt(lambda: os.chdir(f'/proc/self/fd/{number}')), []).append(number)
directory = os.open('/', os.O_RDONLY)
results['control'] = attempt(lambda: os.chdir(f'/proc/self/fd/{directory}'))
tell(results)
"""))
        results = await_told(agent, name)[0]
        self.assertEqual("done", results.pop("control"))
        self.assertEqual({"ENOENT", "ENOTDIR"}, set(results), "its own file is no directory")


# Reads whatever can be read of what the agent has made, and of all processes.
SEARCH = """
secret = os.environ['SECRET_NAME']
found, read = [], 0
def look(path):
    global read
    try:
        with open(path, 'rb') as file:
            read += 1
            if secret[::-1].encode() in file.read(1 << 20): found.append(path)
    except OSError:
        pass
for top in os.environ['TOPS'].split(':'):
    for where, directories, files in os.walk(top):
        for name in files:
            path = os.path.join(where, name)
            if stat.S_ISREG(os.lstat(path).st_mode): look(path)
for pid in filter(str.isdigit, os.listdir('/proc')):
    for name in ('environ', 'cmdline', 'maps'): look(f'/proc/{pid}/{name}')
tell(['found', sorted(found), read])
"""


class WhatIsWrittenDown(AgentTestCase):
    """Another user's container, which sees the host's files and processes, looks for what the agent
    knows of the others."""

    def test_environments_stay_secret(self) -> None:
        secret = "hunter2-" + os.urandom(8).hex()
        victim, other = unique("victim"), unique("victim")
        self.agent.launch(victim, command=shell("sleep 1000", PASSWORD=secret, **ATTACHABLE))
        self.agent.launch(victim, other, command=shell("sleep 1000", PASSWORD=secret))
        self.agent.run(unique(), command=shell("true", PASSWORD=secret))
        planted = self.agent.scratch / "planted"
        planted.write_text(secret)
        searcher = unique("searcher")
        # The attacker has the secret the wrong way round, or it would find its own environment.
        self.agent.launch(searcher, command=attacker(
            self.agent, SEARCH, "nobody", SECRET_NAME=secret[::-1], TOPS=str(self.agent.scratch)),
            container={"type": "MESOS", "linux_info": {"share_pid_namespace": True}},
            resources=resources(cpus=1, mem=128))
        _, found, read = await_told(self.agent, searcher)[0]
        self.assertEqual([str(planted)], found)
        self.assertGreater(read, 10)

    def test_only_the_agents_user_reads_checkpoints(self) -> None:
        root = unique("root")
        self.agent.launch(root, command=shell("sleep 1000", **ATTACHABLE))
        self.agent.launch(root, unique(), command=shell("sleep 1000"))
        for name in ("containers", "removed"):
            info = (self.agent.runtime_dir / name).stat()
            self.assertEqual((0, 0o700), (info.st_uid, info.st_mode & 0o777), name)
        for path in (self.agent.runtime_dir / "containers").rglob("config"):
            self.assertEqual(0o600, path.stat().st_mode & 0o777, path)

    def test_directories_of_an_earlier_version_are_closed(self) -> None:
        agent = self.new_agent()
        agent.stop()
        for name in ("containers", "removed"):
            (agent.runtime_dir / name).chmod(0o755)
        agent.start()
        for name in ("containers", "removed"):
            self.assertEqual(0o700, (agent.runtime_dir / name).stat().st_mode & 0o777, name)


if __name__ == "__main__":
    import run
    run.main([__file__])
