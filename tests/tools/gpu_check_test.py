"""tools/gpu_check without a GPU: stages that fail, hang or lack something, and their results."""

import argparse
import contextlib
import io
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import unittest.mock

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools" / "gpu_check"))

import main  # noqa: E402
import runner  # noqa: E402
import stages  # noqa: E402
from runner import Stage, StageFailure, StageSkipped  # noqa: E402


def raising(error):
    def work(_):
        raise error
    return work


class Folder(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)
        self.out = self.folder / "results" / "result.json"

    def read(self):
        return json.loads(self.out.read_text(encoding="utf-8"))

    def run_stages(self, *plan, budget=60):
        result = {"commit": "c0ffee"}
        passed = runner.run_stages(plan, result, self.out, self.folder / "logs", budget)
        return passed, {record["name"]: record for record in self.read()["stages"]}

    def program(self, path, text):
        """A shell script that stands in for a program, and records how it is called."""
        path.parent.mkdir(parents=True, exist_ok=True)
        record = f"{{ printf '%s\\t' \"${{0##*/}}\" \"$@\"; echo; }} >>{self.folder}/calls\n"
        path.write_text(f"#!/bin/sh\n{record}{text}", encoding="utf-8")
        path.chmod(0o755)

    def calls(self):
        """The words of each call of a stand-in so far, its name first."""
        lines = (self.folder / "calls").read_text(encoding="utf-8").splitlines()
        return [line.split("\t")[:-1] for line in lines]


class RunStages(Folder):
    def test_a_failure_stops_only_what_needs_it(self):
        passed, records = self.run_stages(
            Stage("build", 9, "", lambda run: {"seconds": 1}),
            Stage("test", 9, "", raising(StageFailure("two tests failed")), needs=("build",)),
            Stage("fault", 9, "", raising(KeyError("seconds"))),
            Stage("after", 9, "", lambda run: {}, needs=("test",)),
            Stage("train", 9, "", lambda run: {"loss": 0.5}, needs=("build",)))
        self.assertFalse(passed)
        self.assertEqual([record["status"] for record in records.values()],
                         ["passed", "failed", "failed", "not run", "passed"])
        self.assertEqual(records["test"]["why"], "two tests failed")
        self.assertIn("KeyError", records["fault"]["why"])
        self.assertEqual(records["after"]["why"], "test did not pass")
        self.assertEqual(records["train"]["figures"], {"loss": 0.5})

    def test_what_is_skipped_does_not_fail(self):
        passed, records = self.run_stages(Stage("torch", 9, "", raising(StageSkipped("no torch"))))
        self.assertTrue(passed)
        self.assertEqual(records["torch"]["status"], "skipped")

    def test_the_file_is_there_while_a_stage_runs(self):
        seen = []
        self.run_stages(Stage("build", 9, "", lambda run: {"jobs": 2}),
                        Stage("test", 9, "", lambda run: seen.append(self.read()) or {}))
        self.assertEqual([(record["name"], record["status"]) for record in seen[0]["stages"]],
                         [("build", "passed"), ("test", "running")])
        self.assertEqual(seen[0]["commit"], "c0ffee")
        self.assertEqual(os.listdir(self.out.parent), ["result.json"])

    def test_an_interrupted_run_leaves_its_results(self):
        with self.assertRaises(KeyboardInterrupt):
            self.run_stages(Stage("build", 9, "", lambda run: {}),
                            Stage("test", 9, "", raising(KeyboardInterrupt())))
        self.assertEqual([record["status"] for record in self.read()["stages"]], ["passed", "failed"])

    def test_a_stage_ends_at_its_limit_with_its_children(self):
        pid = self.folder / "pid"
        begin = time.monotonic()
        passed, records = self.run_stages(
            Stage("hangs", 1, "", lambda run: run.command(["sh", "-c", f"sleep 60 & echo $! >{pid}; wait"])),
            Stage("next", 9, "", lambda run: {}))
        self.assertLess(time.monotonic() - begin, 20)
        self.assertFalse(passed)
        self.assertIn("out of time", records["hangs"]["why"])
        self.assertEqual(records["next"]["status"], "passed")
        state = pathlib.Path("/proc", pid.read_text().strip(), "stat")
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # or dead, but not yet reaped
            self.assertEqual(state.read_text().rsplit(")", 1)[1].split()[0], "Z")

    def test_what_a_command_printed_before_its_end_is_in_the_log(self):
        def interrupted(run):
            self.addCleanup(signal.signal, signal.SIGALRM, signal.signal(signal.SIGALRM, main.interrupt))
            signal.setitimer(signal.ITIMER_REAL, 1)
            run.command(["sh", "-c", "echo second line; sleep 60"])

        _, records = self.run_stages(
            Stage("hangs", 1, "", lambda run: run.command(["sh", "-c", "echo first line; sleep 60"])))
        self.assertIn("out of time", records["hangs"]["why"])
        self.assertIn("\nfirst line\n", (self.folder / "logs" / "hangs.log").read_text(encoding="utf-8"))
        with self.assertRaises(KeyboardInterrupt):
            self.run_stages(Stage("stopped", 60, "", interrupted))
        self.assertIn("\nsecond line\n", (self.folder / "logs" / "stopped.log").read_text(encoding="utf-8"))

    def test_the_budget_ends_before_the_limits_do(self):
        begin = time.monotonic()
        _, records = self.run_stages(Stage("long", 60, "", lambda run: run.command(["sleep", "60"])),
                                     Stage("last", 60, "", lambda run: {}), budget=1.5)
        self.assertLess(time.monotonic() - begin, 20)
        self.assertEqual(records["long"]["status"], "failed")
        self.assertEqual(records["last"]["status"], "not run")

    def test_a_command_that_fails_is_explained(self):
        _, records = self.run_stages(Stage("build", 9, "", lambda run: run.command(
            ["sh", "-c", "echo a.cu: error: expected a semicolon >&2; echo more >&2; exit 3"])))
        self.assertEqual(records["build"]["why"], "sh ended with 3: a.cu: error: expected a semicolon")
        self.assertIn("more", (self.folder / "logs" / "build.log").read_text(encoding="utf-8"))


