"""The host's cgroup hierarchies, as far as the tests look at them (v1, v2 and hybrid hosts)."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path


@functools.cache
def hierarchies() -> dict[str, Path]:
    """Mount point of each v1 controller (or `name=x` hierarchy), and of cgroup2 as "unified"."""
    found: dict[str, Path] = {}
    controllers = {line.split()[0] for line in Path("/proc/cgroups").read_text().splitlines()}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        fstype, _, options = after.split()[:3]
        mount_point = Path(before.split()[4])
        if fstype == "cgroup2":
            found.setdefault("unified", mount_point)
        elif fstype == "cgroup":
            for option in options.split(","):
                if option.startswith("name=") or option in controllers:
                    found.setdefault(option, mount_point)
    return found


def directory(controller: str, root: str, path: Iterable[str]) -> Path:
    """Where a container's own cgroup is: <hierarchy>/<root>/<id>[/mesos/<child>...]."""
    return hierarchies()[controller] / root / "/mesos/".join(path)


def own_directories(root: str, path: Iterable[str]) -> dict[str, Path]:
    """The cgroups of that container's own that exist, by controller."""
    path = list(path)
    found = {c: directory(c, root, path) for c in hierarchies()}
    return {c: d for c, d in found.items() if d.is_dir()}


def read(controller: str, root: str, path: Iterable[str], file: str) -> str:
    return (directory(controller, root, path) / file).read_text().strip()


def processes_below(directory_: Path) -> set[int]:
    """Pids in a cgroup and in all cgroups below it."""
    pids: set[int] = set()
    for parent, _, files in os.walk(directory_):
        if "cgroup.procs" in files:
            with contextlib.suppress(OSError):
                pids.update(map(int, (Path(parent) / "cgroup.procs").read_text().split()))
    return pids


def container_pids(root: str, path: Iterable[str]) -> set[int]:
    """Pids of a container and of the containers nested in it, its init included."""
    pids: set[int] = set()
    for found in own_directories(root, path).values():
        pids |= processes_below(found)
    return pids


def roots(prefix: str) -> list[Path]:
    """Top-level cgroups whose name starts with that, in every hierarchy."""
    return [d for mount in sorted(set(hierarchies().values())) for d in mount.glob(f"{prefix}*")]


def children(directory_: Path) -> list[Path]:
    return [Path(parent) for parent, _, _ in os.walk(directory_) if Path(parent) != directory_]


def destroy(directory_: Path) -> None:
    """Kill what is in a cgroup tree that a test made and remove it (cleaning up after failures)."""
    deadline = time.monotonic() + 10
    while directory_.is_dir() and time.monotonic() < deadline:
        freezer = directory_ / "freezer.state"
        for pid in processes_below(directory_):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for parent, _, files in os.walk(directory_):
            if "freezer.state" in files and freezer.exists():
                with contextlib.suppress(OSError):
                    (Path(parent) / "freezer.state").write_text("THAWED")
        for parent, _, _ in os.walk(directory_, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(parent)
        time.sleep(0.02)
