"""How often processes wake up that have nothing to do."""

from __future__ import annotations

import time
from pathlib import Path

from harness import eventually

SWITCHES = ("voluntary_ctxt_switches", "nonvoluntary_ctxt_switches")


def switches(pids: tuple[int, ...]) -> int:
    """How often the threads of these processes have been put aside, which is each time they wait."""
    total = 0
    for pid in pids:
        for status in Path(f"/proc/{pid}/task").glob("*/status"):
            fields = dict(line.split(":\t", 1) for line in status.read_text().splitlines())
            total += sum(int(fields[name]) for name in SWITCHES)
    return total


def wakeups(*pids: int, seconds: float = 1.5) -> int:
    """How often they wake up in that time, once they all sleep."""
    def settled() -> bool:
        before = switches(pids)
        time.sleep(0.3)
        return switches(pids) == before
    eventually(settled, "they sleep")
    before = switches(pids)
    time.sleep(seconds)
    return switches(pids) - before
