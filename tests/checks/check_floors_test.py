#!/usr/bin/env python3
"""scripts/check-floors finds what it is there for, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "check-floors"


class CheckFloors(unittest.TestCase):
    def setUp(self) -> None:
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.top = Path(self.directory.name)

    def write(self, path: str, *lines: str) -> None:
        file = self.top / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def check(self, code: int) -> list[str]:
        done = subprocess.run([sys.executable, SCRIPT, self.top], stdout=subprocess.PIPE, text=True,
                              check=False)
        self.assertEqual(code, done.returncode, done.stdout)
        return done.stdout.splitlines()

    def test_lower_floors_and_the_own_one_are_fine(self) -> None:
        self.write("base/fd.cpp", '#include "base/fd.h"', "#include <string>")
        self.write("isolators/cgroups/cpu.cpp", '#include "isolators/resources.h"',
                   '#include "proto/mesos/v1/mesos.pb.h"')
        self.write("programs/agent_main.cpp", '#include "operator_api/router.h"',
                   '#include "base/fd.h"')
        self.assertEqual([], self.check(0))

    def test_a_higher_floor_is_found_with_its_line(self) -> None:
        self.write("base/fd.cpp", '#include "base/fd.h"', "", '  #  include "http/server.h"')
        self.assertEqual(["base/fd.cpp:3: base/ (floor 0) must not include http/ (floor 1): "
                          "nothing includes upward"], self.check(1))

    def test_every_violation_is_found(self) -> None:
        self.write("containerizer/a.h", '#include "agent/agent.h"')
        self.write("agent/deep/er/b.cpp", '#include "operator_api/api.h"', '#include "base/fd.h"',
                   '#include "programs/c.h"')
        self.assertEqual(["containerizer/a.h:1", "agent/deep/er/b.cpp:1", "agent/deep/er/b.cpp:3"],
                         [line.partition(": ")[0] for line in self.check(1)])

    def test_neighbours_know_only_what_the_table_says(self) -> None:
        self.write("proto/a.cpp", '#include "base/result.h"', '#include "base/files.h"')
        self.write("base/b.cpp", '#include "proto/base64.h"')
        self.write("ioswitchboard/c.cpp", '#include "proto/base64.h"',
                   '#include "proto/mesos/v1/mesos.pb.h"')
        self.write("executors/d.cpp", '#include "agent/agent.h"')
        self.assertEqual(
            ['base/b.cpp:1: base/ must not include "proto/base64.h"; it may include base/',
             'proto/a.cpp:2: proto/ must not include "base/files.h"; it may include proto/, '
             "base/result.h",
             'ioswitchboard/c.cpp:2: ioswitchboard/ must not include "proto/mesos/v1/mesos.pb.h"; '
             "it may include ioswitchboard/, base/, http/, proto/base64.h, proto/wire.h",
             'executors/d.cpp:1: executors/ must not include "agent/agent.h"; it may include '
             "executors/, base/, proto/, http/"], self.check(1))

    def test_paths_must_come_from_the_top_and_from_a_floor(self) -> None:
        self.write("base/fd.cpp", '#include "fd.h"', '#include "tests/base/loop_test.h"')
        first, second = self.check(1)
        self.assertEqual('base/fd.cpp:1: "fd.h" is not a path from the top of the tree', first)
        self.assertIn('"tests/base/loop_test.h" is not on any floor', second)

    def test_an_empty_tree_is_a_mistake(self) -> None:
        self.assertIn("nothing to check", self.check(1)[0])


if __name__ == "__main__":
    unittest.main()