class Stages(Folder):
    """Single stages, with programs that stand in for ours."""

    def check(self, device="cpu"):
        args = argparse.Namespace(device=device, build=self.folder, data=None, jobs=1, quiet=True,
                                  torch_python="python3")
        return stages.Check(args, "90")

    def run_of(self):
        return runner.Run(self.folder / "log", time.monotonic() + 30)

    def tests_give(self, *tests, status=0):
        suite = {"name": "B/Op", "testsuite": [
            {"name": name, "status": "RUN", "result": "COMPLETED", "time": f"{seconds}s", **more}
            for name, seconds, more in tests]}
        (self.folder / "answer.json").write_text(json.dumps({"testsuites": [suite]}), encoding="utf-8")
        self.program(self.folder / "bin" / "tern_ops_tests",
                     f"cp {self.folder}/answer.json {self.folder}/gpu_check_tests.json\nexit {status}\n")

    def test_failed_tests_fail_the_stage(self):
        self.tests_give(("A/cpu_2_threads", 1, {}), ("B/cpu_2_threads", 1, {"failures": [{}]}), status=1)
        with self.assertRaisesRegex(StageFailure, "1 of 2 tests failed: B/Op.B/cpu_2_threads"):
            self.check().test(self.run_of())

    def test_tests_that_are_all_skipped_fail_the_stage(self):
        self.tests_give(("A/cuda", 1, {"result": "SKIPPED"}))
        with self.assertRaisesRegex(StageFailure, "no test ran on cuda"):
            self.check("cuda").test(self.run_of())

    def test_every_suite_is_sanitized_and_the_quickest_first(self):
        check = self.check()
        check.test_seconds = {"A.slow": 5.0, "A.quick": 0.1, "B.only": 9.0, "A.middle": 0.2, "C.x": 0.1}
        self.assertEqual(check.choose_tests(self.run_of(), 9.35), ["A.quick", "C.x", "B.only"])
        self.assertEqual(check.choose_tests(self.run_of(), 9.45),
                         ["A.quick", "C.x", "B.only", "A.middle"])
        self.assertEqual(check.choose_tests(self.run_of(), 0), ["A.quick", "C.x", "B.only"])

    def test_without_times_the_first_test_of_every_suite_is_sanitized(self):
        self.program(self.folder / "bin" / "tern_ops_tests",
                     "echo 'A.\n  x\n  y  # GetParam() = cpu\nB/Op.  # typed\n  z/0\n'\n")
        self.assertEqual(self.check().choose_tests(self.run_of(), 9), ["A.x", "B/Op.z/0"])

    def test_nothing_to_sanitize_is_no_success(self):
        self.program(self.folder / "bin" / "tern_ops_tests", "")
        with self.assertRaisesRegex(StageFailure, "there is no test for cpu"):
            self.check().sanitize(self.run_of(), "memcheck")

    def test_what_a_sanitizer_finds_fails_its_stage(self):
        self.tests_give(("A/cuda", 1, {}))
        check = self.check("cuda")
        check.test_seconds = {"B/Op.A/cuda": 0.1}
        sanitizer = self.folder / "compute-sanitizer"
        with unittest.mock.patch.object(stages.machine, "find_tool", lambda name: str(sanitizer)):
            self.program(sanitizer, '[ "$1" = --tool=racecheck ] || exit 1\nshift 2\n"$@"\n')
            self.assertEqual(check.sanitize(self.run_of(), "racecheck"), {"tests": 1, "sanitized": True})
            self.assertIn("--gtest_filter=B/Op.A/cuda", self.calls()[-1])
            self.program(sanitizer, "shift 2\n\"$@\"\necho 'ERROR SUMMARY: 1 error' >&2\nexit 99\n")
            with self.assertRaisesRegex(StageFailure, "ended with 99: ERROR SUMMARY: 1 error"):
                check.sanitize(self.run_of(), "racecheck")
            self.program(sanitizer, "shift 2\n\"$@\"\n")
            self.tests_give(("A/cuda", 1, {"failures": [{}]}), status=1)
            with self.assertRaisesRegex(StageFailure, "ended with 1"):
                check.sanitize(self.run_of(), "racecheck")

    def test_runs_that_differ_fail_the_stage(self):
        check = self.check()
        check.data = self.folder
        tern = self.folder / "bin" / "tern"
        write = 'for a; do if [ "$to" ]; then d=$a; to=; fi; [ "$a" = --to ] && to=1; done\n' \
                '[ "$1" = export ] || exit 0\nmkdir -p "$d"; {}\n'
        self.program(tern, write.format('echo x >"$d/user_embeddings.npy"; '
                                                        'echo y >"$d/item_embeddings.npy"'))
        self.assertEqual(check.repeat(self.run_of()), {"same_bits": True, "bytes": 4})
        self.program(tern, write.format('echo $2 >"$d/user_embeddings.npy"; '
                                                        'echo y >"$d/item_embeddings.npy"'))
        with self.assertRaisesRegex(StageFailure, "two runs with the same seed gave different"):
            check.repeat(self.run_of())
        self.program(tern, write.format('echo "${2#*repeat-[12]}" >"$d/user_embeddings.npy"; '
                                        'echo y >"$d/item_embeddings.npy"'))
        with self.assertRaisesRegex(StageFailure, "a resumed run gave different"):
            check.repeat(self.run_of())

    def test_benchmarks_keep_no_names_of_places(self):
        check = self.check()
        check.data = self.folder
        answer = {"context": {"host_name": "h", "executable": "/x/tern-bench", "num_cpus": 2,
                              "tern_data": str(self.folder)}, "benchmarks": [{"name": "adam"}]}
        self.program(self.folder / "bin" / "tern-bench",
                     f"echo '{json.dumps(answer)}' >{self.folder}/gpu_check_bench.json\n")
        self.assertEqual(check.bench(self.run_of()),
                         {"context": {"num_cpus": 2, "tern_data": self.folder.name},
                          "benchmarks": [{"name": "adam"}]})

    def test_a_fifth_of_generated_data_is_held_out(self):
        (self.folder / "train.txt").write_text("0 1 2 3 4 5 6\n1\n2 7\n", encoding="ascii")
        stages.hold_out(self.folder)
        self.assertEqual(stages.read_lists(self.folder / "train.txt"), {0: [1, 2, 3, 4, 6], 1: [], 2: [7]})
        self.assertEqual(stages.read_lists(self.folder / "test.txt"), {0: [5], 1: [], 2: []})


