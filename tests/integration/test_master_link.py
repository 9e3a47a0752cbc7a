"""The agent joins a master, keeps to it, and leaves it: against the scripted master, and field by
field against what a real agent has sent."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any

import v0
from harness import Agent, bin_dir, eventually
from libprocess import Link, post
from rawhttp import TIMEOUT
from recorded_master import Expected, compare, drive
from scripted_master import ScriptedMaster
from zookeeper import has_client

# As the recorded agent had them.
RECORDED_FLAGS = {
    "hostname": "127.0.0.1",
    "resources": "cpus:2;mem:23081;disk:252899;ports:[31000-32000]",
}
QUICK = {"registration_backoff_factor": "20ms"}


class MasterTest(unittest.TestCase):
    """Each test has a master and an agent of its own."""

    maxDiff = 8000

    def join(self, scripted: ScriptedMaster, wait: bool = True, **flags: Any) -> Agent:
        """An agent that is told of this master, and, with `wait`, has registered with it. Without,
        it may not answer yet, or have ended."""
        agent = Agent(self.id(), {"master": "%s:%d" % scripted.address, **QUICK, **flags})
        self.addCleanup(agent.shutdown)
        agent.start(wait=wait)
        if wait:
            scripted.expect("RegisterSlaveMessage")
            scripted.expect("UpdateSlaveMessage")
        return agent

    def master(self, **options: Any) -> ScriptedMaster:
        master = ScriptedMaster(**options).start()
        self.addCleanup(master.stop)
        return master

    def credential(self, principal: str, secret: str) -> str:
        path = Path(self.enterContext(contextlib.closing(_Scratch())).path)
        path.write_text(json.dumps({"principal": principal, "secret": secret}))
        path.chmod(0o600)
        return str(path)

    def ended(self, agent: Agent) -> int:
        """The exit code of an agent that ends by itself."""
        return agent.join(TIMEOUT)

    def metrics(self, agent: Agent) -> dict[str, float]:
        with agent.connect() as connection:
            return json.loads(connection.request("GET", "/metrics/snapshot", {}).body)


class _Scratch:
    """A file for one test."""

    def __init__(self) -> None:
        with tempfile.NamedTemporaryFile(delete=False) as file:
            self.path = file.name

    def close(self) -> None:
        Path(self.path).unlink()


class Recorded(MasterTest):
    """What is sent is what an Apache Mesos agent has sent."""

    def test_registration_and_leaving(self) -> None:
        master = self.master()
        agent = self.join(master, wait=False, **RECORDED_FLAGS)
        drive(master, "agent-unregisters", {2: lambda: agent.process.send_signal(signal.SIGUSR1)})
        self.assertEqual(0, self.ended(agent))
        compare(self, "agent-unregisters", master, [master.id], agent.address[1], [])
        master.assert_no_problems()

    def test_authentication(self) -> None:
        master = self.master(credentials={"agentp": "secret"})
        agent = self.join(master, wait=False, **RECORDED_FLAGS,
                          credential=self.credential("agentp", "secret"))
        drive(master, "authenticated-registration")
        master.expect("PongSlaveMessage")
        compare(self, "authenticated-registration", master, [master.id], agent.address[1], [
            Expected(r"agent\[2\].message.data", "another challenge",
                     lambda recorded, ours: recorded[:7] == ours[:7] == b"agentp ")])
        master.assert_no_problems()


class Registration(MasterTest):
    def test_tries_until_it_is_answered(self) -> None:
        master = self.master()
        master.registration = "ignore"
        self.join(master, wait=False)
        first = master.expect("RegisterSlaveMessage")
        again = master.expect("RegisterSlaveMessage")
        self.assertEqual(first.body, again.body)
        self.assertEqual(first.connection, again.connection)
        master.registration = "accept"
        master.expect("UpdateSlaveMessage")
        master.assert_no_problems()

    def test_is_shown(self) -> None:
        master = self.master()
        master.registration = "ignore"
        agent = self.join(master, wait=False)
        master.expect("RegisterSlaveMessage")
        agent.wait_until_ready()
        self.assertEqual(0, self.metrics(agent)["slave/registered"])
        master.registration = "accept"
        master.expect("UpdateSlaveMessage")
        eventually(lambda: self.metrics(agent)["slave/registered"] == 1, "it says that it is")
        with agent.connect() as connection:
            state = json.loads(connection.request("GET", "/slave(1)/state", {}).body)
        self.assertEqual(master.agent.slave_id, state["id"])
        self.assertEqual("slave(1)@127.0.0.1:%d" % agent.address[1], state["pid"])
        self.assertTrue(state["master_hostname"])

    def test_by_other_forms_of_the_flag(self) -> None:
        for form in ("master@127.0.0.1:%d", "localhost:%d"):
            with self.subTest(form), ScriptedMaster() as master:
                self.join(master, master=form % master.address[1]).stop()
        master = self.master()
        file = self.enterContext(contextlib.closing(_Scratch())).path
        Path(file).write_text(" %s:%d\n" % master.address)
        agent = self.join(master, master=f"file://{file}")
        reply = agent.expect(200, {"type": "GET_FLAGS"}).message
        flags = {entry["name"]: entry.get("value") for entry in reply["get_flags"]["flags"]}
        self.assertEqual(f"file://{file}", flags["master"])

    def test_under_an_advertised_address(self) -> None:
        master = self.master()
        agent = Agent(self.id(), {"master": "%s:%d" % master.address, **QUICK})
        self.addCleanup(agent.shutdown)
        # The agent listens on another port than masters are told.
        told, agent.flags["port"] = agent.address[1], "0"
        agent.flags |= {"advertise_ip": "127.0.0.1", "advertise_port": str(told)}
        agent.start(wait=False)
        received = master.expect("RegisterSlaveMessage")
        self.assertEqual(f"slave(1)@127.0.0.1:{told}", received.sender)
        self.assertEqual(told, received.message["slave"]["port"])
        agent.stop()

    def test_with_another_id_ends_the_agent(self) -> None:
        master = self.master()
        agent = self.join(master)
        master.send("SlaveRegisteredMessage", {"slave_id": {"value": "other-S9"}})
        self.assertEqual(1, self.ended(agent))
        self.assertRegex(agent.log_tail(), rf"takes the agent, which is {master.id}-S0, for other")
        master.expect_none("UnregisterSlaveMessage", 0.1)

    def test_by_an_impostor_is_nothing(self) -> None:
        master = self.master()
        master.registration = "ignore"
        self.join(master, wait=False)
        received = master.expect("RegisterSlaveMessage")
        master.send("SlaveRegisteredMessage", {"slave_id": {"value": "other-S9"}},
                    sender="master(1)", receiver=received.sender)
        with ScriptedMaster() as other:
            other.send("SlaveRegisteredMessage", {"slave_id": {"value": "other-S9"}},
                       receiver=received.sender)
            master.expect("RegisterSlaveMessage")
            master.expect("RegisterSlaveMessage")
        master.registration = "accept"
        master.expect("UpdateSlaveMessage")
        self.assertEqual(f"{master.id}-S0", master.agent.slave_id)


class Authentication(MasterTest):
    def test_refused_ends_the_agent(self) -> None:
        master = self.master(credentials={"agentp": "secret"})
        agent = self.join(master, wait=False, credential=self.credential("agentp", "wrong"))
        self.assertEqual(1, self.ended(agent))
        self.assertRegex(agent.log_tail(), r"--credential: the master .* refuses the credential of "
                                           r"'agentp'")
        master.expect_none("RegisterSlaveMessage", 0.1)

    def test_is_tried_again_after_an_error_and_after_silence(self) -> None:
        master = self.master(credentials={"agentp": "secret"})
        master.authentication = "error"
        self.join(master, wait=False, credential=self.credential("agentp", "secret"),
                  authentication_timeout_min="200ms", authentication_timeout_max="300ms",
                  authentication_backoff_factor="50ms")
        master.expect("AuthenticateMessage")
        master.expect("AuthenticateMessage")
        master.authentication = "ignore"
        master.expect("AuthenticateMessage")
        master.expect("AuthenticateMessage")
        master.authentication = "accept"
        master.expect("UpdateSlaveMessage")
        master.assert_no_problems()

    def test_comes_before_each_registration(self) -> None:
        master = self.master(credentials={"agentp": "secret"})
        self.join(master, credential=self.credential("agentp", "secret"))
        master.ping(connected=False)
        master.expect("AuthenticateMessage", where=lambda _: len(
            master.all_of("AuthenticateMessage")) > 1)
        master.expect("ReregisterSlaveMessage")
        master.expect("UpdateSlaveMessage")
        master.assert_no_problems()

    def test_without_a_credential_is_left_out(self) -> None:
        master = self.master(credentials={"agentp": "secret"})
        self.join(master, wait=False)
        master.expect("RegisterSlaveMessage")
        master.expect("RegisterSlaveMessage")
        self.assertEqual([], master.all_of("AuthenticateMessage"))


class Liveness(MasterTest):
    def test_pings_are_answered_to_who_pings(self) -> None:
        master = self.master()
        master.ping_interval, master.ping_first = 0.05, True
        self.join(master)
        master.wait_for(lambda: master.agent.pongs > 5, "it answers")
        master.assert_no_problems()
        master.wait_for(lambda: master.answers().get("HTTP/1.1 202 Accepted", 0) > 5, "with 202")

    def test_a_silent_master_is_looked_for_again(self) -> None:
        master = self.master()
        master.ping_timeout, master.ping_interval = 1.0, 0.2
        agent = self.join(master)
        master.pinging = False
        again = master.expect("ReregisterSlaveMessage")
        self.assertEqual(f"{master.id}-S0", again.message["slave"]["id"]["value"])
        master.pinging = True
        master.expect("UpdateSlaveMessage")
        eventually(lambda: self.metrics(agent)["slave/registered"] == 1, "it is registered")
        master.assert_no_problems()

    def test_a_broken_connection_of_the_master(self) -> None:
        """The agent does not notice, and is told by the next ping."""
        master = self.master()
        self.join(master)
        master.drop_link()
        master.expect_none("ReregisterSlaveMessage", 0.3)
        master.ping(connected=False)
        master.expect("ReregisterSlaveMessage")
        master.expect("UpdateSlaveMessage")
        master.assert_no_problems()

    def test_the_end_of_its_own_connection_means_nothing(self) -> None:
        master = self.master()
        master.ping_interval = 0.2
        agent = self.join(master)
        port, identity = master.address[1], master.id
        known = master.agent
        master.stop()
        master.restart(identity, port)
        master.agent = known
        pongs = known.pongs
        master.wait_for(lambda: known.pongs > pongs + 1, "pongs, over temporary connections")
        self.assertEqual([], master.all_of("ReregisterSlaveMessage"))
        self.assertEqual(1, self.metrics(agent)["slave/registered"])

    def test_a_restarted_master(self) -> None:
        master = self.master()
        master.ping_timeout, master.ping_interval = 1.0, 0.2
        self.join(master)
        first = master.agent.slave_id
        master.restart()
        again = master.expect("ReregisterSlaveMessage")
        self.assertEqual(first, again.message["slave"]["id"]["value"])
        master.expect("UpdateSlaveMessage")
        master.assert_no_problems()

    def test_its_connection_is_kept_among_thousands_of_clients(self) -> None:
        master = self.master()
        agent = self.join(master, max_connections="20")
        with contextlib.ExitStack() as stack:
            for _ in range(60):
                connection = stack.enter_context(agent.connect())
                with contextlib.suppress(OSError):
                    connection.request("GET", "/slave(1)/health", {})
            pongs = master.agent.pongs
            master.ping()
            master.wait_for(lambda: master.agent.pongs > pongs, "it answers on the same link")
            self.assertTrue(master.agent.connected)
        self.assertEqual([], master.all_of("ReregisterSlaveMessage"))


class Ending(MasterTest):
    def test_by_order_of_the_master(self) -> None:
        master = self.master()
        agent = self.join(master)
        master.shutdown("Agent has been marked gone")
        self.assertEqual(0, self.ended(agent))
        self.assertIn("Agent has been marked gone", agent.log_tail())
        self.assertEqual([], master.all_of("UnregisterSlaveMessage"))

    def test_before_it_is_registered(self) -> None:
        master = self.master()
        master.registration = "shutdown"
        agent = self.join(master, wait=False)
        self.assertEqual(0, self.ended(agent))
        self.assertIn("Machine is `DOWN`", agent.log_tail())

    def test_by_signal_says_nothing(self) -> None:
        master = self.master()
        agent = self.join(master)
        agent.stop()
        time.sleep(0.1)
        self.assertEqual([], master.all_of("UnregisterSlaveMessage"))
        master.assert_no_problems()


class Robustness(MasterTest):
    def test_messages_that_make_no_sense(self) -> None:
        master = self.master()
        agent = self.join(master)
        pid = master.agent.pid
        master.pinging = False
        master.wait_for(lambda: 0 < master.agent.pings == master.agent.pongs, "its first pong")
        pongs = master.agent.pongs
        sent = 1
        with contextlib.closing(Link(agent.address)) as link:
            for name in (*v0.schema()[0], "x", "mesos.internal.Nothing"):
                for body in (b"", b"x", b"\xff" * 100):
                    full = name if "." in name else v0.full_name(name)
                    if "Shutdown" in full:
                        continue
                    link.send(post("nobody@127.0.0.1:9", pid, full, body))
                    sent += 1
            link.send(post(master.upid(master.agent.observer), pid,
                           v0.full_name("PingSlaveMessage"), b"\x08\x01"))
            # Closed with answers that are not read, it would be reset, and what was sent dropped.
            eventually(lambda: sum(link.statuses().values()) == sent, "all have been taken")
        master.wait_for(lambda: master.agent.pongs > pongs, "it still answers")
        agent.check_alive()
        self.assertEqual([], master.all_of("ReregisterSlaveMessage"))


class Start(unittest.TestCase):
    """What is refused when the agent starts, with a sentence."""

    def test_refusals(self) -> None:
        without_client = () if has_client(bin_dir() / "mesos-agent") else (
            ({"master": "zk://127.0.0.1:2181/mesos"}, "this build has no ZooKeeper client"),)
        for flags, sentence in (
                *without_client,
                ({"master": "zk://user:secret@127.0.0.1:2181/"},
                 r"--master=zk://user:\*\*\*@127.0.0.1:2181/: expected zk://"),
                ({"master": "127.0.0.1"}, "expected host:port"),
                ({"master": "file:///no/such/file"}, "--master=file:///no/such/file: .*No such"),
                ({"master": "no-such-host.invalid:5050"}, "has no IPv4 address"),
                ({"master": "127.0.0.1:5050", "credential": "/no/such/file"}, "--credential: "),
                ({"master": "127.0.0.1:5050", "ip": "::1"}, "not a numeric IPv4 address"),
                ({"master": "127.0.0.1:5050", "registration_backoff_factor": "2mins"},
                 "one minute at most")):
            with self.subTest(sentence):
                agent = Agent(self.id(), flags)
                self.addCleanup(agent.discard)
                agent.start(wait=False)
                self.assertEqual(1, agent.join())
                self.assertTrue(re.search(sentence, agent.log_tail()), agent.log_tail())
