"""Containers that go for the launch helper: its program, its memory, its capabilities, and the agent
that waits for it."""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attackers
from attach import session
from attackers import attacker, await_told
from harness import (Agent, AgentTestCase, OwnAgentTestCase, argv, bin_dir, container_id,
                     descriptors, eventually, resources, shell, unique)

HELPER = "memfd:mesos-containerizer"

# All ways of writing to a file by name, and of getting at it later.
OVERWRITE = """
def overwrite(path):
    def write(flags):
        fd = os.open(path, flags)
        try:
            os.write(fd, b'#!/bin/sh\\n')
        finally:
            os.close(fd)
    def reopen():
        held = os.open(path, os.O_PATH)
        try:
            fd = os.open(f'/proc/self/fd/{held}', os.O_WRONLY)
            os.write(fd, b'#!/bin/sh\\n')
        finally:
            os.close(held)
    return {'write': attempt(lambda: write(os.O_WRONLY)),
            'read and write': attempt(lambda: write(os.O_RDWR)),
            'append': attempt(lambda: write(os.O_WRONLY | os.O_APPEND)),
            'reopen': attempt(reopen),
            'truncate': attempt(lambda: os.truncate(path, 0))}
"""


def image_of(agent: Agent) -> bytes:
    """The digest of the helper's program as the agent holds it."""
    for fd, target in descriptors(agent.pid).items():
        if HELPER in target:
            return hashlib.sha256(Path(f"/proc/{agent.pid}/fd/{fd}").read_bytes()).digest()
    raise AssertionError("the agent holds no image of the helper")


class HelperImage(AgentTestCase):
    """What root in a container does to the helper's program (CVE-2019-5736, CVE-2019-0204)."""

    def setUp(self) -> None:
        super().setUp()
        self.expected = hashlib.sha256((bin_dir() / "mesos-containerizer").read_bytes()).digest()
        self.assertEqual(self.expected, image_of(self.agent))

    def assert_intact(self) -> None:
        self.assertEqual(self.expected, image_of(self.agent))
        self.assertEqual(self.expected, hashlib.sha256(
            (bin_dir() / "mesos-containerizer").read_bytes()).digest())
        name = unique()
        self.assertEqual({"exit_status": 7 << 8}, self.agent.run(name, command=shell("exit 7")))

    def test_it_cannot_be_overwritten(self) -> None:
        """By who may do everything, through its own init and that of a container within."""
        root, child = unique("root"), unique("child")
        copy = self.agent.scratch / "copy"
        copy.write_bytes((bin_dir() / "mesos-containerizer").read_bytes())
        self.agent.launch(root, command=attacker(self.agent, OVERWRITE + f"""
tell(overwrite({str(copy)!r}))
while not os.path.exists('go'): time.sleep(0.01)
def runs_helper(pid):
    try:
        return {HELPER!r} in os.readlink(f'/proc/{{pid}}/exe')
    except OSError:
        return False
# Not only once: the child's command is the helper's program too until it has executed its own.
for _ in range(500):
    inits = [p for p in os.listdir('/proc') if p.isdigit() and runs_helper(p)]
    if len(inits) == 2: break
    time.sleep(0.01)
tell(len(inits))
for pid in inits:
    tell(overwrite(f'/proc/{{pid}}/exe'))
"""), resources=resources(cpus=1, mem=128))
        control = await_told(self.agent, root)[0]
        self.assertEqual({"done"}, set(control.values()), "a program that is a file is overwritten")
        self.agent.launch(root, child, command=shell("sleep 1000"))
        (self.agent.sandbox(root) / "go").touch()
        found = await_told(self.agent, root, count=4)
        self.assertEqual(2, found[1], "both helpers are there to be attacked")
        for results in found[2:]:
            self.assertLessEqual(set(results.values()), {"ETXTBSY", "EPERM", "EACCES"}, results)
        self.assert_intact()

    def test_it_cannot_be_run_by_name(self) -> None:
        """/proc/self/exe as the command is the helper: it does nothing, and nothing to itself."""
        with self.root() as root:
            for command in (argv("/proc/self/exe", "launch"), argv("/proc/self/exe"),
                            argv("/proc/self/exe", "launch", user="nobody")):
                name = unique()
                self.assertNotEqual(0, self.agent.run(root, name, command=command)["exit_status"])
            script = self.agent.sandbox(root) / "script"
            script.write_text("#!/proc/self/exe launch\n")
            script.chmod(0o755)
            name = unique()
            self.assertNotEqual(0, self.agent.run(root, name,
                                                  command=argv(str(script)))["exit_status"])
        self.assert_intact()

    def test_containers_get_no_descriptor_of_it(self) -> None:
        with self.root() as root:
            command = self.agent.await_process(root, containing="sleep 1000")
            self.assertEqual([], [link for link in descriptors(command).values() if HELPER in link])
            # Their init gives it up only once the command is on its way.
            eventually(lambda: not any(HELPER in link for pid in self.agent.pids(root)
                                       for link in descriptors(pid).values()),
                       "no process of the container holds the helper's image")


