"""The sockets of ours: which there are, who may connect to them, and who can reach them.

An agent listens on its address and port, and every switchboard on one unix socket. Whoever may
connect to that has the container's input and output, and is not asked who it is. So it is root's.
"""

from __future__ import annotations

import ctypes
import errno
import os
import pwd
import socket
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import leftovers
from attach import attach_output, session, tty, write_input
from harness import AgentTestCase, argv, descriptors, shell, unique
from sessions import ATTACHABLE

LISTENING = 0x10000  # of the flags in /proc/net/unix


@dataclass(frozen=True)
class UnixSocket:
    inode: int
    listening: bool
    name: str  # path, or with "@" an abstract name, or empty


def unix_sockets() -> dict[int, UnixSocket]:
    """All of this network namespace, by inode."""
    found = {}
    for line in Path("/proc/net/unix").read_text().splitlines()[1:]:
        fields = line.split(maxsplit=7)
        inode = int(fields[6])
        found[inode] = UnixSocket(inode, bool(int(fields[3], 16) & LISTENING),
                                  fields[7] if len(fields) > 7 else "")
    return found


def socket_inodes(pid: int) -> set[int]:
    inodes = set()
    for target in descriptors(pid).values():
        if target.startswith("socket:["):
            inodes.add(int(target[len("socket:["):-1]))
    return inodes


def tcp_listeners(inodes: set[int]) -> list[str]:
    """Local addresses, as in /proc/net, on which these sockets listen; and of UDP any at all."""
    found = []
    for table, listening in (("tcp", "0A"), ("tcp6", "0A"), ("udp", None), ("udp6", None)):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if int(fields[9]) in inodes and listening in (None, fields[3]):
                found.append(fields[1])
    return found


def in_container(pid: int, user: str, do: Callable[[], int]) -> int:
    """What that gives in a process of that user with the namespaces of the container's process. It
    must be a number below 254."""
    who = pwd.getpwnam(user)
    child = os.fork()
    if child == 0:
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            # All are opened before any is entered: with the mounts, what is in /proc changes.
            namespaces = [os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY)
                          for kind in ("net", "ipc", "uts", "mnt")]
            for fd in namespaces:
                if libc.setns(fd, 0) != 0:
                    os._exit(254)
            os.setgroups([])
            os.setresgid(who.pw_gid, who.pw_gid, who.pw_gid)
            os.setresuid(who.pw_uid, who.pw_uid, who.pw_uid)
            os._exit(do())
        finally:
            os._exit(255)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def connect(path: Path) -> int:
    """0, or the errno. From the socket's directory: its path may be longer than an address."""
    try:
        os.chdir(path.parent)
    except OSError as error:
        return error.errno
    return connect_to(path.name)


def connect_to(address: str) -> int:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(address)


class Sockets(AgentTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.root_name = unique("root")
        self.agent.launch(self.root_name, command=shell("sleep 100000", user="nobody"))
        self.nested = (self.root_name, unique("attachable"))
        self.agent.launch(*self.nested, command=argv("cat", **ATTACHABLE))
        self.alone = (unique("terminal"),)
        self.agent.launch(*self.alone, command=argv("cat"), container=tty())
        self.session = (self.root_name, unique("session"))
        output = session(self.agent, *self.session, command=argv("cat"))
        self.addCleanup(output.close)
        self.attachable = [self.nested, self.alone, self.session]

    def ours(self) -> dict[int, set[int]]:
        """Socket inodes of the agent and its helpers, by pid; those of commands are not ours."""
        pids = {self.agent.pid, *leftovers.processes(self.agent.owner)}
        return {pid: socket_inodes(pid) for pid in pids}

    def listening(self) -> list[UnixSocket]:
        known = unix_sockets()
        return [known[i] for inodes in self.ours().values() for i in inodes
                if i in known and known[i].listening]

    def paths(self) -> list[Path]:
        """Of the switchboards' sockets."""
        found = [p for p in self.agent.scratch.rglob("*") if stat.S_ISSOCK(p.lstat().st_mode)]
        self.assertEqual(len(self.attachable), len(found), found)
        return found

    def test_what_there_is(self) -> None:
        """One unix socket for each switchboard; one port, the agent's; nothing else."""
        self.assertEqual(len(self.attachable), len(self.listening()))
        inodes = self.ours()
        port = f"0100007F:{self.agent.address[1]:04X}"
        self.assertEqual([port], tcp_listeners(inodes.pop(self.agent.pid)))
        self.assertEqual([], tcp_listeners(set().union(*inodes.values())))

    def test_none_is_abstract(self) -> None:
        """Those have no owner and no mode: anybody in the network namespace may connect."""
        known = unix_sockets()
        for pid, inodes in self.ours().items():
            names = [known[i].name for i in inodes if i in known]
            self.assertEqual([], [n for n in names if n.startswith("@")], pid)
        for listening in self.listening():
            self.assertTrue(listening.name.startswith("/"), listening)

    def test_only_root_may_connect(self) -> None:
        """By the socket's own mode, and by that of a directory above it."""
        for path in self.paths():
            info = path.lstat()
            self.assertEqual((0, 0o600), (info.st_uid, stat.S_IMODE(info.st_mode)), path)
            info = path.parent.stat()
            self.assertEqual((0, 0o700), (info.st_uid, stat.S_IMODE(info.st_mode)), path.parent)

    def test_out_of_reach_of_containers(self) -> None:
        """Of commands that are not root's: by path, through what /proc shows, as abstract name."""
        paths = self.paths()
        switchboards = [pid for pid, inodes in self.ours().items()
                        if pid != self.agent.pid and inodes]
        self.assertEqual(len(paths), len(switchboards))
        detours = [Path(f"/proc/{pid}/root{path}") for pid in switchboards for path in paths]
        pid = self.agent.await_process(self.root_name, containing="sleep 100000")
        for path in (*paths, *detours):
            found = in_container(pid, "nobody", lambda p=path: connect(p))
            self.assertIn(found, (errno.EACCES, errno.ENOENT), path)
        for path in paths:
            for user in ("nobody", "root"):
                name = "\0" + str(path)[-100:]
                found = in_container(pid, user, lambda n=name: connect_to(n))
                self.assertEqual(errno.ECONNREFUSED, found, "there is nobody by that name")

    def test_containers_get_none_handed(self) -> None:
        """Commands start without a socket, whatever is beside them."""
        for path in ((self.root_name,), *self.attachable):
            name = "sleep 100000" if path == (self.root_name,) else "cat"
            pid = self.agent.await_process(*path, containing=name)
            self.assertEqual(set(), socket_inodes(pid), path)

    def test_gone_with_the_container(self) -> None:
        for path in self.attachable:
            self.agent.kill(*path)
            self.assertEqual(9, self.agent.wait(*path)["exit_status"])
        self.attachable = []
        self.assertEqual([], self.paths())
        self.assertEqual([], self.listening())
        self.agent.launch(*self.nested, command=argv("cat", **ATTACHABLE))
        with attach_output(self.agent, *self.nested) as output:
            write_input(self.agent, *self.nested, data=b"x")
            self.assertEqual(b"x", output.read_to_end().stdout)


if __name__ == "__main__":
    import run
    run.main([__file__])
