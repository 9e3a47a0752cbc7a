"""The checks and health checks of mesos-executor: each kind, what is told of them, and pauses."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import tempfile
import threading
import unittest
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import tls
import wire
from harness import eventually
from scripted_agent import (
    EXECUTOR, Executor, ScriptedAgent, descendants, parents, task, wait_gone)

SOON = {"delay_seconds": 0, "interval_seconds": 0.05}
NEVER_AGAIN = {"delay_seconds": 0, "interval_seconds": 1000}
CHECK = "REASON_TASK_CHECK_STATUS_UPDATED"
HEALTH = "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED"


def command(value: str, **timing: float) -> wire.Message:
    """A CheckInfo."""
    return {"type": "COMMAND", "command": {"command": {"value": value}}, **(timing or SOON)}


def health(value: str, **settings: float) -> wire.Message:
    """A HealthCheck by command, without a grace period."""
    return {"type": "COMMAND", "command": {"value": value}, "grace_period_seconds": 0,
            **SOON, **settings}


class CheckTestCase(unittest.TestCase):
    def start(self, value: str = "sleep 1000", killing_state: bool = False, checkpoint: bool = False,
              environment: dict[str, str] | None = None,
              **fields: Any) -> tuple[ScriptedAgent, Executor]:
        agent = ScriptedAgent(capabilities=("TASK_KILLING_STATE",) if killing_state else (),
                              checkpoint=checkpoint)
        self.addCleanup(agent.__exit__)
        agent.launch(task(value, **fields))
        return agent, agent.start_executor(**(environment or {}))

    def result(self, check: wire.Message) -> wire.Message:
        """The first status that tells a result of it."""
        agent, executor = self.start(check=check)
        status = agent.wait_for(lambda: [s for s in agent.updates() if s.get("reason") == CHECK],
                                "a result")[0]
        agent.kill()
        executor.wait()
        return status["check_status"]

    def verdict(self, check: wire.Message) -> bool:
        """Of a health check."""
        agent, executor = self.start(
            health_check={"grace_period_seconds": 0, **NEVER_AGAIN, **check})
        status = agent.wait_for(lambda: [s for s in agent.updates() if s.get("reason") == HEALTH],
                                "a verdict")[0]
        agent.kill()
        executor.wait()
        return status["healthy"]


class CommandChecks(CheckTestCase):
    def test_results(self) -> None:
        for value, code in (("exit 0", 0), ("exit 3", 3), ("no-such-command", 127),
                            ("kill -KILL $$", 137)):
            with self.subTest(value):
                self.assertEqual(self.result(command(value)),
                                 {"type": "COMMAND", "command": {"exit_code": code}})

    def test_every_field_with_a_constant_result(self) -> None:
        agent, executor = self.start(check=command("echo x >> runs; exit 1"))
        agent.wait_state("TASK_RUNNING", 2)
        eventually(lambda: len((agent.sandbox / "runs").read_text()) >= 8, "four runs")
        agent.kill()
        executor.wait()
        empty = {"type": "COMMAND", "command": {}}
        common = {"task_id": {"value": EXECUTOR}, "executor_id": {"value": EXECUTOR},
                  "source": "SOURCE_EXECUTOR", "check_status": empty}
        statuses = agent.updates()
        self.assertEqual(len({s.pop("uuid") for s in statuses}), 4)
        times = [s.pop("timestamp") for s in statuses]
        self.assertEqual(times, sorted(times))
        self.assertEqual(statuses, [
            {**common, "state": "TASK_STARTING"},
            {**common, "state": "TASK_RUNNING"},
            {**common, "state": "TASK_RUNNING", "reason": CHECK,
             "check_status": {"type": "COMMAND", "command": {"exit_code": 1}}},
            {**common, "state": "TASK_KILLED",
             "message": "Command terminated with signal Terminated"}])

    def test_changes_are_told(self) -> None:
        agent, executor = self.start(
            check=command("if test -e file; then exit 1; else touch file; fi"))
        statuses = agent.wait_for(
            lambda: found if len(found := agent.updates()) >= 4 else None, "two results")
        self.assertEqual([s["check_status"]["command"] for s in statuses[2:4]],
                         [{"exit_code": 0}, {"exit_code": 1}])
        agent.kill()
        executor.wait()

    def test_a_timeout_kills_the_tree_and_has_no_result(self) -> None:
        agent, executor = self.start(check=command(
            "if test -e first; then (setsid sleep 1001 &); sleep 1002; else touch first; fi",
            **SOON, timeout_seconds=2))
        statuses = agent.wait_for(
            lambda: found if len(found := agent.updates()) >= 4 else None, "no result any more")
        self.assertEqual(statuses[2]["check_status"]["command"], {"exit_code": 0})
        self.assertEqual(statuses[3]["check_status"], {"type": "COMMAND", "command": {}})
        self.assertIn("No result within 2secs", executor.stderr)
        agent.kill()
        executor.wait()

    def test_a_timeout_leaves_the_task_alone(self) -> None:
        agent, executor = self.start("sleep 1000 & touch ready; wait", check=command(
            "echo x >> runs; sleep 1002 & sleep 1003", **SOON, timeout_seconds=0.1))
        eventually(lambda: (agent.sandbox / "runs").exists()
                   and len((agent.sandbox / "runs").read_text()) >= 6, "three runs")
        commands = [command_line(pid) for pid in descendants(executor.pid)]
        self.assertIn("sleep 1000", commands)
        self.assertLessEqual(sum("100" in c for c in commands) - 2, 3)  # of one run at most
        agent.kill()
        executor.wait()

    def test_what_it_gets(self) -> None:
        check = command("echo out; echo err >&2; env | grep ^VAR | sort > env; "
                        "readlink /proc/self/fd/0 > stdin; exit 1", **NEVER_AGAIN)
        check["command"]["command"]["environment"] = {"variables": [
            {"name": "VAR_BOTH", "value": "check"}, {"name": "VAR_CHECK", "value": "check"}]}
        agent, executor = self.start(
            environment={"VAR_BOTH": "executor", "VAR_EXECUTOR": "executor"}, check=check)
        agent.wait_for(lambda: [s for s in agent.updates() if s.get("reason")], "a result")
        self.assertEqual(executor.stdout, "")
        self.assertIn("out\nerr\n", executor.stderr)
        self.assertEqual((agent.sandbox / "env").read_text(),
                         "VAR_BOTH=check\nVAR_CHECK=check\nVAR_EXECUTOR=executor\n")
        self.assertEqual((agent.sandbox / "stdin").read_text(), "/dev/null\n")
        agent.kill()
        executor.wait()

    def test_a_program_that_is_not_there_has_no_result(self) -> None:
        self.assertFalse(self.verdict({"type": "COMMAND", "command": {
            "shell": False, "value": "/no/such/file", "arguments": ["file"]}}))

    def test_the_delay_and_the_interval_are_waited_for(self) -> None:
        agent, executor = self.start("touch ready; sleep 0.3",
                                     check=command("touch checked", delay_seconds=1000))
        executor.wait()
        self.assertFalse((agent.sandbox / "checked").exists())
        agent, executor = self.start("while ! test -s runs; do sleep 0.02; done; sleep 0.3",
                                     check=command("echo x >> runs", **NEVER_AGAIN))
        executor.wait()
        self.assertEqual((agent.sandbox / "runs").read_text(), "x\n")


class HealthChecks(CheckTestCase):
    def test_failures_kill_the_task(self) -> None:
        for killing_state in (False, True):
            with self.subTest(killing_state=killing_state):
                agent, executor = self.start(health_check=health("exit 1", consecutive_failures=3),
                                             killing_state=killing_state)
                executor.wait()
                told = [(s["state"], s.get("healthy"), s.get("reason")) for s in agent.updates()]
                killing = [("TASK_KILLING", None, None)] if killing_state else []
                self.assertEqual(told, [
                    ("TASK_STARTING", None, None), ("TASK_RUNNING", None, None),
                    *[("TASK_RUNNING", False, HEALTH)] * 3, *killing, ("TASK_KILLED", False, None)])
                self.assertEqual(agent.updates()[-1]["message"],
                                 "Command terminated with signal Terminated")

    def test_flipping(self) -> None:
        # Succeeds, succeeds, fails, fails, succeeds, and so on.
        agent, executor = self.start(health_check=health(
            "echo >> runs; case $(wc -l < runs) in 3|4) exit 1;; esac", consecutive_failures=3))
        agent.wait_for(lambda: len(agent.updates()) >= 6, "a verdict after each change")
        told = [(s["state"], s.get("healthy")) for s in agent.updates()]
        self.assertEqual(told, [
            ("TASK_STARTING", None), ("TASK_RUNNING", None), ("TASK_RUNNING", True),
            ("TASK_RUNNING", False), ("TASK_RUNNING", False), ("TASK_RUNNING", True)])
        agent.kill()
        executor.wait()
        self.assertNotIn("healthy", agent.updates()[-1])

    def test_failures_in_the_grace_period_do_not_count(self) -> None:
        agent, executor = self.start(health_check=health(
            "echo >> runs; test $(wc -l < runs) -gt 5", grace_period_seconds=1000,
            consecutive_failures=1))
        agent.wait_for(lambda: len(agent.updates()) >= 3, "the first success")
        self.assertEqual([s.get("healthy") for s in agent.updates()], [None, None, True])
        agent.kill()
        executor.wait()

    def test_both_kinds_of_checks_leave_each_other_alone(self) -> None:
        agent, executor = self.start(
            check=command("test -e told && exit 4", **SOON), health_check=health("exit 0"))
        agent.wait_for(lambda: [s for s in agent.updates() if s.get("reason") == HEALTH]
                       and [s for s in agent.updates() if s.get("reason") == CHECK], "both")
        (agent.sandbox / "told").touch()
        last = agent.wait_for(
            lambda: [s for s in agent.updates()
                     if s["check_status"]["command"].get("exit_code") == 4], "the change")[0]
        self.assertEqual((last["healthy"], last["reason"]), (True, CHECK))
        agent.kill()
        executor.wait()
        last = agent.updates()[-1]
        self.assertEqual(last["check_status"], {"type": "COMMAND", "command": {}})
        self.assertNotIn("healthy", last)


class Pages(BaseHTTPRequestHandler):
    """/status/N answers N, /to/N/PATH redirects N times, then to PATH."""

    def do_GET(self) -> None:
        server: Any = self.server
        server.seen.append((self.path, dict(self.headers)))
        _, kind, *rest = self.path.split("/")
        if kind == "hang":
            server.hang.wait()
            return
        if kind == "to":
            count = int(rest[0])
            self.send_response(302)
            self.send_header("Location", f"/to/{count - 1}/{'/'.join(rest[1:])}" if count > 1
                             else "/" + "/".join(rest[1:]))
        elif kind == "elsewhere":
            self.send_response(301)
            self.send_header("Location", server.elsewhere)
        else:
            self.send_response(int(rest[0]) if kind == "status" else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        pass


class _Server6(ThreadingHTTPServer):
    address_family = socket.AF_INET6


@contextlib.contextmanager
def pages(ipv6: bool = False, context: ssl.SSLContext | None = None) -> Iterator[Any]:
    server: Any = (_Server6(("::1", 0), Pages) if ipv6 else ThreadingHTTPServer(("127.0.0.1", 0),
                                                                                Pages))
    server.seen, server.hang, server.elsewhere = [], threading.Event(), ""
    server.daemon_threads = True
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.hang.set()
        server.shutdown()
        server.server_close()


class HttpChecks(CheckTestCase):
    def http(self, server: Any, path: str | None, **settings: float) -> wire.Message:
        where = {"port": server.server_address[1]} | ({} if path is None else {"path": path})
        return {"type": "HTTP", "http": where, **NEVER_AGAIN, **settings}

    def test_status_codes(self) -> None:
        with pages() as server:
            for code in (200, 204, 404, 500):
                with self.subTest(code):
                    self.assertEqual(self.result(self.http(server, f"/status/{code}")),
                                     {"type": "HTTP", "http": {"status_code": code}})
            self.assertEqual(self.result(self.http(server, None))["http"], {"status_code": 200})
            path, headers = server.seen[-1]
            self.assertEqual(path, "/")
            self.assertEqual(headers["Host"], f"127.0.0.1:{server.server_address[1]}")

    def test_redirections_are_followed(self) -> None:
        with pages() as server, pages() as other:
            self.assertEqual(self.result(self.http(server, "/to/50/status/404"))["http"],
                             {"status_code": 404})
            server.elsewhere = f"http://localhost:{other.server_address[1]}/status/201"
            self.assertEqual(self.result(self.http(server, "/elsewhere"))["http"],
                             {"status_code": 201})
            # A redirection without a place to go to is an answer like any other.
            self.assertEqual(self.result(self.http(server, "/status/304"))["http"],
                             {"status_code": 304})

    def test_endless_redirections_are_a_failure(self) -> None:
        with pages() as server:
            self.assertFalse(self.verdict(
                {"type": "HTTP", "http": {"port": server.server_address[1], "path": "/to/51/x"}}))

    def test_health(self) -> None:
        with pages() as server:
            for code, healthy in ((200, True), (399, True), (400, False), (503, False)):
                with self.subTest(code):
                    self.assertEqual(self.verdict({"type": "HTTP", "http": {
                        "port": server.server_address[1], "path": f"/status/{code}",
                        "scheme": "http"}}), healthy)

    def test_ipv6(self) -> None:
        with pages(ipv6=True) as server:
            port = server.server_address[1]
            http = {"port": port, "path": "/status/200"}
            self.assertTrue(self.verdict({"type": "HTTP", "http": {**http, "protocol": "IPv6"}}))
            self.assertEqual(server.seen[-1][1]["Host"], f"[::1]:{port}")
            self.assertFalse(self.verdict({"type": "HTTP", "http": http}))

    def test_nobody_listens(self) -> None:
        with socket.socket() as taken:  # so that nobody else will
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
            self.assertFalse(self.verdict({"type": "HTTP", "http": {"port": port}}))

    def test_no_answer_in_time(self) -> None:
        with pages() as server:
            self.assertFalse(self.verdict({"type": "HTTP", "timeout_seconds": 0.2, "http": {
                "port": server.server_address[1], "path": "/hang"}}))

    def test_https_is_left_to_curl(self) -> None:
        with contextlib.ExitStack() as stack:
            directory = stack.enter_context(tempfile.TemporaryDirectory())
            identity = tls.Authority(Path(directory)).issue("server")
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(identity.cert, identity.key)
            server = stack.enter_context(pages(context=context))
            http = {"port": server.server_address[1], "path": "/to/2/status/200",
                    "scheme": "https"}
            self.assertTrue(self.verdict({"type": "HTTP", "http": http}))
            self.assertIn("curl/", server.seen[-1][1]["User-Agent"])
            plain = stack.enter_context(pages())
            plain.elsewhere = f"https://127.0.0.1:{server.server_address[1]}/status/418"
            self.assertEqual(self.result(self.http(plain, "/elsewhere"))["http"],
                             {"status_code": 418})

    def test_https_without_curl(self) -> None:
        agent, executor = self.start(
            "exec /bin/sleep 1000", environment={"PATH": "/no/such/directory"}, health_check={
                "type": "HTTP", "grace_period_seconds": 0, **NEVER_AGAIN,
                "http": {"port": 1, "scheme": "https"}})
        agent.wait_for(lambda: [s for s in agent.updates() if s.get("healthy") is False], "failure")
        self.assertIn("'https://127.0.0.1:1/' needs the program curl: Failed to execute 'curl': "
                      "No such file or directory", executor.stderr)
        agent.kill()
        executor.wait()


class TcpChecks(CheckTestCase):
    def test_results(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            tcp = {"type": "TCP", "tcp": {"port": port}, **NEVER_AGAIN}
            self.assertEqual(self.result(tcp), {"type": "TCP", "tcp": {"succeeded": True}})
            self.assertTrue(self.verdict({"type": "TCP", "tcp": {"port": port}}))
        with socket.socket() as taken:  # so that nobody listens
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
            self.assertEqual(self.result({**tcp, "tcp": {"port": port}}),
                             {"type": "TCP", "tcp": {"succeeded": False}})
            self.assertFalse(self.verdict({"type": "TCP", "tcp": {"port": port}}))


class Pauses(CheckTestCase):
    RUNS = "echo x >> runs; test -e block && touch blocked && sleep 1002; exit 0"

    def runs(self, agent: ScriptedAgent) -> int:
        path = agent.sandbox / "runs"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def test_while_the_agent_is_away(self) -> None:
        agent, executor = self.start(check=command(self.RUNS, **SOON), checkpoint=True)
        agent.wait_for(lambda: [s for s in agent.updates() if s.get("reason")], "a result")
        (agent.sandbox / "block").touch()
        eventually((agent.sandbox / "blocked").exists, "a run that lasts")
        lasting = [pid for pid in descendants(executor.pid) if "1002" in command_line(pid)]
        agent.wait_acknowledged()
        agent.go_away(gently=True)
        wait_gone(lasting)  # and its result, had it one, is not told
        (agent.sandbox / "block").unlink()
        before = self.runs(agent)
        threading.Event().wait(0.3)
        self.assertEqual(self.runs(agent), before)
        agent.listen()
        eventually(lambda: self.runs(agent) > before + 1, "more runs")
        agent.kill()
        executor.wait()
        self.assertEqual([s.get("reason") for s in agent.updates()], [None, None, CHECK, None])

    def test_a_pause_ends_the_delay(self) -> None:
        agent, executor = self.start(check=command(self.RUNS, delay_seconds=1000),
                                     checkpoint=True)
        agent.wait_state("TASK_RUNNING")
        agent.wait_acknowledged()
        agent.go_away(gently=True)
        self.assertEqual(self.runs(agent), 0)
        agent.listen()
        eventually(lambda: self.runs(agent) == 1, "a run at once")
        agent.kill()
        executor.wait()

    def test_while_the_task_is_killed(self) -> None:
        agent, executor = self.start(
            "trap '' TERM; touch ready; while :; do sleep 0.02; done", killing_state=True,
            health_check=health(self.RUNS + "; test ! -e fail", consecutive_failures=1))
        eventually((agent.sandbox / "ready").exists, "the task is ready")
        agent.wait_for(lambda: [s for s in agent.updates() if s.get("healthy")], "healthy")
        agent.kill(1)
        agent.wait_state("TASK_KILLING")
        before = self.runs(agent)
        (agent.sandbox / "fail").touch()
        executor.wait()
        self.assertLessEqual(self.runs(agent), before + 1)  # one may have been about to begin
        self.assertEqual(agent.states()[-2:], ["TASK_KILLING", "TASK_KILLED"])
        self.assertNotIn("healthy", agent.updates()[-1])

    def test_the_end_of_the_task_ends_a_run(self) -> None:
        agent, executor = self.start("while ! test -e blocked; do sleep 0.02; done",
                                     check=command("touch blocked; sleep 1002"))
        executor.wait()
        self.assertEqual(agent.states()[-1], "TASK_FINISHED")
        eventually(lambda: not [pid for pid in parents() if "1002" in command_line(pid)
                                and in_directory(pid, agent.sandbox)], "the run is dead")


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()
    except OSError:
        return ""


def in_directory(pid: int, directory: Path) -> bool:
    try:
        return os.readlink(f"/proc/{pid}/cwd") == str(directory)
    except OSError:
        return False


if __name__ == "__main__":
    unittest.main()
