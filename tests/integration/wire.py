"""A protobuf wire codec of the tests' own, for the messages of the agent API that they need.

Written against the published field numbers of the v1 API, not generated from the project's
.proto files: a wrong number there must not cancel out here. Messages are dicts keyed by field
name, enums are their names, bytes fields are `bytes`, maps are dicts. A field set to None is
left out. Nothing checks `required`, because the tests send incomplete messages on purpose.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Message = dict[str, Any]

_ENUMS: dict[str, dict[str, int]] = {
    "CallType": {
        "UNKNOWN": 0, "GET_HEALTH": 1, "GET_FLAGS": 2, "GET_VERSION": 3, "GET_METRICS": 4,
        "GET_LOGGING_LEVEL": 5, "SET_LOGGING_LEVEL": 6, "LIST_FILES": 7, "READ_FILE": 8,
        "GET_STATE": 9, "GET_CONTAINERS": 10, "GET_FRAMEWORKS": 11, "GET_EXECUTORS": 12,
        "GET_TASKS": 13, "LAUNCH_NESTED_CONTAINER": 14, "WAIT_NESTED_CONTAINER": 15,
        "KILL_NESTED_CONTAINER": 16, "LAUNCH_NESTED_CONTAINER_SESSION": 17,
        "ATTACH_CONTAINER_INPUT": 18, "ATTACH_CONTAINER_OUTPUT": 19, "GET_AGENT": 20,
        "REMOVE_NESTED_CONTAINER": 21, "LAUNCH_CONTAINER": 22, "WAIT_CONTAINER": 23,
        "KILL_CONTAINER": 24, "REMOVE_CONTAINER": 25, "GET_RESOURCE_PROVIDERS": 26,
        "ADD_RESOURCE_PROVIDER_CONFIG": 27, "UPDATE_RESOURCE_PROVIDER_CONFIG": 28,
        "REMOVE_RESOURCE_PROVIDER_CONFIG": 29, "PRUNE_IMAGES": 30, "GET_OPERATIONS": 31,
        "MARK_RESOURCE_PROVIDER_GONE": 32,
    },
    "ResponseType": {
        "UNKNOWN": 0, "GET_HEALTH": 1, "GET_FLAGS": 2, "GET_VERSION": 3, "GET_METRICS": 4,
        "GET_LOGGING_LEVEL": 5, "LIST_FILES": 6, "READ_FILE": 7, "GET_STATE": 8,
        "GET_CONTAINERS": 9, "GET_FRAMEWORKS": 10, "GET_EXECUTORS": 11, "GET_TASKS": 12,
        "WAIT_NESTED_CONTAINER": 13, "GET_AGENT": 14, "WAIT_CONTAINER": 15,
        "GET_RESOURCE_PROVIDERS": 16, "GET_OPERATIONS": 17,
    },
    "AttachInputType": {"UNKNOWN": 0, "CONTAINER_ID": 1, "PROCESS_IO": 2},
    "ProcessIOType": {"UNKNOWN": 0, "DATA": 1, "CONTROL": 2},
    "DataType": {"UNKNOWN": 0, "STDIN": 1, "STDOUT": 2, "STDERR": 3},
    "ControlType": {"UNKNOWN": 0, "TTY_INFO": 1, "HEARTBEAT": 2},
    "VariableType": {"UNKNOWN": 0, "VALUE": 1, "SECRET": 2},
    "SecretType": {"UNKNOWN": 0, "REFERENCE": 1, "VALUE": 2},
    "ContainerType": {"DOCKER": 1, "MESOS": 2},
    "VolumeMode": {"RW": 1, "RO": 2},
    "SourceType": {"UNKNOWN": 0, "DOCKER_VOLUME": 1, "HOST_PATH": 4, "SANDBOX_PATH": 2,
                   "SECRET": 3, "CSI_VOLUME": 5},
    "SandboxPathType": {"UNKNOWN": 0, "SELF": 1, "PARENT": 2},
    "ImageType": {"APPC": 1, "DOCKER": 2},
    "PluginService": {"UNKNOWN": 0, "CONTROLLER_SERVICE": 1, "NODE_SERVICE": 2},
    "ValueType": {"SCALAR": 0, "RANGES": 1, "SET": 2, "TEXT": 3},
    "ReservationType": {"UNKNOWN": 0, "STATIC": 1, "DYNAMIC": 2},
    "TaskState": {
        "TASK_STAGING": 6, "TASK_STARTING": 0, "TASK_RUNNING": 1, "TASK_KILLING": 8,
        "TASK_FINISHED": 2, "TASK_FAILED": 3, "TASK_KILLED": 4, "TASK_ERROR": 7, "TASK_LOST": 5,
    },
    "ExecutorCallType": {"UNKNOWN": 0, "SUBSCRIBE": 1, "UPDATE": 2, "MESSAGE": 3, "HEARTBEAT": 4},
    "ExecutorEventType": {
        "UNKNOWN": 0, "SUBSCRIBED": 1, "LAUNCH": 2, "LAUNCH_GROUP": 8, "KILL": 3, "ACKNOWLEDGED": 4,
        "MESSAGE": 5, "ERROR": 6, "SHUTDOWN": 7, "HEARTBEAT": 9,
    },
    "StatusSource": {"SOURCE_MASTER": 0, "SOURCE_AGENT": 1, "SOURCE_EXECUTOR": 2},
    "CheckType": {"UNKNOWN": 0, "COMMAND": 1, "HTTP": 2, "TCP": 3},
    "IpProtocol": {"IPv4": 1, "IPv6": 2},
    "CapabilityType": {
        "UNKNOWN": 0, "REVOCABLE_RESOURCES": 1, "TASK_KILLING_STATE": 2, "GPU_RESOURCES": 3,
        "SHARED_RESOURCES": 4, "PARTITION_AWARE": 5, "MULTI_ROLE": 6,
    },
    "Reason": {
        "REASON_CONTAINER_LIMITATION": 19, "REASON_CONTAINER_LIMITATION_DISK": 20,
        "REASON_CONTAINER_LIMITATION_MEMORY": 8, "REASON_IO_SWITCHBOARD_EXITED": 27,
        "REASON_EXECUTOR_TERMINATED": 1, "REASON_CONTAINER_LAUNCH_FAILED": 21,
        "REASON_TASK_CHECK_STATUS_UPDATED": 28, "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED": 29,
        "REASON_MAX_COMPLETION_TIME_REACHED": 33,
    },
}

# One message a line: "Name: field=number type, ..."; `*` marks repeated, `map:` a map from string.
_SCHEMA = """
Call: type=1 CallType, get_metrics=2 GetMetrics, set_logging_level=3 SetLoggingLevel,
  list_files=4 ListFiles, read_file=5 ReadFile, launch_nested_container=6 Launch,
  wait_nested_container=7 Named, kill_nested_container=8 Kill,
  launch_nested_container_session=9 Launch, attach_container_input=10 AttachInput,
  attach_container_output=11 Named, remove_nested_container=12 Named,
  launch_container=13 LaunchContainer, wait_container=14 Named, kill_container=15 Kill,
  remove_container=16 Named, add_resource_provider_config=17 WithProvider,
  update_resource_provider_config=18 WithProvider, remove_resource_provider_config=19 ProviderName,
  get_containers=20 GetContainers, prune_images=21 Empty,
  mark_resource_provider_gone=22 ProviderGone
