#!/usr/bin/env python3
"""Integration tests: the real binaries, as root, over real HTTP, with real cgroups.

    python3 tests/integration/run.py                        all files, release build
    python3 tests/integration/run.py --bin-dir build/asan/bin test_sessions
    python3 tests/integration/run.py -k stty -v             tests whose name contains "stty"
    python3 tests/integration/run.py --shuffle              in random order (seed is printed)

Needs: Linux, root, Python 3.11 (nothing besides its standard library), `stty`, `vi` and the usual
small tools; cgroup v1, v2 or both. A missing tool is a failure, but for the peers of single tests
(harness.py: find_peer): their tests are skipped, which is reported, and if nothing else ran the exit
code is 77.

Each test class starts an agent of its own, standalone (no master), with a scratch directory, a
cgroup root `mesos_test_<pid>_<n>` and a free port. After each class its containers are killed and
it must have left nothing: no process, mount, cgroup or socket. What it left is reported, then
removed. When a test fails, the end of its agent's log is printed with it.

Environment:
    MESOS_AGENT_BIN_DIR          directory of the binaries (as --bin-dir)
    MESOS_TEST_TIMEOUT_FACTOR    multiplies every time limit (20 s a wait); 5 for sanitizer builds
    MESOS_TEST_FULL=1            the streaming tests with 1 GiB of output and 256 MiB of input,
                                 the faults in full: two minutes of kill -9, with and without a
                                 master, at each call that makes a checkpoint; readers stopped for
                                 good

Files:
    harness.py      an agent under test and its API; the base classes of tests
    attach.py       clients of the streaming calls
    sessions.py, endings.py             what several files of tests share
    rawhttp.py, recordio.py, wire.py    HTTP/1.1, RecordIO and protobuf, written independently
    v0.py, libprocess.py, libprocess_endpoint.py    messages between agents, masters and executors
    scripted_master.py, scripted_scheduler.py, scripted_tasks.py    a master that tests direct, its
                    frameworks, and the rules that status updates must keep
    recorded_master.py          recorded conversations: drive an agent through them, and compare
    master_case.py              the base class of tests of agents with a master
    executor_http.py, executor_driver.py    custom executors, which agents launch and tests direct
    executor_control.py, executor_case.py   by this wire, and from this base class
    scripted_agent.py                   an agent that is all script, and executors to try on it
    attackers.py    programs by which containers attack the agent
    cgroups.py, leftovers.py, wakeups.py            what is on the host, and what it does
    principals.py   credentials, tokens and access control lists, and agents that ask for them
    exposition.py                       Prometheus's text format, strictly
    load.py         clients that do everything at once and know what must come back
    soak.py         the same for as long as you say; see scripts/soak
    replay.py, differences.py           recorded exchanges, and where ours differ on purpose
    test_*.py       the tests; each can be run alone
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import random
import signal
import sys
import time
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SKIPPED = 77  # the exit code; ctest is told (CMakeLists.txt)
sys.path.insert(0, str(HERE))


class Result(unittest.TextTestResult):
    """Adds the agents' logs to failures, and times to the verbose listing."""

    ran = 0  # tests that were not skipped
    logged: str | None = None  # the test whose log was printed already, for those with subtests

    def startTest(self, test: unittest.TestCase) -> None:
        self.started = time.monotonic()
        super().startTest(test)

    def addSuccess(self, test: unittest.TestCase) -> None:
        self.ran += 1
        super().addSuccess(test)
        if self.showAll:
            self.stream.writeln(f"    {time.monotonic() - self.started:.2f} s")

    def _exc_info_to_string(self, err: Any, test: unittest.TestCase) -> str:
        text = super()._exc_info_to_string(err, test)
        logs = getattr(test, "agent_logs", None)
        if logs is not None and self.logged != test.id():
            self.logged = test.id()
            try:
                text += "\n" + logs()
            except Exception as error:  # a failure in the report must not hide the failure
                text += f"\n(no log: {error!r})"
        return text


def flatten(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flatten(test)
        else:
            yield test


def shuffled(suite: unittest.TestSuite, seed: int) -> unittest.TestSuite:
    """Classes in random order, and the tests of each; a class stays together."""
    classes: dict[type, list[unittest.TestCase]] = {}
    for test in flatten(suite):
        classes.setdefault(type(test), []).append(test)
    chance = random.Random(seed)
    groups = list(classes.values())
    chance.shuffle(groups)
    for group in groups:
        chance.shuffle(group)
    return unittest.TestSuite(unittest.TestSuite(group) for group in groups)


def break_off(number: int, _: Any) -> None:
    print(f"{signal.Signals(number).name}: the run is broken off here:", file=sys.stderr)
    faulthandler.dump_traceback()
    raise KeyboardInterrupt  # the one exception that unittest does not take for a test's failure


def main(files: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", help="test files or modules; all by default")
    parser.add_argument("--bin-dir", help="directory of the binaries under test")
    parser.add_argument("-k", action="append", metavar="PATTERN", help="as unittest's -k")
    parser.add_argument("-f", "--failfast", action="store_true")
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("--shuffle", nargs="?", const=-1, type=int, metavar="SEED")
    parser.add_argument("--limit", type=float, default=3600, metavar="SECONDS",
                        help="give up and print where it hangs after that time")
    options = parser.parse_args()
    if options.bin_dir:
        os.environ["MESOS_AGENT_BIN_DIR"] = str(Path(options.bin_dir).resolve())
    # The agents' look-ups do not wait for long for a host's name server that does not answer.
    os.environ.setdefault("RES_OPTIONS", "timeout:1 attempts:1")
    # A run that is stopped, or stops itself, still goes through exit(): nothing is left running.
    signal.signal(signal.SIGTERM, break_off)
    signal.signal(signal.SIGALRM, break_off)
    signal.setitimer(signal.ITIMER_REAL, options.limit)

    import cgroups

    loader = unittest.TestLoader()
    if options.k:
        loader.testNamePatterns = [p if "*" in p else f"*{p}*" for p in options.k]
    names = options.files or files or sorted(str(p) for p in HERE.glob("test_*.py"))
    suite = unittest.TestSuite(loader.loadTestsFromName(Path(n).stem) for n in names)
    if options.shuffle is not None:
        seed = options.shuffle if options.shuffle >= 0 else random.randrange(1 << 32)
        print(f"--shuffle {seed}", file=sys.stderr)
        suite = shuffled(suite, seed)
    try:
        result = unittest.TextTestRunner(
            resultclass=Result, verbosity=2 if options.verbose else 1,
            failfast=options.failfast).run(suite)
    except KeyboardInterrupt:
        sys.exit(130)
    remaining = cgroups.roots(f"mesos_test_{os.getpid()}_")
    for directory in remaining:
        print(f"cgroup left behind: {directory}", file=sys.stderr)
    if result.testsRun == 0 and not result.skipped:
        print("no test matches", file=sys.stderr)
    for _, reason in result.skipped:
        print(f"skipped: {reason}")
    if result.wasSuccessful() and not remaining and result.skipped and result.ran == 0:
        sys.exit(SKIPPED)
    sys.exit(0 if result.wasSuccessful() and result.testsRun and not remaining else 1)


if __name__ == "__main__":
    main()
