"""Replay of recorded sessions, output attaches and input attaches."""

from __future__ import annotations

import uuid

import attach
from harness import AgentTestCase, argv, resources, shell
from replay import ReplayTestMixin

FRESH = ("SESSION", "SESSIONP", "SESSIONJ", "SESSIONN", "QUIET", "CAT", "PARENT")


class StreamsReplay(AgentTestCase, ReplayTestMixin):
    def test_replay(self) -> None:
        names = {name: str(uuid.uuid4()) for name in FRESH}
        self.agent.launch(names["PARENT"], command=shell("sleep 100000"),
                          resources=resources(cpus=0.2, mem=96))
        cats: list[attach.Output] = []

        def start_cat() -> None:
            """The session that the recorded input goes to; its own exchange is not recorded."""
            cats.append(attach.session(self.agent, names["PARENT"], names["CAT"],
                                       command=argv("cat")))

        self.replay(self.agent, "streams", names,
                    before={"attach input stdout data": start_cat})
        output = cats[0].read_to_end()
        self.assertEqual(b"x\n", output.stdout)
        self.assertEqual(0, self.agent.wait(names["PARENT"], names["CAT"])["exit_status"])


if __name__ == "__main__":
    import run
    run.main([__file__])