GetMetrics: timeout=1 Duration
SetLoggingLevel: level=1 uint32, duration=2 Duration
ListFiles: path=1 string
ReadFile: path=1 string, offset=2 uint64, length=3 uint64
GetContainers: show_nested=1 bool, show_standalone=2 bool
ProviderName: type=1 string, name=2 string
ProviderGone: resource_provider_id=1 Id
Id: value=1 string
WithProvider: info=1 Provider
Provider: id=1 Id, type=3 string, name=4 string, storage=6 Storage
Storage: plugin=1 Plugin
Plugin: type=1 string, name=2 string, containers=3 PluginContainer*
PluginContainer: services=1 PluginService*, command=2 Command
Empty:
Named: container_id=1 ContainerID
Kill: container_id=1 ContainerID, signal=2 int32
Launch: container_id=1 ContainerID, command=2 Command, container=3 Container
LaunchContainer: container_id=1 ContainerID, command=2 Command, resources=3 Resource*,
  container=4 Container, limits=5 map:Scalar
AttachInput: type=1 AttachInputType, container_id=2 ContainerID, process_io=3 ProcessIO
ContainerID: value=1 string, parent=2 ContainerID
Duration: nanoseconds=1 int64
Command: uris=1 URI*, environment=2 Environment, shell=6 bool, value=3 string,
  arguments=7 string*, user=5 string
