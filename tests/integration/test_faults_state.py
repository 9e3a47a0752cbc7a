"""Checkpoints cut short at any byte, and clocks that jump."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

from attach import attach_output, write_input
from harness import OwnAgentTestCase, argv, eventually, pid_gone, shell
from load import ATTACHABLE, lines
from rawhttp import TIMEOUT_FACTOR

FULL = os.environ.get("MESOS_TEST_FULL") == "1"

# Stands before the C library's functions that read the time of day.
SHIM = r"""
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long offset(void) {
  long seconds = 0;
  FILE* file = fopen(getenv("CLOCK_OFFSET_FILE"), "re");
  if (file == NULL) return 0;
  if (fscanf(file, "%ld", &seconds) != 1) seconds = 0;
  fclose(file);
  return seconds;
}
int clock_gettime(clockid_t clock, struct timespec* time) {
  const int code = (int)syscall(SYS_clock_gettime, clock, time);
  if (code == 0 && clock == CLOCK_REALTIME) time->tv_sec += offset();
  return code;
}
int gettimeofday(struct timeval* restrict time, void* restrict zone) {
  const int code = (int)syscall(SYS_gettimeofday, time, zone);
  if (code == 0) time->tv_sec += offset();
  return code;
}
time_t time(time_t* result) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (result != NULL) *result = now.tv_sec;
  return now.tv_sec;
}
"""
HOUR = 3600


class TruncatedFiles(OwnAgentTestCase):
    def test_at_every_byte(self) -> None:
        """An agent starts, the damaged container comes to an end, the other is as it was."""
        agent = self.new_agent()
        agent.launch("intact", command=argv("cat", **ATTACHABLE))
        names = ("config", "launch_info", "pid", "status", "termination", "io_switchboard/pid")
        for name in names:
            size = 10_000
            step = 0
            while step < (8 if FULL else 3) and size > 0:
                agent.launch("damaged", command=shell("exec sleep 100000", **ATTACHABLE))
                agent.run("ended", command=shell("exit 3"))
                pids = agent.pids("damaged")
                agent.kill9()
                damaged = []
                for root in ("damaged", "ended"):
                    file = agent.runtime_dir / "containers" / root / name
                    if file.exists():
                        size = min(size, file.stat().st_size)
                        cut = size * step // (8 if FULL else 3)
                        os.truncate(file, cut)
                        damaged.append(root)
                step += 1
                with self.subTest(file=name, step=step):
                    agent.start()
                    self.assertIn(("intact",), agent.containers())
                    agent.kill("damaged")
                    eventually(lambda: agent.containers() == {("intact",)}, "it comes to an end")
                    eventually(lambda p=pids: all(map(pid_gone, p)), "its processes are gone")
                    reply = agent.try_wait("ended")
                    if "ended" not in damaged or name in ("config", "launch_info", "pid"):
                        self.assert_status(200, reply)
                    if reply.status == 200 and name != "status":
                        assert reply.message is not None
                        self.assertEqual(3 << 8, reply.message["wait_container"]["exit_status"])
                    for root in ("damaged", "ended"):
                        self.assertIn(agent.remove(root).status, (200, 404))
                        self.assertFalse((agent.runtime_dir / "containers" / root).exists())
        self.assertEqual(200, write_input(agent, "intact", data=b"x").status)
        self.assertEqual(0, agent.wait("intact")["exit_status"])
        agent.assert_nothing_left()


class Clocks(OwnAgentTestCase):
    """Of the host's clocks none is touched: the steady ones are shifted by a time namespace, the time
    of day by a library in front of the C library's. What this does not show is what the kernel's own
    timers do when CLOCK_REALTIME is set; the agent has none on that clock (timerfd, epoll_wait and
    libevent's monotonic timer do not look at it), which strace would tell."""

    def test_steady_clocks_far_ahead(self) -> None:
        """As on a host that has been up for ten years."""
        offset = str(10 * 365 * 24 * HOUR)
        agent = self.new_agent(wrapper=["unshare", "--time", f"--monotonic={offset}",
                                        f"--boottime={offset}"])
        boottime = Path(f"/proc/{agent.pid}/timens_offsets").read_text()
        self.assertIn(offset, boottime)
        agent.launch("root", command=shell("exec sleep 100000"))
        agent.launch("root", "cat", command=argv("cat", **ATTACHABLE))
        agent.restart()
        self.assertEqual({("root",), ("root", "cat")}, agent.containers())
        with attach_output(agent, "root", "cat") as reader:
            self.assertEqual(200, write_input(agent, "root", "cat", data=lines(1000)).status)
            self.assertEqual(lines(1000), bytes(reader.read_to_end().stdout))
        self.assertEqual(0, agent.wait("root", "cat")["exit_status"])
        agent.destroy_all()
        agent.assert_nothing_left()

    def test_time_of_day(self) -> None:
        """Set back or forward by hours or decades: nothing is forgotten, no stream ends."""
        directory = self.shim()
        agent = self.new_agent(
            {"termination_retention": "1hrs", "http_heartbeat_interval": "200ms"},
            environment={"LD_PRELOAD": str(directory / "shim.so"),
                         "CLOCK_OFFSET_FILE": str(directory / "offset")})
        agent.launch("root", command=shell("exec sleep 100000"))
        agent.launch("cat", command=argv("cat", **ATTACHABLE))
        with attach_output(agent, "cat") as reader:
            for number, hours in enumerate((2, -2, 24 * 365 * 30, -24 * 365 * 20, 0)):
                name = f"ended-{number}"
                agent.run(name, command=shell("exit 3"))
                self.set_offset(directory, hours * HOUR)
                timestamps = [e["resource_statistics"]["timestamp"]
                              for e in agent.container_entries() if "resource_statistics" in e]
                self.assertTrue(all(abs(t - time.time() - hours * HOUR) < 60 * TIMEOUT_FACTOR
                                    for t in timestamps), "the shim does nothing")
                self.assertTrue(timestamps)
                agent.run("wakes-the-collector", command=argv("true"))
                agent.remove("wakes-the-collector")
                for earlier in range(number + 1):
                    self.assertEqual(3 << 8, agent.wait(f"ended-{earlier}")["exit_status"])
                beats = len(reader.heartbeats)
                while len(reader.heartbeats) < beats + 2:
                    next(reader.records())
                self.assertEqual(200, write_input(agent, "cat", data=b"%d\n" % number,
                                                  eof=False).status)
                reader.read_until(b"%d\n" % number)
            write_input(agent, "cat", data=b"")
            self.assertEqual(b"0\n1\n2\n3\n4\n", bytes(reader.read_to_end().stdout))
        self.assertEqual(0, agent.wait("cat")["exit_status"])
        # Set back between two runs: what is from the future is not older for it.
        self.set_offset(directory, -5 * HOUR)
        agent.restart()
        self.assertEqual({("root",)}, agent.containers())
        for number in range(5):
            self.assertEqual(3 << 8, agent.wait(f"ended-{number}")["exit_status"])
        agent.destroy_all()
        agent.assert_nothing_left()

    def shim(self) -> Path:
        import tempfile
        directory = Path(tempfile.mkdtemp(prefix="clock-shim-"))
        self.addCleanup(shutil.rmtree, directory)
        (directory / "shim.c").write_text(SHIM)
        subprocess.run(["clang-19", "-shared", "-fPIC", "-O1", "-o", directory / "shim.so",
                        directory / "shim.c"], check=True)
        self.set_offset(directory, 0)
        return directory

    @staticmethod
    def set_offset(directory: Path, seconds: int) -> None:
        (directory / "offset.new").write_text(str(seconds))
        (directory / "offset.new").rename(directory / "offset")


if __name__ == "__main__":
    import run
    run.main([__file__])
