"""Joining a cluster: registration, re-registration, pings, authentication, and leaving."""

from __future__ import annotations

import itertools
import json
import os
import signal
import time
from pathlib import Path

import recorded_master
from harness import Agent, eventually
from master_case import MasterTestCase
from rawhttp import TIMEOUT_FACTOR

CREDENTIAL = {"principal": "agentp", "secret": "very secret"}
CREDENTIALS = {CREDENTIAL["principal"]: CREDENTIAL["secret"]}


def write_credential(agent: Agent, principal: str = CREDENTIAL["principal"],
                     secret: str = CREDENTIAL["secret"]) -> None:
    path = Path(agent.scratch / "credential.json")
    path.write_text(json.dumps({"principal": principal, "secret": secret}))
    path.chmod(0o600)
    agent.flags["credential"] = str(path)


class Recorded(MasterTestCase):
    """Every message as the Apache Mesos agent sent it at the same step."""

    def compare(self, scenario: str) -> None:
        recorded_master.compare(self, scenario, self.master, [self.master.id],
                                self.agent.address[1], [])

    def test_agent_unregisters(self) -> None:
        agent = self.join()

        def unregister() -> None:
            self.master.wait_for(lambda: self.master.all_of("PongSlaveMessage"), "a pong")
            os.kill(agent.pid, signal.SIGUSR1)

        recorded_master.drive(self.master, "agent-unregisters", {2: unregister})
        self.assertEqual(0, agent.join())
        self.compare("agent-unregisters")
        self.assertIsNone(self.master.agent)

    def test_authenticated_registration(self) -> None:
        self.join(start=False, credentials=CREDENTIALS)
        write_credential(self.agent)
        self.agent.start(wait=False)
        recorded_master.drive(self.master, "authenticated-registration")
        self.agent.wait_until_ready()
        # The proof itself was checked by the master.
        recorded_master.compare(
            self, "authenticated-registration", self.master, [self.master.id],
            self.agent.address[1], [recorded_master.Expected(
                r"^agent\[2\].message.data$", "another challenge and secret",
                lambda recorded, ours: recorded[:7] == ours[:7] == b"agentp ")])


class Registration(MasterTestCase):
    def test_until_it_is_admitted(self) -> None:
        """Ignored registrations are sent again, and nothing else is sent."""
        self.join(start=False)
        self.master.registration = "ignore"
        self.agent.start(wait=False)
        for _ in range(3):
            self.master.expect("RegisterSlaveMessage")
        self.assertEqual({"RegisterSlaveMessage"}, {r.name for r in self.master.received})
        self.master.registration = "accept"
        self.await_registered()
        reply = self.agent.expect(200, {"type": "GET_AGENT"})
        assert reply.message is not None and self.master.agent is not None
        self.assertEqual({"value": self.master.agent.slave_id},
                         reply.message["get_agent"]["agent_info"]["id"])

    def test_machine_down(self) -> None:
        """An order to shut down in answer to a registration ends the agent."""
        self.join(start=False)
        self.master.registration = "shutdown"
        self.agent.start(wait=False)
        self.master.expect("RegisterSlaveMessage")
        self.agent.join()
        self.master.expect_none("UnregisterSlaveMessage", 0.2)

    def test_no_master_yet(self) -> None:
        """The agent comes first: it keeps asking until somebody listens."""
        self.join(start=False)
        self.master.stop()
        self.agent.start()
        time.sleep(0.2)
        self.master.restart()
        self.await_registered()

    def test_an_answer_from_another_is_ignored(self) -> None:
        self.join(start=False)
        self.master.registration = "ignore"
        self.agent.start(wait=False)
        register = self.master.expect("RegisterSlaveMessage")
        answer = {"slave_id": {"value": "other-S0"}}
        self.master.send("SlaveRegisteredMessage", answer, sender="masquerade",
                         receiver=register.sender)
        self.master.expect("RegisterSlaveMessage")
        self.master.expect_none("UpdateSlaveMessage", 0.2)
        self.master.registration = "accept"
        self.await_registered()

    def test_another_id_while_registered_ends_it(self) -> None:
        self.join()
        self.master.send("SlaveRegisteredMessage", {"slave_id": {"value": "other-S9"}})
        self.assertNotEqual(0, self.agent.join())

    def test_the_same_id_again(self) -> None:
        """A duplicate answer changes nothing; the agent says again what it has."""
        self.join()
        self.master.send("SlaveRegisteredMessage", {"slave_id": self.master.slave_id})
        self.master.expect("UpdateSlaveMessage")
        self.agent.check_alive()