URI: value=1 string, executable=2 bool, extract=3 bool, cache=4 bool, output_file=5 string
Environment: variables=1 Variable*
Variable: name=1 string, type=3 VariableType, value=2 string, secret=4 Secret
Secret: type=1 SecretType, reference=2 SecretReference, value=3 SecretValue
SecretReference: name=1 string, key=2 string
SecretValue: data=1 bytes
Container: type=1 ContainerType, volumes=2 Volume*, hostname=4 string, docker=3 Docker,
  mesos=5 MesosInfo, linux_info=8 LinuxInfo, tty_info=10 TTYInfo
Docker: image=1 string, privileged=4 bool, parameters=5 Parameter*
Parameter: key=1 string, value=2 string
MesosInfo: image=1 Image
Image: type=1 ImageType, docker=3 DockerImage
DockerImage: name=1 string
LinuxInfo: share_pid_namespace=4 bool, share_cgroups=8 bool
TTYInfo: window_size=1 WindowSize
WindowSize: rows=1 uint32, columns=2 uint32
Volume: mode=3 VolumeMode, container_path=1 string, host_path=2 string, image=4 Image,
  source=5 VolumeSource
VolumeSource: type=1 SourceType, docker_volume=2 DockerVolume, host_path=5 HostPath,
  sandbox_path=3 SandboxPath, secret=4 Secret
DockerVolume: driver=1 string, name=2 string
HostPath: path=1 string
SandboxPath: type=1 SandboxPathType, path=2 string
Resource: name=1 string, type=2 ValueType, scalar=3 Scalar, role=6 string,
  reservations=13 Reservation*, disk=7 DiskInfo, revocable=9 Empty, shared=10 Empty,
  allocation_info=11 AllocationInfo
AllocationInfo: role=1 string
Scalar: value=1 double
Reservation: type=4 ReservationType, role=3 string, principal=1 string
DiskInfo: persistence=1 Persistence, volume=2 Volume
Persistence: id=1 string, principal=2 string
ProcessIO: type=1 ProcessIOType, data=2 Data, control=3 Control
Data: type=1 DataType, data=2 bytes
Control: type=1 ControlType, tty_info=2 TTYInfo, heartbeat=3 Heartbeat
Heartbeat: interval=1 Duration
Response: type=1 ResponseType, get_health=2 Health, get_version=4 GetVersion,
  get_metrics=5 Metrics, list_files=7 Files, read_file=8 FileContent, get_agent=15 GetAgent,
  get_containers=10 Containers, wait_nested_container=14 Termination,
  wait_container=16 Termination
Health: healthy=1 bool
GetVersion: version_info=1 VersionInfo
VersionInfo: version=1 string, build_date=2 string, build_time=3 double, build_user=4 string
Metrics: metrics=1 Metric*
Metric: name=1 string, value=2 double
Files: file_infos=1 FileInfo*
FileInfo: path=1 string, nlink=2 int32, size=3 uint64, mtime=4 Duration, mode=5 uint32,
  uid=6 string, gid=7 string
FileContent: size=1 uint64, data=2 bytes
GetAgent: agent_info=1 AgentInfo
AgentInfo: hostname=1 string, port=8 int32, resources=3 Resource*, attributes=5 Attribute*, id=6 Id
Attribute: name=1 string, type=2 ValueType, scalar=3 Scalar, text=5 Text
Text: value=1 string
Containers: containers=1 ContainerEntry*
ContainerEntry: executor_name=3 string, container_id=4 ContainerID, container_status=5 Status,
  resource_statistics=6 Statistics
Status: container_id=4 ContainerID, executor_pid=3 uint32
Statistics: timestamp=1 double, cpus_user_time_secs=2 double, cpus_system_time_secs=3 double,
  cpus_limit=4 double, cpus_soft_limit=45 double, mem_total_bytes=36 uint64,
  mem_limit_bytes=6 uint64, mem_soft_limit_bytes=38 uint64, mem_rss_bytes=5 uint64
Termination: exit_status=1 int32, state=2 TaskState, reason=3 Reason, limitation=4 Limitation,
  message=5 string
Limitation: resources=1 Resource*
ExecutorCall: executor_id=1 Id, framework_id=2 Id, type=3 ExecutorCallType,
  subscribe=4 ExecutorSubscribe, update=5 ExecutorUpdate, message=6 CallMessage
