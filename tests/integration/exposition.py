"""A strict reader of Prometheus's text format, version 0.0.4, written from its specification.

Stricter than the format where its guidelines and its linter are: every metric has HELP and TYPE,
once, before its samples, which stand together; counters end in _total and nothing else does;
counters are not negative; no series occurs twice.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|[+-]?Inf|NaN")
TYPES = {"counter", "gauge", "histogram", "summary", "untyped"}


class ExpositionError(Exception):
    """The line that is wrong, and why."""


@dataclass
class Family:
    kind: str
    help: str
    samples: dict[tuple[tuple[str, str], ...], float] = field(default_factory=dict)


def _labels(text: str, at: int) -> tuple[tuple[tuple[str, str], ...], int]:
    """The labels whose opening brace is at `at`, and where what follows begins."""
    labels: list[tuple[str, str]] = []
    at += 1
    while text[at] != "}":
        name = LABEL.match(text, at)
        if name is None or name[0].startswith("__"):
            raise ExpositionError(f"bad label name: {text[at:]!r}")
        at = name.end()
        if text[at:at + 2] != '="':
            raise ExpositionError(f"no value: {text[at:]!r}")
        at += 2
        value = ""
        while text[at] != '"':
            if text[at] == "\\":
                at += 1
                value += {"\\": "\\", '"': '"', "n": "\n"}[text[at]]
            else:
                value += text[at]
            at += 1
        labels.append((name[0], value))
        at += 1
        if text[at] == ",":
            at += 1
        elif text[at] != "}":
            raise ExpositionError(f"no comma: {text[at:]!r}")
    if len({name for name, _ in labels}) != len(labels):
        raise ExpositionError("a label occurs twice")
    return tuple(sorted(labels)), at + 1


def parse(body: bytes) -> dict[str, Family]:
    """All families by name. ExpositionError for whatever is not as it should be."""
    text = body.decode("utf-8")  # strict: nothing else is allowed
    if not text.endswith("\n"):
        raise ExpositionError("the last line has no end")
    if "\r" in text:
        raise ExpositionError("a carriage return")
    families: dict[str, Family] = {}
    helps: dict[str, str] = {}
    current = ""
    for line in text[:-1].split("\n"):
        try:
            current = _line(line, families, helps, current)
        except (IndexError, KeyError, ValueError) as error:
            raise ExpositionError(f"{line!r}: {error!r}") from error
        except ExpositionError as error:
            raise ExpositionError(f"{line!r}: {error}") from None
    for name in helps:
        if name not in families or not families[name].samples:
            raise ExpositionError(f"{name} has no type, or no sample")
    return families


def _line(line: str, families: dict[str, Family], helps: dict[str, str], current: str) -> str:
    if not line or line != line.strip():
        raise ExpositionError("empty, or blanks around it")
    if line.startswith("#"):
        mark, keyword, name, rest = line.split(" ", 3)
        if mark != "#" or not NAME.fullmatch(name) or not rest:
            raise ExpositionError("no comment that means something")
        if keyword == "HELP":
            if name in helps:
                raise ExpositionError("a second HELP")
            if re.search(r"\\(?![\\n])", rest):
                raise ExpositionError("a bad escape")
            helps[name] = rest
        elif keyword == "TYPE":
            if name in families or name not in helps:
                raise ExpositionError("a second TYPE, or one without HELP")
            if rest not in TYPES:
                raise ExpositionError("no such type")
            if (rest == "counter") != name.endswith("_total"):
                raise ExpositionError("only counters end in _total")
            families[name] = Family(rest, helps[name])
            return name
        else:
            raise ExpositionError("neither HELP nor TYPE")
        return current
    match = NAME.match(line)
    if match is None or match[0] != current:
        raise ExpositionError(f"a sample that does not belong to {current!r}")
    family, at = families[current], match.end()
    labels: tuple[tuple[str, str], ...] = ()
    if line[at] == "{":
        labels, at = _labels(line, at)
    if line[at] != " ":
        raise ExpositionError("no blank before the value")
    number = line[at + 1:]
    if not NUMBER.fullmatch(number):
        raise ExpositionError("no number")
    value = float(number.replace("Inf", "inf"))
    if family.kind == "counter" and (value < 0 or math.isnan(value)):
        raise ExpositionError("a counter below zero")
    if labels in family.samples:
        raise ExpositionError("the series occurs twice")
    family.samples[labels] = value
    return current
