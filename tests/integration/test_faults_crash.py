"""kill -9 of the agent, again and again, under every kind of load."""

from __future__ import annotations

import os
import random
import time

from harness import Agent, OwnAgentTestCase
from load import Load
from rawhttp import TIMEOUT_FACTOR

FULL = os.environ.get("MESOS_TEST_FULL") == "1"


class Crashes(OwnAgentTestCase):
    """Nothing is lost, nothing is left, and each start succeeds."""

    def crash(self, agent: Agent, seconds: float, period: float) -> int:
        """Kill and start the agent until the time is over; how often."""
        crashes = 0
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(period)
            agent.check_alive()
            agent.kill9()
            agent.start(wait=False)
            crashes += 1
            # Now and then it has the time to do something.
            if random.random() < 0.2:
                agent.wait_until_ready()
                time.sleep(random.random() * 0.5)
        agent.wait_until_ready()
        return crashes

    def test_every_100_ms(self) -> None:
        agent = self.new_agent({"termination_retention_count": "100000"})
        load = Load(agent, crashing=True)
        load.start()
        try:
            crashes = self.crash(agent, 120 if FULL else 6, 0.1 * TIMEOUT_FACTOR)
        finally:
            if agent.process is None:
                agent.start()
            problems = load.stop()
        print(f"{crashes} crashes amid {dict(load.counts)}", flush=True)
        self.assertEqual([], problems, "\n".join(problems))
        self.assertGreater(crashes, 5)
        self.assertGreater(sum(load.counts.values()), 0)
        self.assert_empty(agent)

    def assert_empty(self, agent: Agent) -> None:
        self.assertEqual(set(), agent.containers())
        agent.assert_nothing_left()
        for directory in (agent.runtime_dir, agent.work_dir):
            self.assertEqual([], list((directory / "containers").iterdir()))
        self.assertEqual([], list((agent.runtime_dir / "removed").iterdir()))


if __name__ == "__main__":
    import run
    run.main([__file__])