ExecutorSubscribe: unacknowledged_tasks=1 TaskInfo*, unacknowledged_updates=2 ExecutorUpdate*
ExecutorUpdate: status=1 TaskStatus
CallMessage: data=2 bytes
TaskStatus: task_id=1 Id, state=2 TaskState, message=4 string, source=9 StatusSource,
  reason=10 Reason, data=3 bytes, agent_id=5 Id, executor_id=7 Id, timestamp=6 double,
  uuid=11 bytes, healthy=8 bool, check_status=15 CheckStatus
CheckStatus: type=1 CheckType, command=2 CommandResult, http=3 HttpResult, tcp=4 TcpResult
CommandResult: exit_code=1 int32
HttpResult: status_code=1 uint32
TcpResult: succeeded=1 bool
ExecutorEvent: type=1 ExecutorEventType, subscribed=2 Subscribed, acknowledged=3 Acknowledged,
  launch=4 EventLaunch, launch_group=8 EventLaunchGroup, kill=5 EventKill, message=6 EventMessage,
  error=7 EventError
Subscribed: executor_info=1 ExecutorInfo, framework_info=2 FrameworkInfo, agent_info=3 AgentInfo,
  container_id=4 ContainerID
Acknowledged: task_id=1 Id, uuid=2 bytes
EventLaunch: task=1 TaskInfo
EventLaunchGroup: task_group=1 TaskGroup
TaskGroup: tasks=1 TaskInfo*
EventKill: task_id=1 Id, kill_policy=2 KillPolicy
EventMessage: data=1 bytes
EventError: message=1 string
KillPolicy: grace_period=1 Duration
ExecutorInfo: executor_id=1 Id, framework_id=8 Id, command=7 Command
FrameworkInfo: user=1 string, name=2 string, id=3 Id, checkpoint=5 bool, capabilities=10 Capability*
Capability: type=1 CapabilityType
TaskInfo: name=1 string, task_id=2 Id, agent_id=3 Id, resources=4 Resource*, command=7 Command,
  container=9 Container, health_check=8 HealthCheck, check=13 CheckInfo, kill_policy=12 KillPolicy,
  data=6 bytes, max_completion_time=14 Duration
CheckInfo: type=1 CheckType, command=2 CheckCommand, http=3 HttpCheck, tcp=7 TcpCheck,
  delay_seconds=4 double, interval_seconds=5 double, timeout_seconds=6 double
CheckCommand: command=1 Command
HttpCheck: protocol=5 IpProtocol, scheme=3 string, port=1 uint32, path=2 string
TcpCheck: protocol=2 IpProtocol, port=1 uint32
HealthCheck: delay_seconds=2 double, interval_seconds=3 double, timeout_seconds=4 double,
  consecutive_failures=5 uint32, grace_period_seconds=6 double, type=8 CheckType,
  command=7 Command, http=1 HttpCheck, tcp=9 TcpCheck
"""


@dataclass(frozen=True)
class _Field:
    name: str
    number: int
    kind: str
    repeated: bool = False
    is_map: bool = False


def _parse_schema(text: str) -> dict[str, list[_Field]]:
    messages: dict[str, list[_Field]] = {}
    for line in text.strip().replace("\n  ", " ").splitlines():
        name, _, rest = line.partition(":")
        fields = []
        for part in filter(None, (p.strip() for p in rest.split(","))):
            field, _, spec = part.partition("=")
            number, kind = spec.split()
            fields.append(
                _Field(field, int(number), kind.removesuffix("*").removeprefix("map:"),
                       kind.endswith("*"), kind.startswith("map:")))
        messages[name] = fields
    return messages


_MESSAGES = _parse_schema(_SCHEMA)
_BY_NAME = {m: {f.name: f for f in fields} for m, fields in _MESSAGES.items()}
_BY_NUMBER = {m: {f.number: f for f in fields} for m, fields in _MESSAGES.items()}
_ENUM_NAMES = {e: {n: name for name, n in values.items()} for e, values in _ENUMS.items()}


VARINTS = frozenset({"bool", "int32", "int64", "uint32", "uint64"})
WIRE_TYPES = {"double": 1, "string": 2, "bytes": 2}  # of scalars; the others are varints


class WireError(Exception):
    """Bytes that are no message of the expected type, or a dict that fits no message."""


# ---- encoding ---------------------------------------------------------------------------------


def varint(value: int) -> bytes:
    """Base-128 varint; negative numbers as their 64-bit two's complement."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def delimited(number: int, payload: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def encode_scalar(number: int, kind: str, value: Any, enums: Mapping[str, Mapping[str, int]]) -> bytes:
    """A field that is no message."""
    if kind == "string":
        # surrogateescape lets a test put bytes that are not UTF-8 into a string field.
        return delimited(number, value.encode("utf-8", "surrogateescape"))
    if kind == "bytes":
        return delimited(number, bytes(value))
    if kind == "double":
        return varint(number << 3 | 1) + struct.pack("<d", value)
    if kind in enums:
        value = value if isinstance(value, int) else enums[kind][value]
    elif kind not in VARINTS:
        raise WireError(f"{kind} is no type of a field")
    return varint(number << 3) + varint(int(value))


