"""Replay of recorded launch, wait, kill, remove and listing of containers."""

from __future__ import annotations

import uuid

from harness import AgentTestCase, resources, shell
from replay import ReplayTestMixin

FRESH = ("NESTED", "EXITS", "NOEXEC", "BADUSER", "NOCMD", "ORPHAN", "NOPARENT", "UNKNOWN",
         "UNKNOWN2", "UNKNOWN3", "STANDALONE", "SNESTED", "NORES", "PARENT")


class ContainersReplay(AgentTestCase, ReplayTestMixin):
    # As recorded; with cgroups/pids or others the texts about missing resources could differ.
    agent_flags = {"isolation": "cgroups/cpu,cgroups/mem,namespaces/pid,filesystem/linux"}

    def test_replay(self) -> None:
        names = {name: str(uuid.uuid4()) for name in FRESH}
        names["WORK"] = str(self.agent.scratch)
        self.agent.launch(names["PARENT"], command=shell("sleep 100000"),
                          resources=resources(cpus=0.2, mem=96))
        self.replay(self.agent, "containers", names)


if __name__ == "__main__":
    import run
    run.main([__file__])
