#!/usr/bin/env python3
"""Counts the system calls that a launch and a session cost; see scripts/count-syscalls."""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

CALL = re.compile(r"([a-z]\w*)\(")
EXEC = re.compile(r'exec(?:ve|veat)\((?:[^"]*)"([^"]*)", \["([^"]*)"')
TRACER_TIMEOUT = 30


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/count-syscalls", description=(
        "The system calls of a launch and of a session, by process and by call, counted with strace. "
        "Needs root. Counts are the same on every machine, however busy it is."))
    parser.add_argument("--bin-dir", help="binaries under test (default: build/release/bin)")
    parser.add_argument("--times", type=int, default=50, metavar="N")
    parser.add_argument("--top", type=int, default=8, metavar="N",
                        help="how many calls to name for each process")
    return parser.parse_args()


def count_file(trace: Path, is_agent: bool, counts: dict[str, Counter[str]]) -> None:
    """One thread's calls. A process made by the agent is the agent's work until it executes."""
    role = "agent" if is_agent else "agent's children before exec"
    for line in trace.read_text(errors="replace").splitlines():
        call = CALL.match(line)
        if call is None:
            continue
        counts.setdefault(role, Counter())[call[1]] += 1
        executed = EXEC.match(line)
        if executed and line.endswith(" = 0"):
            role = executed[2].rpartition("/")[2]


def traced(agent: Any, work: Callable[[str], None],
           names: list[str]) -> dict[str, Counter[str]]:
    """What the agent, and all that it starts, calls during work on all of the names."""
    with tempfile.TemporaryDirectory(prefix="mesos-syscalls-") as directory:
        tracer = subprocess.Popen(
            ["strace", "-ff", "-q", "-s", "256", "-o", f"{directory}/trace", "-p", str(agent.pid)],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + TRACER_TIMEOUT
            while f"TracerPid:\t{tracer.pid}" not in Path(
                    f"/proc/{agent.pid}/status").read_text():
                if time.monotonic() > deadline or tracer.poll() is not None:
                    raise RuntimeError("strace does not attach")
                time.sleep(0.01)
            threads = {task.name for task in Path(f"/proc/{agent.pid}/task").iterdir()}
            for name in names:
                work(name)
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.wait(TRACER_TIMEOUT)
        counts: dict[str, Counter[str]] = {}
        for trace in Path(directory).iterdir():
            count_file(trace, trace.suffix[1:] in threads, counts)
        return counts


def show(kind: str, times: int, counts: dict[str, Counter[str]], top: int) -> None:
    whole = sum(c.total() for c in counts.values())
    print(f"\n{kind}: {whole / times:.1f} system calls each")
    for role, calls in sorted(counts.items(), key=lambda item: -item[1].total()):
        named = ", ".join(f"{name} {n / times:.1f}" for name, n in calls.most_common(top))
        print(f"  {calls.total() / times:6.1f}  {role}: {named}")


def main() -> int:
    options = parse_arguments()
    if options.bin_dir:
        os.environ["MESOS_AGENT_BIN_DIR"] = str(Path(options.bin_dir).resolve())
    from attach import session
    from harness import Agent, argv, resources
    small = resources(cpus=1, mem=64)
    agent = Agent("syscalls").start()

    def launch(name: str, own: list[dict[str, Any]] | None) -> None:
        container = {"type": "MESOS", "linux_info": {"share_cgroups": False}}
        agent.launch("parent", name, command=argv("true"), resources=own, nested=own is None,
                     container=container if own else None)
        agent.wait("parent", name)

    def echo(name: str) -> None:
        with session(agent, "parent", name, command=argv("echo", "hello")) as output:
            output.read_to_end()

    kinds: dict[str, Callable[[str], None]] = {
        "launch and wait of true, parent's cgroups": lambda name: launch(name, None),
        "launch and wait of true, cgroups of its own": lambda name: launch(name, small),
        "session of echo": echo,
    }
    try:
        agent.launch("parent", command=argv("sleep", "100000"), resources=resources(cpus=1, mem=256))
        for number, (kind, one) in enumerate(kinds.items()):
            one(f"first-{number}")
            names = [f"{number}-{i}" for i in range(options.times)]
            show(kind, options.times, traced(agent, one, names), options.top)
    finally:
        agent.shutdown()
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    sys.exit(main())
