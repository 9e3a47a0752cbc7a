"""Where a replayed exchange is meant to be answered differently than it was recorded, and why.

Three kinds only: what docs/compatibility.md lists as better than Apache Mesos; what follows from
using a standalone container as ${PARENT}, where the recording had an executor's; and what names
the build. Everything not listed here must be as recorded.
"""

from __future__ import annotations

import json
import re
import stat
import unittest
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Check = Callable[[unittest.TestCase, Any, dict[str, str]], None]


@dataclass(frozen=True)
class Difference:
    reason: str
    status: int
    # The exact body (${NAMES} allowed, chunks framed), a pattern, or a check of the JSON message.
    body: str | re.Pattern[str] | Check
    content_type: str = "application/json"  # of a 200 with a body that is no stream


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


def metric_names() -> list[str]:
    """The names that were recorded, in order."""
    for line in (Path(__file__).resolve().parents[1] / "data" / "recordings"
                 / "get-calls.jsonl").read_text().splitlines():
        entry = json.loads(line)
        if entry["case"] == "GET /metrics/snapshot":
            return list(json.loads(entry["response"]["body"]["text"]))
    raise AssertionError("not recorded")


def metrics(test: unittest.TestCase, message: Any, _: dict[str, str]) -> None:
    """The same names, with numbers of this run."""
    if "get_metrics" in message:
        test.assertEqual("GET_METRICS", message["type"])
        message = {m["name"]: m["value"] for m in message["get_metrics"]["metrics"]}
    test.assertEqual(metric_names(), list(message))
    for name, value in message.items():
        test.assertIsInstance(value, float, name)
    test.assertEqual((2.0, 1024.0), (message["slave/cpus_total"], message["slave/mem_total"]))


def flags(test: unittest.TestCase, message: Any, names: dict[str, str]) -> None:
    """Our own flags, sorted, all texts."""
    if "get_flags" in message:
        message = {"flags": {f["name"]: f["value"] for f in message["get_flags"]["flags"]}}
    test.assertEqual(["flags"], list(message))
    test.assertEqual(sorted(message["flags"]), list(message["flags"]))
    for name, value in message["flags"].items():
        test.assertIsInstance(value, str, name)
    test.assertEqual(("rack:abc;zone:1", names["AGENT_PORT"]),
                     (message["flags"]["attributes"], message["flags"]["port"]))


def state(test: unittest.TestCase, message: Any, names: dict[str, str]) -> None:
    """/state of a standalone agent: as recorded, without what a master gives."""
    test.assertEqual([
        "version", "git_tag", "build_date", "build_time", "build_user", "start_time", "id", "pid",
        "hostname", "capabilities", "resources", "reserved_resources", "unreserved_resources",
        "reserved_resources_full", "unreserved_resources_full", "reserved_resources_allocated",
        "unreserved_resources_allocated", "resource_providers", "attributes", "flags",
        "frameworks", "completed_frameworks"], list(message))
    own = {"disk": 1024.0, "mem": 1024.0, "gpus": 0.0, "cpus": 2.0, "ports": "[31000-31100]"}

    def scalar(name: str, value: float) -> dict[str, Any]:
        return {"name": name, "type": "SCALAR", "scalar": {"value": value}, "role": "*"}

    expected = {
        "id": "", "pid": f"slave(1)@127.0.0.1:{names['AGENT_PORT']}", "hostname": "127.0.0.1",
        "capabilities": ["MULTI_ROLE", "HIERARCHICAL_ROLE", "RESERVATION_REFINEMENT",
                         "RESOURCE_PROVIDER", "RESIZE_VOLUME", "AGENT_OPERATION_FEEDBACK",
                         "AGENT_DRAINING", "TASK_RESOURCE_LIMITS"],
        "resources": own, "reserved_resources": {}, "unreserved_resources": own,
        "reserved_resources_full": {},
        "unreserved_resources_full": [
            scalar("cpus", 2.0), scalar("mem", 1024.0), scalar("disk", 1024.0),
            {"name": "ports", "type": "RANGES",
             "ranges": {"range": [{"begin": 31000, "end": 31100}]}, "role": "*"}],
        "reserved_resources_allocated": {},
        "unreserved_resources_allocated": {"disk": 0.0, "mem": 0.0, "gpus": 0.0, "cpus": 0.0},
        "resource_providers": [], "attributes": {"rack": "abc", "zone": 1.0},
        "frameworks": [], "completed_frameworks": []}
    test.assertEqual(expected, {key: message[key] for key in expected})
    test.assertEqual(list(own), list(message["resources"]))
    flags(test, {"flags": message["flags"]}, names)


