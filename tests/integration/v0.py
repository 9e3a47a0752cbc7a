"""A protobuf codec of the tests' own for the messages between agents, masters and executors.

Its schema is tests/data/wire/v0.txt, made from the published definitions and not from the project's
.proto files: a wrong number there must not cancel out here. Messages are dicts keyed by field name,
enums are their names, `bytes` fields are bytes, maps are dicts. A field set to None is left out.

Nothing is dropped when decoding: a field that the schema does not know stays under "?<number>".
problems() names those, missing required fields, and values of no known meaning.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import wire
from wire import Message, WireError, delimited

_SCHEMA = Path(__file__).resolve().parents[1] / "data" / "wire" / "v0.txt"
PREFIX = "mesos."
INTERNAL = "mesos.internal."


@dataclass(frozen=True)
class Field:
    name: str
    number: int
    kind: str
    required: bool
    repeated: bool
    is_map: bool  # repeated on the wire, a dict here

    @property
    def wire_type(self) -> int:
        messages, enums = schema()
        if self.kind in messages:
            return 2
        return 0 if self.kind in enums else wire.WIRE_TYPES.get(self.kind, 0)


@cache
def schema() -> tuple[dict[str, dict[str, Field]], dict[str, dict[str, int]]]:
    """(messages by name: fields by name, enums by name: numbers by name)."""
    messages: dict[str, dict[str, Field]] = {}
    enums: dict[str, dict[str, int]] = {}
    lines = [line for line in _SCHEMA.read_text().splitlines() if not line.startswith("#")]
    for line in "\n".join(lines).replace("\n  ", " ").splitlines():
        head, _, rest = line.partition(":")
        what, name = head.split()
        parts = [part.strip() for part in rest.split(",") if part.strip()]
        if what == "enum":
            enums[name] = {value: int(number)
                           for value, _, number in (part.partition("=") for part in parts)}
            continue
        fields = messages[name] = {}
        for part in parts:
            field, _, spec = part.partition("=")
            number, mark_kind = spec.split()
            kind = mark_kind.rstrip("!*")
            fields[field] = Field(field, int(number), kind, mark_kind.endswith("!"),
                                  mark_kind.endswith("*"),
                                  kind.endswith("Entry") and mark_kind.endswith("*"))
    return messages, enums


@cache
def _by_number(message: str) -> dict[int, Field]:
    return {field.number: field for field in fields_of(message).values()}


@cache
def _enum_names(enum: str) -> dict[int, str]:
    return {number: name for name, number in schema()[1][enum].items()}


def fields_of(message: str) -> dict[str, Field]:
    try:
        return schema()[0][message.removeprefix(PREFIX)]
    except KeyError:
        raise WireError(f"no message {message} in the schema") from None


def known(message: str) -> bool:
    return message.removeprefix(PREFIX) in schema()[0]


# ---- encoding ---------------------------------------------------------------------------------


def _encode_value(field: Field, value: Any) -> bytes:
    messages, enums = schema()
    if field.kind in messages:
        return delimited(field.number, encode(field.kind, value))
    return wire.encode_scalar(field.number, field.kind, value, enums)


def encode(message: str, value: Message) -> bytes:
    """The dict as wire bytes, fields in the order of their numbers, as Apache Mesos writes them."""
    known_fields = fields_of(message)
    for name in value:
        if name not in known_fields:
            raise WireError(f"{message} has no field {name}")
    out = bytearray()
    for name in sorted(value, key=lambda name: known_fields[name].number):
        field, item = known_fields[name], value[name]
        if item is None:
            continue
        if field.is_map:
            for key, entry in item.items():
                out += delimited(field.number, encode(field.kind, {"key": key, "value": entry}))
        elif field.repeated:
            for entry in item:
                out += _encode_value(field, entry)
        else:
            out += _encode_value(field, item)
    return bytes(out)


# ---- decoding ---------------------------------------------------------------------------------


def _decode_value(field: Field, raw: Any) -> Any:
    messages, enums = schema()
    if field.kind in messages:
        return decode(field.kind, raw)
    names = _enum_names(field.kind) if field.kind in enums else None
    return wire.decode_scalar(field.kind, raw, names)


def decode(message: str, data: bytes) -> Message:
    """Wire bytes as a dict, in the order of arrival; WireError if they are no such message."""
    by_number = _by_number(message)
    out: Message = {}
    for number, wire_type, raw in wire.split_fields(data):
        field = by_number.get(number)
        if field is None:
            out.setdefault(f"?{number}", []).append(raw)
            continue
        if wire_type != field.wire_type:
            raise WireError(f"{message}.{field.name} has wire type {wire_type}")
        value = _decode_value(field, raw)
        if field.is_map:
            out.setdefault(field.name, {})[value.get("key", "")] = value.get("value", {})
        elif field.repeated:
            out.setdefault(field.name, []).append(value)
        else:
            out[field.name] = value
    return out


def problems(message: str, value: Message) -> list[str]:
    """What a strict receiver could not make sense of: paths and complaints."""
    return list(_problems(message.removeprefix(PREFIX), value, message.rpartition(".")[2]))


def _problems(message: str, value: Message, path: str) -> Iterator[str]:
    messages, enums = schema()
    known_fields = fields_of(message)
    for field in known_fields.values():
        if field.required and field.name not in value:
            yield f"{path}.{field.name} is required and missing"
    for name, item in value.items():
        if name.startswith("?"):
            yield f"{path} has an unknown field {name[1:]}"
            continue
        field = known_fields[name]
        if field.is_map:
            entry = messages[field.kind]["value"].kind
            if entry in messages:
                for key, each in item.items():
                    yield from _problems(entry, each, f"{path}.{name}[{key}]")
            continue
        for each in item if field.repeated else [item]:
            if field.kind in messages:
                yield from _problems(field.kind, each, f"{path}.{name}")
            elif field.kind in enums and not isinstance(each, str):
                yield f"{path}.{name} is {each}, which {field.kind} does not name"


def short_name(message: str) -> str:
    """"RegisterSlaveMessage" of "mesos.internal.RegisterSlaveMessage"."""
    return message.removeprefix(INTERNAL)


def full_name(message: str) -> str:
    return message if message.startswith(PREFIX) else INTERNAL + message
