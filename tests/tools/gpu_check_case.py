"""What the tests of tools/gpu_check share: a folder for its results, and programs that stand in for ours."""

import contextlib
import json
import os
import pathlib
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools" / "gpu_check"))

import runner  # noqa: E402


class Folder(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)
        self.out = self.folder / "out" / "first.json"
        self.log = self.folder / "out" / "first.log"

    def read(self):
        return json.loads(self.out.read_text(encoding="utf-8"))

    def run_stages(self, *stages, budget=60, observe=lambda run: {}):
        result = {"commit": "c0ffee"}
        passed = runner.run_stages(stages, result, self.out, self.log, budget, observe)
        return passed, {record["name"]: record for record in self.read()["stages"]}

    def run_of(self, seconds=30):
        self.log.parent.mkdir(exist_ok=True)
        return runner.Run(self.log, time.monotonic() + seconds)

    def program(self, path, text):
        """A shell script that stands in for a program, and records how it is called."""
        path.parent.mkdir(parents=True, exist_ok=True)
        record = f"{{ printf '%s\\t' \"${{0##*/}}\" \"$@\"; echo; }} >>{self.folder}/calls\n"
        path.write_text(f"#!/bin/sh\n{record}{text}", encoding="utf-8")
        path.chmod(0o755)

    def expect_dead(self, pid):
        """Waits until a process that was killed is gone, or dead but not yet reaped."""
        begin = time.monotonic()
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            while "Z" != pathlib.Path("/proc", pid, "stat").read_text().rsplit(")", 1)[1].split()[0]:
                self.assertLess(time.monotonic() - begin, 60, "the process goes on")
                os.sched_yield()

    def calls(self):
        """The words of each call of a stand-in so far, its name first."""
        lines = (self.folder / "calls").read_text(encoding="utf-8").splitlines()
        return [line.split("\t")[:-1] for line in lines]