class Pings(MasterTestCase):
    def test_to_the_pinger(self) -> None:
        """Each ping is answered, to its observer, whether or not it says that we are connected."""
        self.join(start=False)
        self.master.ping_interval, self.master.ping_first = 0.05, True
        self.agent.start(wait=False)
        self.await_registered()
        agent = self.master.agent
        assert agent is not None
        eventually(lambda: agent.pongs >= 20, "20 pongs")
        self.master.pinging = False
        eventually(lambda: agent.pongs == agent.pings, "a pong for each ping")
        self.assertEqual({agent.observer},
                         {r.target for r in self.master.all_of("PongSlaveMessage")})
        self.assertEqual([], self.master.all_of("ReregisterSlaveMessage"))

    def test_not_connected(self) -> None:
        """A master that has lost its connection to the agent says so by a ping: register again."""
        self.join()
        before = len(self.master.all_of("RegisterSlaveMessage"))
        self.master.ping(connected=False)
        self.master.expect("ReregisterSlaveMessage")
        self.await_registered()
        self.assertEqual(before, len(self.master.all_of("RegisterSlaveMessage")))

    def test_broken_link(self) -> None:
        """The end of the master's connection alone is no reason to do anything."""
        self.join()
        self.master.drop_link()
        self.master.expect_none("ReregisterSlaveMessage", 0.3)
        self.master.ping()
        self.master.expect("PongSlaveMessage")

    def test_silence(self) -> None:
        """No ping for the time that the master has named: look for the master again."""
        self.join(start=False)
        self.master.ping_timeout = 1.0
        self.agent.start(wait=False)
        self.await_registered()
        self.master.pinging = False
        again = self.master.expect("ReregisterSlaveMessage")
        heard = max(sent.at for sent in self.master.sent if sent.at < again.at and sent.name in (
            "PingSlaveMessage", "SlaveRegisteredMessage"))
        self.assertGreater(again.at - heard, 0.9)
        self.master.pinging = True
        self.await_registered()

    def test_regular_pings_keep_it_quiet(self) -> None:
        self.join(start=False)
        self.master.ping_timeout, self.master.ping_interval = 4.0 * TIMEOUT_FACTOR, 0.1
        self.agent.start(wait=False)
        self.await_registered()
        self.master.expect_none("ReregisterSlaveMessage", 5.0 * TIMEOUT_FACTOR)


class Failover(MasterTestCase):
    def test_restarted_master(self) -> None:
        """A new master at the old address: the first sign of it makes the agent register again,
        under its id."""
        self.join()
        slave_id = self.master.slave_id
        self.master.restart()
        # It has no agent to ping; a real one recovers them from its registry.
        self.master.send("PingSlaveMessage", {"connected": False}, sender="slave-observer(1)",
                         receiver=f"slave(1)@127.0.0.1:{self.agent.address[1]}")
        self.expected_problems.append("a pong to nobody")
        again = self.master.expect("ReregisterSlaveMessage")
        self.await_registered()
        self.assertEqual(slave_id, again.message["slave"]["id"])

    def test_silence_of_a_dead_master(self) -> None:
        self.join(start=False)
        self.master.ping_timeout = 1.0
        self.agent.start(wait=False)
        self.await_registered()
        self.master.stop()
        time.sleep(1.5)
        self.master.restart()
        self.master.expect("ReregisterSlaveMessage")
        self.await_registered()
        self.agent.check_alive()


class Authentication(MasterTestCase):
    def authenticating(self, **credential: str) -> None:
        self.join(start=False, credentials=CREDENTIALS)
        write_credential(self.agent, **credential)

    def test_wrong_secret_ends_it(self) -> None:
        self.authenticating(secret="wrong")
        self.agent.start(wait=False)
        self.assertNotEqual(0, self.agent.join())
        self.assertEqual([], self.master.all_of("RegisterSlaveMessage"))

    def test_unknown_principal_ends_it(self) -> None:
        self.authenticating(principal="nobody")
        self.agent.start(wait=False)
        self.assertNotEqual(0, self.agent.join())

    def test_error_and_silence_are_tried_again(self) -> None:
        self.authenticating()
        self.agent.flags |= {"authentication_timeout_min": "100ms",
                             "authentication_timeout_max": "500ms",
                             "authentication_backoff_factor": "10ms"}
        self.master.authentication = "error"
        self.agent.start(wait=False)
        for _ in range(2):
            self.master.expect("AuthenticateMessage")
        self.master.authentication = "ignore"
        for _ in range(2):
            self.master.expect("AuthenticateMessage")
        self.master.authentication = "accept"
        self.await_registered()

    def test_again_before_each_registration(self) -> None:
        self.authenticating()
        self.agent.start(wait=False)
        self.await_registered()
        self.master.drop_link()  # a real master forgets it then
        self.master.ping(connected=False)
        self.master.expect("ReregisterSlaveMessage")
        self.await_registered()
        names = [r.name for r in self.master.received if r.name.startswith(("Authenticate", "Re"))]
        # A registration may have been repeated before its answer came.
        self.assertEqual(["AuthenticateMessage", "RegisterSlaveMessage",
                          "AuthenticateMessage", "ReregisterSlaveMessage"],
                         [name for name, _ in itertools.groupby(names)])

    def test_the_secret_is_not_shown(self) -> None:
        """Neither in the log nor in the flags nor in any message."""
        self.authenticating()
        self.agent.start(wait=False)
        self.await_registered()
        secret = CREDENTIAL["secret"]
        self.assertNotIn(secret, self.agent.log.read_text())
        reply = self.agent.expect(200, {"type": "GET_FLAGS"})
        self.assertNotIn(secret, reply.text)
        for received in self.master.received:
            self.assertNotIn(secret.encode(), received.body)


class Leaving(MasterTestCase):
    def test_termination_says_nothing(self) -> None:
        """SIGTERM, as for an upgrade: the master must believe that the agent comes back."""
        self.join()
        self.agent.stop()
        self.master.expect_none("UnregisterSlaveMessage", 0.2)

    def test_shutdown_by_the_master(self) -> None:
        self.join()
        self.master.shutdown("gone")
        self.assertEqual(0, self.agent.join())
        self.master.expect_none("UnregisterSlaveMessage", 0.2)

    def test_shutdown_by_another_is_ignored(self) -> None:
        self.join()
        self.master.send("ShutdownMessage", {"message": "x"}, sender="masquerade")
        self.master.ping()
        self.master.expect("PongSlaveMessage")
        time.sleep(0.2)
        self.agent.check_alive()


if __name__ == "__main__":
    import run
    run.main([__file__])
