#!/usr/bin/env python3
"""Mixed load on one agent for a given time; see scripts/soak."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

SECONDS = {"s": 1, "secs": 1, "m": 60, "mins": 60, "h": 3600, "hrs": 3600}
READERS = 3


def duration(text: str) -> float:
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = text[len(number):] or "s"
    if unit not in SECONDS:
        raise argparse.ArgumentTypeError(f"'{text}' is no duration: 90s, 10m, 1h")
    return float(number) * SECONDS[unit]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/soak", description=(
        "Launches, nested containers, sessions, attached readers and writers, kills, removals, "
        "polls and vanishing clients, for as long as you say. Prints what the agent holds at the "
        "start, every minute and at the end. Fails if that does not come back to what it was, or "
        "if any exit status or byte was wrong. Needs root; leaves nothing behind."))
    parser.add_argument("duration", nargs="?", type=duration, default=600.0,
                        help="90s, 10m (default), 1h")
    parser.add_argument("--bin-dir", help="binaries under test (default: build/release/bin)")
    parser.add_argument("--clients", type=int, default=6, metavar="N")
    parser.add_argument("--seed", type=int, metavar="N", help="of the clients' choices")
    return parser.parse_args()


@dataclass
class Figures:
    """What the agent holds."""

    rss_kib: int
    fds: int
    threads: int
    processes: int  # helpers, switchboards, commands
    cgroups: int
    entries: int    # files and directories in its two directories

    def line(self) -> str:
        return "  ".join(f"{f.name} {getattr(self, f.name):>7}" for f in fields(self))


def measure(agent: Any) -> Figures:
    import leftovers
    status = dict(line.split(":", 1) for line in
                  Path(f"/proc/{agent.pid}/status").read_text().splitlines())
    return Figures(
        rss_kib=int(status["VmRSS"].split()[0]),
        fds=agent.fd_count(),
        threads=int(status["Threads"]),
        processes=len(leftovers.processes(agent.owner, frozenset({agent.pid}))),
        cgroups=len([c for c in leftovers.container_cgroups(agent.owner) if "holds pid" not in c]),
        entries=sum(len(d) + len(f) for top in (agent.runtime_dir, agent.work_dir)
                    for _, d, f in os.walk(top)))


def differences(before: Figures, after: Figures, sanitized: bool) -> list[str]:
    """What has not come back. A heap keeps a few holes; all else is exact."""
    allowed = {"rss_kib": max(2048, before.rss_kib // 5) * (8 if sanitized else 1)}
    return [f"{f.name}: {getattr(before, f.name)} at the start, {getattr(after, f.name)} at the end"
            for f in fields(before)
            if getattr(after, f.name) > getattr(before, f.name) + allowed.get(f.name, 0)]


class Witness:
    """A container that writes all the time, and readers who stay attached to the end."""

    PATH = ("witness",)

    def __init__(self, agent: Any) -> None:
        import attach
        from harness import shell
        from load import ATTACHABLE
        self.agent = agent
        agent.launch(*self.PATH, command=shell(
            "read go; i=0; while ! test -e over; do i=$((i + 1)); echo line $i; sleep 0.05; done; "
            "exit 7", **ATTACHABLE))
        self.streams = [attach.attach_output(agent, *self.PATH) for _ in range(READERS)]
        self.problems: list[str] = []
        self.threads = [threading.Thread(target=self._read, args=(s,)) for s in self.streams]
        for thread in self.threads:
            thread.start()
        attach.write_input(agent, *self.PATH, data=b"go\n", eof=False)

    def _read(self, stream: Any) -> None:
        try:
            stream.read_to_end()
        except Exception as error:
            self.problems.append(f"a reader of the witness: {error!r}")

    def end(self) -> list[str]:
        from load import differ
        (self.agent.sandbox(*self.PATH) / "over").touch()
        for thread in self.threads:
            thread.join(60)
        status = self.agent.wait(*self.PATH)
        if status.get("exit_status") != 7 << 8:
            self.problems.append(f"the witness ended with {status}")
        written = self.agent.output(*self.PATH).encode()
        count = written.count(b"\n")
        if written != b"".join(b"line %d\n" % i for i in range(1, count + 1)):
            self.problems.append("the witness's file is damaged")
        for stream in self.streams:
            if bytes(stream.stdout) != written:
                self.problems.append(f"a reader of the witness: {differ(stream.stdout, written)}")
            stream.close()
        self.agent.remove(*self.PATH)
        return self.problems


def settle(agent: Any, before: Figures, sanitized: bool) -> Figures:
    """The figures when they are as before, or after a while."""
    deadline = time.monotonic() + 30
    while differences(before, after := measure(agent), sanitized) and time.monotonic() < deadline:
        time.sleep(0.5)
    return after


def soak(agent: Any, options: argparse.Namespace) -> list[str]:
    from load import Load

    def load(seconds: float, report: bool) -> list[str]:
        clients = Load(agent, options.clients, seed=options.seed)
        clients.start()
        begin = time.monotonic()
        next_report = begin + 60
        while (now := time.monotonic()) < begin + seconds and len(clients.problems) < 20:
            agent.check_alive()
            if report and now >= next_report:
                next_report += 60
                done = sum(clients.counts.values())
                print(f"{(now - begin) / 60:4.0f} min  {measure(agent).line()}  done {done}",
                      flush=True)
            time.sleep(0.2)
        problems = clients.stop()
        if report:
            print(f"done: {dict(clients.counts)}", flush=True)
        return problems

    # Buffers, threads and the heap have their size only after some work.
    problems = load(min(20, options.duration / 5), report=False)
    sanitized = b"__asan_init" in (Path(f"/proc/{agent.pid}/exe").read_bytes())
    time.sleep(1)
    before = measure(agent)
    print(f"   start  {before.line()}", flush=True)
    witness = Witness(agent)
    problems += load(options.duration, report=True)
    problems += witness.end()
    after = settle(agent, before, sanitized)
    print(f"     end  {after.line()}", flush=True)
    return problems + differences(before, after, sanitized)


def break_off(*_: object) -> None:
    sys.exit(130)  # through exit(): nothing is left running


def main() -> None:
    options = parse_arguments()
    if options.bin_dir:
        os.environ["MESOS_AGENT_BIN_DIR"] = str(Path(options.bin_dir).resolve())
    signal.signal(signal.SIGTERM, break_off)
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from harness import Agent
    agent = Agent("soak", {"logging_level": "WARNING"})
    problems = []
    try:
        agent.start()
        problems = soak(agent, options)
    except AssertionError as error:
        problems.append(str(error))
    finally:
        with contextlib.suppress(OSError):
            warnings = agent.log.read_text(errors="replace").splitlines()
        try:
            agent.shutdown()
        except AssertionError as error:
            problems.append(str(error))
    for line in warnings[-20:]:
        print(f"log: {line}")
    for problem in problems:
        print(f"WRONG: {problem}", file=sys.stderr)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
