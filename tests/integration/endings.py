"""Ways in which a command can end, with the status that each must be reported with."""

from __future__ import annotations

from harness import argv, shell
from wire import Message

# (command, raw wait status)
ENDINGS: list[tuple[Message, int]] = [
    (shell("exit 0"), 0),
    (shell("exit 1"), 1 << 8),
    (shell("exit 255"), 255 << 8),
    (argv("true"), 0),
    (argv("false"), 1 << 8),
    (shell("kill -TERM $$"), 15),
    (shell("kill -KILL $$"), 9),
    (shell("kill -HUP $$"), 1),
    (shell("ulimit -c 0; kill -SEGV $$"), 11),
    (argv("/no/such"), 1 << 8),
    (argv("/etc/passwd"), 1 << 8),
    (argv("no-such-program"), 1 << 8),
]