# Waits for each next pid of its namespace and looks into the process from the first moment on. What
# /proc/<pid>/exe is tells at once whether it may look, and into what.
WATCH = """
def last_pid():
    with open('/proc/loadavg') as file:
        return int(file.read().split()[-1])
def name_of(pid):
    try:
        with open(f'/proc/{pid}/stat') as file:
            return file.read().rpartition(') ')[0].partition(' (')[2]
    except OSError:
        return None
def attack(pid):
    # Not its environment, which root may read with CAP_SYS_ADMIN alone.
    found = {'fd': attempt(lambda: os.open(f'/proc/{pid}/fd/1', os.O_WRONLY)),
             'mem': attempt(lambda: os.open(f'/proc/{pid}/mem', os.O_RDWR)),
             'cwd': attempt(lambda: os.readlink(f'/proc/{pid}/cwd')),
             'root': attempt(lambda: os.readlink(f'/proc/{pid}/root'))}
    got = [name for name, result in found.items() if result == 'done']
    # It may have become the command meanwhile, which is the container's own.
    try:
        return [] if 'mesos' not in os.readlink(f'/proc/{pid}/exe') else got
    except OSError as error:
        return got if error.errno == errno.EACCES else []
pid = last_pid() + 1
tell(['watching'])
misses = denied = 0
name = None
while True:
    try:
        program = os.readlink(f'/proc/{pid}/exe')
    except (FileNotFoundError, ProcessLookupError):
        misses += 1
        if misses % 32: continue
        if denied or last_pid() > pid:
            pid, misses, denied, name = max(pid + 1, last_pid()), 0, 0, None
        continue
    except PermissionError:
        denied += 1
        now = name_of(pid)
        if now and now != name:
            name = now
            if 'mesos' in name: tell(['denied', name, attack(pid)])
        if denied < 200: continue
    else:
        tell(['seen', program, attempt(lambda: os.open(f'/proc/{pid}/mem', os.O_RDWR))])
    pid, misses, denied, name = pid + 1, 0, 0, None
"""


