"""Where a replayed exchange is meant to be answered differently than it was recorded, and why.

Three kinds only: what docs/compatibility.md lists as better than Apache Mesos; what follows from
using a standalone container as ${PARENT}, where the recording had an executor's; and what names
the build. Everything not listed here must be as recorded.
"""

from __future__ import annotations

import re
import stat
import unittest
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Check = Callable[[unittest.TestCase, Any, dict[str, str]], None]


@dataclass(frozen=True)
class Difference:
    reason: str
    status: int
    # The exact body (${NAMES} allowed, chunks framed), a pattern, or a check of the JSON message.
    body: str | re.Pattern[str] | Check


HEALTHY = '{"type":"GET_HEALTH","get_health":{"healthy":true}}'

CHARSET = "parameters of Content-Type are ignored and types compared without regard to case"
STANDALONE = "the parent is a standalone container, and those can be attached to as any other"
LISTED = "the parent is a standalone container, no executor; container_id keeps its parents"
KEPT = "the termination of an ended standalone container is kept"
ONE_STATUS = "a failed exec is exit status 1; Mesos's helper writes it into its status file twice"

# Keys of resource_statistics with cgroups/cpu and cgroups/mem on cgroup v1, in order.
STATISTICS = [
    "timestamp", "cpus_user_time_secs", "cpus_system_time_secs", "cpus_soft_limit",
    "mem_total_bytes", "mem_kmem_usage_bytes", "mem_kmem_tcp_usage_bytes", "mem_limit_bytes",
    "mem_soft_limit_bytes", "mem_file_bytes", "mem_anon_bytes", "mem_cache_bytes",
    "mem_rss_bytes", "mem_mapped_file_bytes", "mem_swap_bytes", "mem_unevictable_bytes",
    "mem_low_pressure_counter", "mem_medium_pressure_counter", "mem_critical_pressure_counter",
]


def containers(*expected: tuple[str, ...]) -> Check:
    """GET_CONTAINERS lists exactly these, each a path of ${NAMES}, with status and statistics."""

    def check(test: unittest.TestCase, message: Any, names: dict[str, str]) -> None:
        test.assertEqual({"type", "get_containers"}, set(message))
        listed = {}
        for entry in message["get_containers"].get("containers", []):
            test.assertEqual(["container_id", "container_status", "resource_statistics"],
                             list(entry), "an executor's fields, or a field missing")
            status = entry["container_status"]
            test.assertEqual(entry["container_id"], status["container_id"])
            test.assertEqual(["container_id", "executor_pid"], list(status))
            path: list[str] = []
            node = entry["container_id"]
            while node is not None:
                path.insert(0, node["value"])
                node = node.get("parent")
            # Whether the kernel accounts swap differs between hosts.
            listed[tuple(path)] = [key for key in entry["resource_statistics"]
                                   if key != "mem_total_memsw_bytes"]
        wanted = {}
        for path_names in expected:
            keys = STATISTICS if len(path_names) == 1 else ["timestamp"]
            wanted[tuple(names[n] for n in path_names)] = keys
        test.assertEqual(wanted, listed)

    return check


def files(*expected: tuple[str, str]) -> Check:
    """LIST_FILES or /files/browse lists exactly these (name, mode), whose sizes and times are this
    run's; the directory is that of ${FILES}, or below a path that ends in it."""

    def check(test: unittest.TestCase, message: Any, names: dict[str, str]) -> None:
        is_call = isinstance(message, dict)
        entries = message["list_files"]["file_infos"] if is_call else message
        fields = (["path", "nlink", "size", "mtime", "mode", "uid", "gid"] if is_call else
                  ["gid", "mode", "mtime", "nlink", "path", "size", "uid"])
        listed = []
        for entry in entries:
            test.assertEqual(fields, list(entry))
            directory, _, name = entry["path"].rpartition("/")
            test.assertIn(names["FILES"], directory)
            test.assertEqual(("root", "root"), (entry["uid"], entry["gid"]))
            mode = stat.filemode(entry["mode"]) if is_call else entry["mode"]
            listed.append((name, mode))
            if name == "f":
                test.assertEqual((10, 1), (entry["size"], entry["nlink"]))
        test.assertEqual(list(expected), listed)

    return check


