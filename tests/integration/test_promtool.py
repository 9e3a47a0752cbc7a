"""GET /metrics before the eyes of Prometheus's own checker."""

from __future__ import annotations

import subprocess
from typing import ClassVar

from harness import AgentTestCase, find_peer, shell, unique
from rawhttp import TIMEOUT


class Promtool(AgentTestCase):
    promtool: ClassVar[str]

    @classmethod
    def setUpClass(cls) -> None:
        cls.promtool = find_peer("promtool", "prometheus")
        super().setUpClass()

    def test_check_metrics(self) -> None:
        """Neither errors nor complaints: it ends with 1 and 3 then."""
        with self.root() as root:
            self.agent.run(root, unique(), command=shell("exit 1"))
            with self.agent.connect() as connection:
                metrics = connection.request("GET", "/metrics", {"Host": "agent"})
        self.assertEqual(200, metrics.status)
        done = subprocess.run([self.promtool, "check", "metrics"], input=metrics.content,
                              capture_output=True, timeout=TIMEOUT)
        self.assertEqual((0, "", ""), (done.returncode, done.stdout.decode(), done.stderr.decode()))


if __name__ == "__main__":
    import run
    run.main([__file__])