def system(test: unittest.TestCase, message: Any, _: dict[str, str]) -> None:
    test.assertEqual(["avg_load_15min", "avg_load_1min", "avg_load_5min", "cpus_total",
                      "mem_free_bytes", "mem_total_bytes"], list(message))
    for name, value in message.items():
        test.assertIsInstance(value, float if name.startswith("avg") else int, name)


def debug(test: unittest.TestCase, message: Any, names: dict[str, str]) -> None:
    sandbox = f"{names['WORK']}/work/containers/{names['PARENT']}"
    test.assertEqual({sandbox: sandbox}, message)


def state_without_flags(test: unittest.TestCase, message: Any, _: dict[str, str]) -> None:
    """/state for one who may see no flags; the rest is this host's."""
    test.assertEqual([], sorted({"flags", "log_dir", "external_log_file"} & set(message)))
    test.assertEqual(([], []), (message["frameworks"], message["completed_frameworks"]))


def launched(test: unittest.TestCase, message: Any, names: dict[str, str]) -> None:
    sandbox = f"{names['WORK']}/work/containers/auth-op"
    test.assertEqual({sandbox: sandbox}, message)


def all_flags(test: unittest.TestCase, message: Any, names: dict[str, str]) -> None:
    """Ours, among them the path of the credentials and the lists, and nothing of a secret."""
    listed = message.get("get_flags", message)["flags"]
    if isinstance(listed, list):
        listed = {flag["name"]: flag["value"] for flag in listed}
    test.assertEqual(("true", "true", f"{names['WORK']}/credentials.json", "local"),
                     tuple(listed[name] for name in (
                         "authenticate_http_readonly", "authenticate_http_readwrite",
                         "http_credentials", "authorizer")))
    test.assertEqual(False, json.loads(listed["acls"])["permissive"])


STANDALONE_STATE = "a standalone agent has no frameworks, executors, tasks, and no id"
BUILD = "another build"
THIS_RUN = "numbers of this run"
_TASKS = ('{"pending_tasks":[],"queued_tasks":[],"launched_tasks":[],"terminated_tasks":[],'
          '"completed_tasks":[]}')