def siblings(test: unittest.TestCase, message: Any, names: dict[str, str]) -> None:
    """The directory above that of ${FILES} has nothing but that in this run."""
    entries = message["list_files"]["file_infos"] if isinstance(message, dict) else message
    test.assertEqual([f"/containers/{names['FILES']}/../{names['FILES']}"],
                     [entry["path"][entry["path"].rindex("/containers/"):] for entry in entries])


_RUN = ("${WORK}/work/slaves/${AGENT}/frameworks/${FRAMEWORK}/executors/parent/runs/${PARENT}"
        "/containers/${FILES}")
_SHORT = "/frameworks/${FRAMEWORK}/executors/parent/runs/latest"
_LISTED = files(("dd", "drwxr-xr-x"), ("f", "-rw-r--r--"), ("in", "-rw-r--r--"),
                ("out", "lrwxrwxrwx"), ("stderr", "-rw-r--r--"), ("stdout", "-rw-r--r--"))
LINK = "a link that leads out of the sandbox is listed as itself; times and sizes are this run's"
NO_EXECUTOR = "there are no executors, so their short paths lead nowhere"

DIFFERENCES: dict[tuple[str, str], Difference] = {
    ("negotiation", "health: charset"): Difference(CHARSET, 200, HEALTHY),
    ("negotiation", "health: content type upper"): Difference(CHARSET, 200, HEALTHY),
    ("negotiation", "method HEAD"): Difference(
        "a reply to HEAD has no body, or the next reply could not be found", 405, ""),
    ("negotiation", "body duplicate key"): Difference(
        "another version", 200,
        re.compile(r'^\{"type":"GET_VERSION","get_version":\{"version_info":'
                   r'\{"version":"\d+\.\d+\.\d+[^"]*"[^{}]*\}\}\}$')),

    ("containers", "containers plain"): Difference(LISTED, 200, containers()),
    ("containers", "containers nested"): Difference(LISTED, 200, containers(("PARENT", "NESTED"))),
    ("containers", "containers all"): Difference(
        LISTED, 200, containers(("PARENT",), ("PARENT", "NESTED"))),
    ("containers", "containers standalone"): Difference(
        LISTED, 200, containers(("PARENT",), ("STANDALONE",))),
    ("containers", "wait missing binary"): Difference(
        ONE_STATUS, 200,
        '{"type":"WAIT_NESTED_CONTAINER","wait_nested_container":{"exit_status":256}}'),
    ("containers", "launch unknown user"): Difference(
        "sandboxes of standalone trees are elsewhere", 400,
        "Failed to create nested sandbox '${WORK}/work/containers/${PARENT}/containers/${BADUSER}'"
        ": Failed to chown directory to 'nosuchuser': No such user 'nosuchuser'"),
    ("containers", "attach output standalone"): Difference(
        STANDALONE, 500, "I/O switchboard server was disabled for this container"),
    ("containers", "session under standalone"): Difference(STANDALONE, 200, "0\r\n\r\n"),
    ("containers", "wait standalone"): Difference(
        KEPT, 200, '{"type":"WAIT_CONTAINER","wait_container":{"exit_status":9}}'),
    ("containers", "wait standalone again"): Difference(
        KEPT, 200, '{"type":"WAIT_CONTAINER","wait_container":{"exit_status":9}}'),

    **{("files", f"{call} {_RUN}{end}"): Difference(LINK, 200, _LISTED)
       for call in ("LIST_FILES", "browse") for end in ("", "/")},
    **{("files", f"{call} {_RUN}/.."): Difference("only one container is there", 200, siblings)
       for call in ("LIST_FILES", "browse")},
    **{("files", f"{call} {_SHORT}{end}"): Difference(NO_EXECUTOR, 404, "")
       for call in ("LIST_FILES", "browse") for end in ("", "/containers/${FILES}")},
}