class Options(Folder):
    """Compares the options that the stages use with the help of our programs."""

    TERN = """
    to=; last=
    for word; do case $last in --to | --out) to=$word ;; esac; last=$word; done
    [ "$to" ] && mkdir -p "$to"
    case $1 in
      info) echo '{"devices": [{}]}' ;;
      generate) echo 0 1 2 3 4 5 6 >"$to/train.txt" ;;
      train) for loss in 3 2; do echo '{"seconds": 1, "loss": '$loss'}'; done >"$to/metrics.jsonl" ;;
      export) touch "$to/user_embeddings.npy" "$to/item_embeddings.npy" ;;
    esac
    """
    TESTS = """
    for word; do case $word in
      --gtest_list_tests) printf 'A.\\n  x\\n' ;;
      --gtest_output=json:*) echo '{"testsuites": [{"name": "A", "testsuite": [{"name": "x",
        "status": "RUN", "result": "COMPLETED", "time": "1s"}]}]}' >"${word#*:}" ;;
    esac; done
    """
    BENCH = """for last; do :; done; echo '{"context": {}, "benchmarks": []}' >"$last"\n"""
    TORCH = """
    [ "$1" = -c ] && echo 2.0 && exit
    printf '{"torch": "2.0"}\\n{"milliseconds_per_step": 1}\\n'
    """

    def setUp(self):
        """Every stage has run with stand-ins."""
        super().setUp()
        for name, text in (("tern", self.TERN), ("tern_ops_tests", self.TESTS),
                           ("tern-bench", self.BENCH), ("python", self.TORCH), ("cmake", "")):
            self.program(self.folder / "bin" / name, text)
        args = main.parse_arguments(["--device", "cpu", "--quiet", "--build", str(self.folder),
                                     "--torch-python", str(self.folder / "bin" / "python")])
        plan = stages.Check(args, None).stages()
        path = f"{self.folder}/bin:{os.environ['PATH']}"
        with unittest.mock.patch.dict(os.environ, PATH=path):
            passed, records = self.run_stages(*plan)
        self.assertTrue(passed, [record for record in records.values() if record["status"] != "passed"])

    def options(self, name, *command):
        """The options, and keys of --set, that the stages give to a program or one of its commands."""
        found = set()
        for call in self.calls():
            if call[:1 + len(command)] == [name, *command]:
                found |= {word.split("=")[0] for word in call if word.startswith("--")}
                found |= {word.split("=")[0] for last, word in zip(call, call[1:]) if last == "--set"}
        self.assertTrue(found, f"{name} {' '.join(command)} is never given an option")
        return sorted(found)

    def lacking(self, options, text):
        return [option for option in options
                if not re.search(rf"(?<![\w.-]){re.escape(option)}(?![\w.-])", text)]

    @unittest.skipUnless("TERN_PROGRAMS" in os.environ, "TERN_PROGRAMS names no folder of built programs")
    def test_our_programs_have_every_option_that_they_are_given(self):
        called = {(call[0], *call[1:2]) if call[0] in ("tern", "tern-bench") else (call[0],)
                  for call in self.calls()} - {("python",), ("cmake",)}
        self.assertEqual({name for name, *_ in called}, {"tern", "tern-bench", "tern_ops_tests"})
        for name, *command in sorted(called):
            program = pathlib.Path(os.environ["TERN_PROGRAMS"], name)
            with self.subTest(program=name, command=command):
                if name == "tern-bench" and not program.exists():
                    self.skipTest("built without tern-bench")
                answer = subprocess.run([program, *command, "--help"], text=True, timeout=60,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
                self.assertEqual(self.lacking(self.options(name, *command), answer.stdout), [])

    def test_the_yardstick_has_every_option_that_it_is_given(self):
        script = ROOT / "bench" / "end_to_end" / "lightgcn_torch.py"  # its --help would need torch
        self.assertEqual(self.lacking(self.options("python", str(script)), script.read_text("utf-8")), [])


class DryRun(Folder):
    """The script itself, with and without programs that stand in for the toolkit's."""

    def dry_run(self, *options, folder=None, **environment):
        return subprocess.run([ROOT / "tools" / "gpu_check.sh", "--dry-run", *options], text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env={**os.environ, **environment}, cwd=folder, timeout=120)

    def test_names_what_is_missing(self):
        answer = self.dry_run("--data", str(self.folder), "--device", "cpu")
        self.assertEqual(answer.returncode, 1)
        self.assertRegex(answer.stdout, "data +MISSING .*has no train.txt and no test.txt")
        self.assertEqual(answer.stderr, "gpu_check: missing: data\n")

    def test_paths_are_seen_from_where_it_is_called(self):
        (self.folder / "mine").mkdir()
        answer = self.dry_run("--data", "mine", "--device", "cpu", folder=self.folder)
        self.assertIn(f"{self.folder.resolve()}/mine has no train.txt", answer.stdout)

    def test_finds_a_gpu_and_its_tools(self):
        self.program(self.folder / "nvcc", "")
        self.program(self.folder / "compute-sanitizer", "")
        self.program(self.folder / "nvidia-smi", "echo 'NVIDIA Stand-in, 580.1'\n")
        path = f"{self.folder}:{os.environ['PATH']}"
        answer = self.dry_run("--stage", "build", "memcheck", PATH=path)
        self.assertEqual(answer.returncode, 0, answer.stdout + answer.stderr)
        self.assertRegex(answer.stdout, "GPU +ok +NVIDIA Stand-in, driver 580.1")
        self.assertRegex(answer.stdout, "2 stages.*\n.*build.*\n.*memcheck")
        self.program(self.folder / "nvidia-smi", "exit 9\n")
        answer = self.dry_run(PATH=path)
        self.assertEqual((answer.returncode, answer.stderr), (1, "gpu_check: missing: GPU\n"))

    def test_refuses_a_stage_that_it_has_not(self):
        answer = self.dry_run("--stage", "tests")
        self.assertEqual(answer.returncode, 2)
        self.assertIn("no stage 'tests'; there are: build test", answer.stderr)

    def test_every_limit_fits_into_nine_minutes(self):
        args = main.parse_arguments(["--device", "cpu"])
        limits = [stage.limit for stage in stages.Check(args, None).stages()]
        self.assertLessEqual(sum(limits), main.BUDGET)
        self.assertLess(main.BUDGET, 9 * 60)


class Summary(unittest.TestCase):
    def test_every_stage_has_words(self):
        figures = {
            "build": {"build_seconds": 61.2}, "test": {"tests": 5, "skipped": []},
            "data": {"users": 3, "items": 4, "interactions": 5},
            "train": {"step_milliseconds": 0.345, "epoch_seconds": 0.14, "steps_an_epoch": 396,
                      "evaluation_seconds": 0.05, "epochs": [{"loss": 0.5}]},
            "repeat": {"bytes": 12}, "bench": {"benchmarks": [{}, {}]},
            "torch": {"csr": {"milliseconds_per_step": 3.0}, "pyg": {"failed": "no module"}},
        }
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown):
            for stage in stages.Check(main.parse_arguments([]), "90").stages():
                main.print_record({"name": stage.name, "status": "passed", "seconds": 1.0,
                                   "figures": figures.get(stage.name, {"tests": 7, "sanitized": True})})
        self.assertIn("step 0.345 ms, epoch 0.140 s of 396 steps, loss 0.5000, evaluation 50 ms",
                      shown.getvalue())
        self.assertIn("csr 3.00 ms per step, pyg failed", shown.getvalue())
        self.assertEqual(shown.getvalue().count("7 tests clean"), 4)


if __name__ == "__main__":
    unittest.main()
