"""Reserved disk and persistent volumes, as masters describe them, and the operations on them."""

from __future__ import annotations

from pathlib import Path

from wire import Message


def reserved(megabytes: float = 64, **fields: object) -> Message:
    """Disk that is reserved for the role r, as masters describe it in an operation."""
    return {"name": "disk", "type": "SCALAR", "scalar": {"value": megabytes},
            "reservations": [{"type": "DYNAMIC", "role": "r", "principal": "p"}], **fields}


def source(kind: str, root: Path | str) -> Message:
    """Of a PATH or MOUNT disk."""
    return {"type": kind, kind.lower(): {"root": str(root)}}


def volume(name: str = "v1", path: str = "data", *, mode: str = "RW", shared: bool = False,
           megabytes: float = 64, disk: Message | None = None) -> Message:
    """`disk` is the source, of another disk than the agent's own."""
    return reserved(megabytes, **({"shared": {}} if shared else {}), disk={
        **({"source": disk} if disk else {}), "persistence": {"id": name, "principal": "p"},
        "volume": {"container_path": path, "mode": mode}})


def allocated(resource: Message) -> Message:
    """As a task has it."""
    return {**resource, "allocation_info": {"role": "r"}}


def reserve(megabytes: float = 64, disk: Message | None = None) -> Message:
    fields = {"disk": {"source": disk}} if disk else {}
    return {"type": "RESERVE", "reserve": {"resources": [reserved(megabytes, **fields)]}}


def unreserve() -> Message:
    return {"type": "UNRESERVE", "unreserve": {"resources": [reserved()]}}


def create(name: str = "v1", **fields: object) -> Message:
    return {"type": "CREATE", "create": {"volumes": [volume(name, **fields)]}}  # type: ignore


def destroy(name: str = "v1", **fields: object) -> Message:
    return {"type": "DESTROY", "destroy": {"volumes": [volume(name, **fields)]}}  # type: ignore
