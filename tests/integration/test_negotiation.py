"""Replay of recorded negotiation: methods, paths, Content-Type, Accept, broken bodies."""

from __future__ import annotations

from harness import AgentTestCase
from replay import ReplayTestMixin


class NegotiationReplay(AgentTestCase, ReplayTestMixin):
    def test_replay(self) -> None:
        self.replay(self.agent, "negotiation", {})


if __name__ == "__main__":
    import run
    run.main([__file__])