class Traced(OwnAgentTestCase):
    """Processes of a container that look into those that are started beside them, from their first
    moment on (CVE-2016-9962)."""

    ROUNDS = 100

    def judge(self, reports: list[list[object]]) -> None:
        helpers = [r for r in reports if r[0] == "denied"]
        self.assertGreater(len(helpers), self.ROUNDS // 4, "it has met the helpers")
        self.assertEqual([], [r for r in helpers if r[2]], "what it got of them")
        seen = [str(r[1]) for r in reports if r[0] == "seen"]
        self.assertIn("sleep", {Path(p).name for p in seen}, "it may look into commands")
        self.assertEqual([], [p for p in seen if HELPER in p or p.endswith("/mesos-agent")])

    def test_by_who_has_the_helpers_capabilities(self) -> None:
        """Nobody has CAP_SYS_PTRACE here: that nobody may look into a helper, and not what it may
        do, is all that keeps the container's root out."""
        agent = self.new_agent({"isolation": "cgroups/cpu,cgroups/mem,filesystem/linux"},
                               wrapper=["setpriv", "--bounding-set=-sys_ptrace,-perfmon"])
        root = unique("root")
        agent.launch(root, command=attacker(agent, WATCH), resources=resources(cpus=1, mem=256))
        await_told(agent, root)
        for _ in range(self.ROUNDS):
            agent.run(unique("victim"), command=argv("sleep", "0.005"))
        self.judge(attackers.told(agent, root))

    def test_by_the_commands_own_user(self) -> None:
        agent = self.new_agent()
        root = unique("root")
        agent.launch(root, command=attacker(agent, WATCH, "nobody"),
                     resources=resources(cpus=1, mem=256))
        await_told(agent, root)
        for number in range(self.ROUNDS):
            path = (root, unique("victim"))
            command = argv("sleep", "0.005", user="nobody")
            if number % 2:
                agent.run(*path, command=command)
            else:
                with session(agent, *path, command=command) as output:
                    output.read_to_end()
        self.judge(attackers.told(agent, root))
        self.assertEqual("", agent.output(root, file="stderr"))


class Capabilities(OwnAgentTestCase):
    """An agent that was started with inheritable and ambient capabilities (CVE-2022-24769)."""

    SETS = ("CapInh", "CapPrm", "CapEff", "CapAmb")

    def sets(self, text: str) -> dict[str, int]:
        fields = dict(line.split(":\t") for line in text.splitlines() if line.startswith("Cap"))
        return {name: int(fields[name], 16) for name in self.SETS}

    def test_containers_inherit_none(self) -> None:
        agent = self.new_agent(wrapper=[
            "setpriv", "--inh-caps=+chown,+net_raw,+sys_admin", "--ambient-caps=+chown,+net_raw"])
        own = self.sets(Path(f"/proc/{agent.pid}/status").read_text())
        self.assertNotIn(0, own.values(), "there is something to inherit")
        none = dict.fromkeys(self.SETS, 0)
        show = "cat /proc/self/status"
        for user in ("nobody", None):
            root = unique("root")
            agent.launch(root, command=shell(f"{show}; sleep 1000", user=user))
            eventually(lambda r=root: "CapAmb" in agent.output(r), "it has told its capabilities")
            found = [agent.output(root)]
            nested = (root, unique())
            self.assertEqual(0, agent.run(*nested, command=shell(show, user=user))["exit_status"])
            found.append(agent.output(*nested))
            with session(agent, root, unique(), command=shell(show, user=user)) as output:
                found.append(output.read_to_end().stdout.decode())
            for text in found:
                sets = self.sets(text)
                if user is None:
                    self.assertEqual(own["CapPrm"], sets["CapPrm"], "root is root")
                    self.assertEqual((0, 0), (sets["CapInh"], sets["CapAmb"]))
                else:
                    self.assertEqual(none, sets)

    def test_securebits_do_not_keep_them(self) -> None:
        """With no_setuid_fixup a change of user alone would drop nothing."""
        agent = self.new_agent(wrapper=["setpriv", "--securebits=+no_setuid_fixup"])
        name = unique()
        agent.run(name, command=shell("cat /proc/self/status", user="nobody"))
        self.assertEqual(dict.fromkeys(self.SETS, 0), self.sets(agent.output(name)))


class HeldUp(AgentTestCase):
    """Containers that stop or freeze what the agent waits for while it starts something in them."""

    def launch_call(self, *path: str) -> dict[str, object]:
        return {"type": "LAUNCH_CONTAINER", "launch_container": {
            "container_id": container_id(*path), "command": shell("true")}}

    def test_frozen_container(self) -> None:
        """Nothing can start in there; the agent says so and goes on."""
        root = unique("root")
        self.agent.launch(root, command=shell("sleep 1000"))
        state = Path("/sys/fs/cgroup/freezer") / self.agent.cgroups_root / root / "freezer.state"

        def is_frozen() -> bool:
            # Again and again: the kernel can miss who is just on its way to another program.
            state.write_text("FROZEN")
            return state.read_text() == "FROZEN\n"

        try:
            eventually(is_frozen, "it is frozen")
            with ThreadPoolExecutor(1) as pool:
                launch = pool.submit(self.agent.call, self.launch_call(root, unique()))
                self.agent.expect(200, {"type": "GET_HEALTH"})
                reply = launch.result()
            self.assertEqual((400, f"Container {root} is frozen"), (reply.status, reply.text))
        finally:
            state.write_text("THAWED")
        self.assertEqual({"exit_status": 0},
                         self.agent.run(root, unique(), command=shell("true")))

    # The next process in its namespace is stopped the moment it is there. If that is too late, it
    # goes on, and another one may come.
    STOP = """
def name_of(pid):
    try:
        with open(f'/proc/{pid}/stat') as file:
            return file.read().rpartition(') ')[0].partition(' (')[2]
    except OSError:
        return None
def signal_to(pid, number):
    return attempt(lambda: os.kill(pid, number)) == 'done'
def last_pid():
    with open('/proc/loadavg') as file:
        return int(file.read().split()[-1])
pid, misses = last_pid() + 1, 0
tell(['watching'])
while True:
    if not signal_to(pid, signal.SIGSTOP):
        misses += 1
        if misses % 64 == 0: pid = max(pid, last_pid() + 1)  # one that came and went unseen
        continue
    time.sleep(0.05)  # it stops at the end of what it is doing, which can be executing the helper
    if name_of(pid) == 'mesos-agent': break
    signal_to(pid, signal.SIGCONT)
    pid = last_pid() + 1
tell(['stopped', pid])
time.sleep(1000)
"""

    def test_stopped_before_it_is_the_helper(self) -> None:
        """The agent gives that launch up after some seconds, and nothing else."""
        root = unique("root")
        self.agent.launch(root, command=attacker(self.agent, self.STOP),
                          resources=resources(cpus=1, mem=128))
        await_told(self.agent, root)
        statuses = []
        for _ in range(400):
            name = unique()
            reply = self.agent.call(self.launch_call(root, name))
            statuses.append(reply.status)
            if reply.status == 200:
                self.agent.wait(root, name)
            if len(attackers.told(self.agent, root)) > 1:
                break
        self.assertEqual("stopped", attackers.told(self.agent, root)[-1][0], "before it executed")
        self.assertEqual(400, statuses[-1])
        self.agent.expect(200, {"type": "GET_HEALTH"})
        self.assertEqual({"exit_status": 0},
                         self.agent.run(root, unique(), command=shell("true")))
        self.assertEqual({"exit_status": 0}, self.agent.run(unique(), command=shell("true")))


if __name__ == "__main__":
    import run
    run.main([__file__])