def _encode_value(field: _Field, value: Any) -> bytes:
    if field.kind in _BY_NAME:
        return delimited(field.number, encode(field.kind, value))
    return encode_scalar(field.number, field.kind, value, _ENUMS)


def encode(message: str, value: Message) -> bytes:
    """The dict as wire bytes, fields in the order of the dict."""
    out = bytearray()
    for name, item in value.items():
        field = _BY_NAME[message].get(name)
        if field is None:
            raise WireError(f"{message} has no field {name}")
        if item is None:
            continue
        if field.is_map:
            for key, entry in item.items():
                payload = delimited(1, key.encode()) + delimited(2, encode(field.kind, entry))
                out += delimited(field.number, payload)
        elif field.repeated:
            for entry in item:
                out += _encode_value(field, entry)
        else:
            out += _encode_value(field, item)
    return bytes(out)


# ---- decoding ---------------------------------------------------------------------------------


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise WireError("truncated or overlong varint")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def decode_scalar(kind: str, raw: Any, enum_names: Mapping[int, str] | None) -> Any:
    """A field that is no message; `enum_names` are those of an enum."""
    if kind == "string":
        return raw.decode("utf-8", "surrogateescape")
    if kind == "bytes":
        return raw
    if kind == "double":
        return struct.unpack("<d", raw)[0]
    if kind == "bool":
        return bool(raw)
    if enum_names is not None:
        return enum_names.get(raw, raw)
    if kind in ("int32", "int64") and raw >= 1 << 63:
        return raw - (1 << 64)
    return raw


def split_fields(data: bytes) -> list[tuple[int, int, Any]]:
    """(number, wire type, varint | bytes) of every field in order."""
    out: list[tuple[int, int, Any]] = []
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        number, wire = key >> 3, key & 7
        if number == 0:
            raise WireError("field number 0")
        if wire == 0:
            value, at = _read_varint(data, at)
            out.append((number, wire, value))
            continue
        if wire == 2:
            size, at = _read_varint(data, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise WireError(f"wire type {wire} of field {number}")
        if at + size > len(data):
            raise WireError(f"field {number} runs past the end")
        out.append((number, wire, data[at:at + size]))
        at += size
    return out


def decode(message: str, data: bytes) -> Message:
    """Wire bytes as a dict; fields this schema does not name are skipped."""
    out: Message = {}
    for number, wire, raw in split_fields(data):
        field = _BY_NUMBER[message].get(number)
        if field is None:
            continue
        value: Any
        if field.is_map:
            entry = {n: r for n, _, r in split_fields(raw)}
            key = entry.get(1, b"").decode()
            out.setdefault(field.name, {})[key] = decode(field.kind, entry.get(2, b""))
            continue
        if field.kind in _BY_NAME:
            value = decode(field.kind, raw)
        elif wire != WIRE_TYPES.get(field.kind, 0):
            raise WireError(f"{message}.{field.name} has wire type {wire}")
        else:
            value = decode_scalar(field.kind, raw, _ENUM_NAMES.get(field.kind))
        if field.repeated:
            out.setdefault(field.name, []).append(value)
        else:
            out[field.name] = value
    return out


# ---- JSON -------------------------------------------------------------------------------------


def _jsonable(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _jsonable(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_jsonable(v) for v in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def to_json(value: Message) -> bytes:
    """The same dict in the API's JSON: bytes as base64, infinities as strings."""
    return json.dumps(_jsonable(value)).encode()


JSON = "application/json"
PROTOBUF = "application/x-protobuf"
RECORDIO = "application/recordio"


def serialize(content_type: str, message: str, value: Message) -> bytes:
    return to_json(value) if content_type == JSON else encode(message, value)


def parse(content_type: str, message: str, data: bytes) -> Message:
    return json.loads(data) if content_type == JSON else decode(message, data)
