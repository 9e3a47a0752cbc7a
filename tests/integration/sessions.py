"""What tests of sessions and attaches share: a root to open them in, data, a look at processes."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

import leftovers
from attach import Output, session
from harness import Agent, AgentTestCase, eventually, resources, shell, unique
from wire import Message

MB = 1 << 20
ATTACHABLE = {"MESOS_CONTAINER_ATTACHABLE": "true"}
DISABLED = "I/O switchboard server was disabled for this container"


def switchboard_of(agent: Agent, *path: str) -> int:
    """Pid of the container's switchboard."""
    file = agent.runtime_dir / "containers" / "/containers/".join(path) / "io_switchboard" / "pid"
    return int(eventually(lambda: file.exists() and file.read_text(), "its pid").split()[0])


def random_file(agent: Agent, size: int) -> tuple[Path, str]:
    """A file of random bytes that containers can read, and its sha256."""
    path = agent.scratch / f"random-{size}"
    digest = hashlib.sha256()
    if not path.exists():
        with path.open("wb") as file:
            for _ in range(size // MB):
                file.write(os.urandom(MB))
    with path.open("rb") as file:
        while block := file.read(MB):
            digest.update(block)
    return path, digest.hexdigest()


def rss(pid: int) -> int:
    """Resident bytes of a process, 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    except (OSError, IndexError):
        return 0


def helper_processes(agent: Agent) -> dict[int, str]:
    """Processes that belong to the agent besides itself, by pid, with their program's path."""
    found = {}
    for pid in leftovers.processes(agent.owner, frozenset({agent.pid})):
        with contextlib.suppress(OSError):
            found[pid] = os.readlink(f"/proc/{pid}/exe")
    return found


class SessionTestCase(AgentTestCase):
    """One root per class to open sessions in."""

    MEMORY = 512

    def setUp(self) -> None:
        super().setUp()
        self.root_name = unique("root")
        self.agent.launch(self.root_name, command=shell("sleep 100000", INHERITED="from root"),
                          resources=resources(cpus=1, mem=self.MEMORY))

    def new(self) -> tuple[str, str]:
        """A path for another session."""
        return (self.root_name, unique("session"))

    def status(self, *path: str) -> int:
        return self.agent.wait(*path)["exit_status"]

    def start(self, *path: str, command: Message, **kwargs: object) -> Output:
        output = session(self.agent, *path, command=command, **kwargs)
        self.addCleanup(output.close)
        return output
