"""What the tests of the fetcher share."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import tempfile
from pathlib import Path

from harness import AgentTestCase, shell, unique
from wire import Message

USER = "nobody"
CONTENT = os.urandom(300_000)


def uris(command: Message, *values: str | Message) -> Message:
    return {**command, "uris": [v if isinstance(v, dict) else {"value": v} for v in values]}


def archive(pack: str, *entries: tarfile.TarInfo | tuple[str, bytes]) -> bytes:
    """A tar archive of these entries, packed by "", "gz", "bz2" or "xz"."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{pack}", format=tarfile.PAX_FORMAT) as tar:
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                tar.addfile(entry)
            else:
                info = tarfile.TarInfo(entry[0])
                info.size = len(entry[1])
                tar.addfile(info, io.BytesIO(entry[1]))
    return buffer.getvalue()


def entry(name: str, kind: bytes, target: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, target, mode
    return info


class FetcherTestCase(AgentTestCase):
    source: Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.source = Path(tempfile.mkdtemp(prefix="mesos-agent-test-uris-"))
        cls.source.chmod(0o755)
        cls.addClassCleanup(shutil.rmtree, cls.source)
        super().setUpClass()

    def put(self, name: str, content: bytes) -> str:
        path = self.source / name
        path.write_bytes(content)
        return str(path)

    def fetch(self, *values: str | Message, user: str | None = None,
              script: str = "true") -> Path:
        """Launches and ends a container with these URIs, and gives its sandbox."""
        name = unique()
        self.agent.launch(name, command=uris(shell(script, user=user), *values))
        self.assertEqual(0, self.agent.wait(name)["exit_status"],
                         self.agent.output(name, file="stderr"))
        return self.agent.sandbox(name)

    def refuse(self, *values: str | Message, user: str | None = None) -> str:
        """The text of a launch that must fail because of its URIs, of which nothing is left."""
        name = unique()
        reply = self.agent.launch(name, command=uris(shell("true", user=user), *values), status=400)
        self.assertFalse(self.agent.sandbox(name).exists())
        self.assertEqual(404, self.agent.try_wait(name).status)
        return reply.text

    def metric(self, name: str) -> float:
        reply = self.agent.expect(200, {"type": "GET_METRICS", "get_metrics": {}})
        assert reply.message is not None
        return next(m["value"] for m in reply.message["get_metrics"]["metrics"]
                    if m["name"] == f"containerizer/fetcher/{name}")
