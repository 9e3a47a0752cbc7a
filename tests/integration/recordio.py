"""RecordIO: `<length in decimal>\\n<payload>`, records straddling chunks as they like."""

from __future__ import annotations


class RecordError(AssertionError):
    """A frame that is not RecordIO."""


def record(payload: bytes) -> bytes:
    return b"%d\n%b" % (len(payload), payload)


class RecordDecoder:
    """Incremental decoder: feed bytes in any pieces, get whole records."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._size: int | None = None

    def feed(self, data: bytes) -> list[bytes]:
        self._buffer += data
        records = []
        while True:
            if self._size is None:
                end = self._buffer.find(b"\n", 0, 24)
                if end < 0:
                    if len(self._buffer) >= 24:
                        raise RecordError(f"no record length in {bytes(self._buffer[:40])!r}")
                    return records
                digits = bytes(self._buffer[:end])
                if not digits.isdigit():
                    raise RecordError(f"bad record length {digits!r}")
                self._size = int(digits)
                del self._buffer[:end + 1]
            if len(self._buffer) < self._size:
                return records
            records.append(bytes(self._buffer[:self._size]))
            del self._buffer[:self._size]
            self._size = None

    def partial(self) -> bool:
        """Whether an unfinished record is pending."""
        return self._size is not None or bool(self._buffer)


def split(data: bytes) -> list[bytes]:
    """All records of a complete body."""
    decoder = RecordDecoder()
    records = decoder.feed(data)
    if decoder.partial():
        raise RecordError("body ends inside a record")
    return records