_EXECUTORS = '{"executors":[],"completed_executors":[]}'
_FRAMEWORKS = '{"frameworks":[],"completed_frameworks":[]}'
_BARE = " without its message"
EMPTY_MEMBER = "the member that belongs to the type is there, though nothing is in it"
# Who sent the recorded requests; the last of these are not known.
PRINCIPALS = ("none", "op", "low", "wrong", "unknown", "garbage", "bearer", "lower-case scheme",
              "no colon")

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

    **{("get-calls", kind + _BARE): Difference(
        STANDALONE_STATE, 200, f'{{"type":"{kind}","{kind.lower()}":{empty}}}')
       for kind, empty in (
           ("GET_TASKS", _TASKS), ("GET_EXECUTORS", _EXECUTORS), ("GET_FRAMEWORKS", _FRAMEWORKS),
           ("GET_CONTAINERS", "{}"),
           ("GET_STATE", f'{{"get_tasks":{_TASKS},"get_executors":{_EXECUTORS},'
                         f'"get_frameworks":{_FRAMEWORKS}}}'))},
    ("get-calls", "GET_AGENT" + _BARE): Difference(
        STANDALONE_STATE, 200,
        '{"type":"GET_AGENT","get_agent":{"agent_info":{"hostname":"127.0.0.1",'
        '"port":${AGENT_PORT},"resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":2.0}},'
        '{"name":"mem","type":"SCALAR","scalar":{"value":1024.0}},'
        '{"name":"disk","type":"SCALAR","scalar":{"value":1024.0}},'
        '{"name":"ports","type":"RANGES","ranges":{"range":[{"begin":31000,"end":31100}]}}],'
        '"attributes":[{"name":"rack","type":"TEXT","text":{"value":"abc"}},'
        '{"name":"zone","type":"SCALAR","scalar":{"value":1.0}}]}}}'),
    ("get-calls", "GET_FLAGS" + _BARE): Difference(BUILD, 200, flags),
    ("get-calls", "GET /flags"): Difference(BUILD, 200, flags),
    ("get-calls", "gzip large"): Difference(
        BUILD, 200, re.compile(r'^\{"type":"GET_FLAGS","get_flags":\{"flags":\[.*\]\}\}$')),
    ("get-calls", "GET_VERSION" + _BARE): Difference(
        BUILD, 200, re.compile(r'^\{"type":"GET_VERSION","get_version":\{"version_info":'
                               r'\{"version":"1\.12\.0","build_date":"[^"]+ UTC",[^{}]*\}\}\}$')),
    ("get-calls", "GET /version"): Difference(
        BUILD, 200, re.compile(r'^\{"build_date":"[^"]+ UTC","build_time":\d+\.0,'
                               r'"build_user":"[^"]*","git_tag":"mesos-agent-[^"]+",'
                               r'"version":"1\.12\.0"\}$')),
    **{("get-calls", f"GET {path}"): Difference(STANDALONE_STATE, 200, state)
       for path in ("/state", "/slave(1)/state")},
    ("get-calls", "GET /state?jsonp=f"): Difference(
        STANDALONE_STATE, 200, re.compile(r'^f\(\{"version":"1\.12\.0",.*\}\)$'),
        "text/javascript"),
    **{("get-calls", f"GET {path}"): Difference(STANDALONE_STATE, 200, "[]")
       for path in ("/containers", "/containers?container_id=${PARENT}", "/monitor/statistics")},
    **{("get-calls", case): Difference(THIS_RUN, 200, metrics)
       for case in ("GET_METRICS", "GET_METRICS no timeout", "GET /metrics/snapshot",
                    "GET /metrics/snapshot?timeout=1secs")},
    ("get-calls", "GET /system/stats.json"): Difference(THIS_RUN, 200, system),
    ("get-calls", "GET /files/debug"): Difference(LISTED, 200, debug),
    **{("authentication", f"GET_CONTAINERS as {principal}"): Difference(
        EMPTY_MEMBER, 200, '{"type":"GET_CONTAINERS","get_containers":{}}')
       for principal in ("op", "low")},
    **{("authentication", f"{what} as op"): Difference(BUILD, 200, all_flags)
       for what in ("GET_FLAGS", "GET /flags")},
    ("authentication", "GET /metrics/snapshot as op"): Difference(
        THIS_RUN, 200, re.compile(r'^\{"containerizer/.*\}$')),
    ("authentication", "GET /state as op"): Difference(
        BUILD, 200, re.compile(r'^\{"version":"1\.12\.0",.*"flags":\{"acls":.*\}$')),
    ("authentication", "GET /state as low"): Difference(BUILD, 200, state_without_flags),
    ("authentication", "GET /files/debug as op"): Difference(LISTED, 200, launched),
    **{("authentication", f"GET /version as {principal}"): Difference(
        BUILD, 200, re.compile(r'^\{"build_date":.*"version":"1\.12\.0"\}$'))
       for principal in PRINCIPALS},
    ("get-calls", "GET /help"): Difference(
        BUILD, 200, re.compile(r"^<html>(.|\n)*/slave\(1\)/state(.|\n)*</html>\n$"), "text/html"),
}
