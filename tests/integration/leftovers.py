"""What an agent under test may have left behind on the host: found, described, and scrubbed.

Everything an agent makes carries its scratch directory or its cgroup root somewhere: in a
process's command line, environment, open files, working directory or cgroups; in a mount; in a
cgroup's name; in a socket's path. Only such things are looked at, so that agents of other test
runs on the same host never count.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import stat
import time
from dataclasses import dataclass
from pathlib import Path

import cgroups

_MNT_DETACH = 2


@dataclass(frozen=True)
class Owner:
    """What an agent's traces are recognised by."""

    scratch: Path       # its scratch directory, parent of work_dir and runtime_dir
    cgroups_root: str   # its --cgroups_root


def _process_traces(pid: int, owner: Owner) -> str | None:
    """Why that process belongs to the agent, or None."""
    proc = Path("/proc") / str(pid)
    scratch = str(owner.scratch).encode()
    try:
        if f"/{owner.cgroups_root}/" in (proc / "cgroup").read_text():
            return "in a cgroup of the agent"
        if scratch in (proc / "cmdline").read_bytes():
            return "names the scratch directory on its command line"
        if scratch in (proc / "environ").read_bytes():
            return "names the scratch directory in its environment"
        for link in ("cwd", "root", "exe"):
            if os.readlink(proc / link).encode().startswith(scratch):
                return f"its {link} is in the scratch directory"
        for fd in os.listdir(proc / "fd"):
            with contextlib.suppress(OSError):
                if os.readlink(proc / "fd" / fd).encode().startswith(scratch):
                    return "has a file of the scratch directory open"
    except (OSError, ValueError):
        return None  # gone, or a kernel thread
    return None


def _is_zombie(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(") ")[2][0] == "Z"
    except OSError:
        return False


def processes(owner: Owner, besides: frozenset[int] = frozenset()) -> dict[int, str]:
    """Processes of the agent: pid -> why it is one, and its command line."""
    found = {}
    skip = besides | {os.getpid()}
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) in skip:
            continue
        why = _process_traces(int(entry), owner)
        if why is not None and not _is_zombie(int(entry)):
            try:
                command = (Path("/proc") / entry / "cmdline").read_bytes().replace(b"\0", b" ")
            except OSError:
                continue
            found[int(entry)] = f"{command.decode('utf-8', 'replace')[:200]!r} ({why})"
    return found


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


def mounts(owner: Owner) -> list[str]:
    """Mount points in the scratch directory, innermost first."""
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [p for p in reversed(points) if p.startswith(str(owner.scratch))]


def unexpected_mounts(owner: Owner) -> list[str]:
    """Without the self binds by which an agent makes its two directories mount points.

    Those stay on purpose as long as the agent's directories do: running containers and a
    restarted agent rely on them.
    """
    allowed = {str(owner.scratch / "work"), str(owner.scratch / "run"),
               str(owner.scratch / "run" / "containers")}
    return [m for m in mounts(owner) if m not in allowed]


def container_cgroups(owner: Owner) -> list[str]:
    """Cgroups below the agent's root; the empty root itself may stay, like the two mounts."""
    found: list[str] = []
    for root in cgroups.roots(owner.cgroups_root):
        if root.name != owner.cgroups_root:
            continue
        found += [str(c) for c in cgroups.children(root)]
        found += [f"{root} still holds pid {pid}" for pid in cgroups.processes_below(root)]
    return found


def sockets(owner: Owner) -> list[str]:
    """Unix socket files in the scratch directory, but for the agent's own listening socket."""
    found = []
    for parent, _, files in os.walk(owner.scratch):
        for name in files:
            path = os.path.join(parent, name)
            with contextlib.suppress(OSError):
                if stat.S_ISSOCK(os.lstat(path).st_mode) and name != "agent.sock":
                    found.append(path)
    return found


def find(owner: Owner, besides: frozenset[int] = frozenset()) -> list[str]:
    """One line for each thing that should not be there once all containers have ended."""
    found = [f"process {pid}: {what}" for pid, what in processes(owner, besides).items()]
    found += [f"mount {m}" for m in unexpected_mounts(owner)]
    found += [f"cgroup {c}" for c in container_cgroups(owner)]
    found += [f"socket {s}" for s in sockets(owner)]
    return found


def wait_for_none(owner: Owner, seconds: float,
                  besides: frozenset[int] = frozenset()) -> list[str]:
    """What is still there after that time; things may take a moment to go."""
    deadline = time.monotonic() + seconds
    while (found := find(owner, besides)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def scrub(owner: Owner) -> None:
    """Remove every trace of the agent, so that one failing test does not spoil the next."""
    for root in cgroups.roots(owner.cgroups_root):
        if root.name == owner.cgroups_root:
            cgroups.destroy(root)
    for pid in processes(owner):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    libc = ctypes.CDLL(None, use_errno=True)
    for _ in range(10):
        points = mounts(owner)
        if not points:
            break
        for point in points:
            libc.umount2(point.encode(), _MNT_DETACH)
