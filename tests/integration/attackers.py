"""Programs that containers run to attack the agent, and what they find.

An attacker is Python source, run by the container's command with its working directory in the
sandbox. It gets `tell(anything)`, by which it reports: one JSON text a line, in the file `told` of
its sandbox.
"""

from __future__ import annotations

import json
from typing import Any

from harness import Agent, argv, eventually, unique
from wire import Message

# Not ours: that may be where only root can execute it.
PYTHON = "/usr/bin/python3"

_PRELUDE = """\
import ctypes, errno, json, os, signal, stat, sys, time
LIBC = ctypes.CDLL(None, use_errno=True)
_told = open('told', 'a', buffering=1)
def tell(what):
    _told.write(json.dumps(what) + '\\n')
def attempt(do):
    '''The name of the error that this fails with; "done" if it does not fail.'''
    try:
        do()
        return 'done'
    except OSError as error:
        return errno.errorcode[error.errno]
"""


def attacker(agent: Agent, source: str, user: str | None = None, **env: str) -> Message:
    """The command of a container that runs the source."""
    path = agent.scratch / f"{unique('attacker')}.py"
    path.write_text(_PRELUDE + source)
    return argv(PYTHON, "-u", str(path), user=user, **env)


def told(agent: Agent, *path: str) -> list[Any]:
    """What the attacker in that container has reported by now."""
    try:
        text = (agent.sandbox(*path) / "told").read_text()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def await_told(agent: Agent, *path: str, count: int = 1) -> list[Any]:
    """The same, once there are so many reports."""
    def enough() -> list[Any] | None:
        reports = told(agent, *path)
        return reports if len(reports) >= count else None

    try:
        return eventually(enough, f"{count} reports of {'.'.join(path)}")
    except AssertionError as error:
        raise AssertionError(f"{error}: {told(agent, *path)}, "
                             f"{agent.output(*path, file='stderr')}") from None
