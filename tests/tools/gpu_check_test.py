"""tools/gpu_check without a GPU: stages that fail, hang or are killed, and the reports that they leave."""

import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
import time
import unittest
import unittest.mock

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools" / "gpu_check"))

import carried  # noqa: E402
import comparisons  # noqa: E402
import main  # noqa: E402
import ncu  # noqa: E402
import op_tests  # noqa: E402
import pack  # noqa: E402
import plan  # noqa: E402
import runner  # noqa: E402
import training  # noqa: E402
from runner import OutOfTime, Stage, StageFailure, StageSkipped  # noqa: E402


def raising(error):
    def work(_):
        raise error
    return work


class Folder(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)
        self.out = self.folder / "out" / "first.json"
        self.log = self.folder / "out" / "first.log"

    def read(self):
        return json.loads(self.out.read_text(encoding="utf-8"))

    def run_stages(self, *stages, budget=60):
        result = {"commit": "c0ffee"}
        passed = runner.run_stages(stages, result, self.out, self.log, budget)
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


class RunStages(Folder):
    def test_a_failure_stops_only_what_needs_it(self):
        passed, records = self.run_stages(
            Stage("build", 9, "", lambda run: run.figures.update(seconds=1)),
            Stage("tests", 9, "", raising(StageFailure("two tests failed")), needs=("build",)),
            Stage("fault", 9, "", raising(KeyError("seconds"))),
            Stage("after", 9, "", lambda run: None, needs=("tests",)),
            Stage("losses", 9, "", lambda run: run.figures.update(loss=0.5), needs=("build",)))
        self.assertFalse(passed)
        self.assertEqual([record["status"] for record in records.values()],
                         ["passed", "failed", "failed", "not run", "passed"])
        self.assertEqual(records["tests"]["why"], "two tests failed")
        self.assertIn("KeyError", records["fault"]["why"])
        self.assertEqual(records["after"]["why"], "tests did not pass")
        self.assertEqual(records["losses"]["figures"], {"loss": 0.5})

    def test_what_is_skipped_does_not_fail(self):
        passed, records = self.run_stages(
            Stage("torch", 9, "", raising(StageSkipped("no torch"))),
            Stage("after", 9, "", lambda run: None, needs=("torch",)))
        self.assertTrue(passed)
        self.assertEqual([record["status"] for record in records.values()], ["skipped", "passed"])

    def test_figures_are_in_the_report_while_their_stage_runs(self):
        seen = []

        def work(run):
            run.figures["passed"] = 3
            run.save()
            seen.append(self.read())

        self.run_stages(Stage("build", 9, "", lambda run: run.figures.update(jobs=2)),
                        Stage("tests", 9, "", work))
        self.assertEqual([(record["name"], record["status"], record["figures"])
                          for record in seen[0]["stages"]],
                         [("build", "passed", {"jobs": 2}), ("tests", "running", {"passed": 3})])
        self.assertEqual(seen[0]["commit"], "c0ffee")
        self.assertEqual(sorted(os.listdir(self.out.parent)), ["first.json", "first.log"])

    def test_a_failed_stage_keeps_its_figures(self):
        def work(run):
            run.figures["passed"] = 3
            raise StageFailure("one test failed")

        _, records = self.run_stages(Stage("tests", 9, "", work))
        self.assertEqual(records["tests"]["figures"], {"passed": 3})

    def test_an_interrupted_run_leaves_its_results(self):
        with self.assertRaises(KeyboardInterrupt):
            self.run_stages(Stage("build", 9, "", lambda run: None),
                            Stage("tests", 9, "", raising(KeyboardInterrupt())))
        self.assertEqual([record["status"] for record in self.read()["stages"]], ["passed", "failed"])

    def test_a_stage_ends_at_its_limit_with_its_children(self):
        pid = self.folder / "pid"

        def work(run):
            run.command(["sh", "-c", f"echo first; sleep 600 & echo $! >{pid}; wait"],
                        on_line=run.figures.setdefault("lines", []).append)

        passed, records = self.run_stages(Stage("hangs", 1, "", work), Stage("next", 9, "", lambda run: None))
        self.assertFalse(passed)
        self.assertEqual((records["hangs"]["status"], records["hangs"]["why"]),
                         ("out of time", "out of time: sh"))
        self.assertEqual(records["hangs"]["figures"], {"lines": ["first"]})
        self.assertIn("\nfirst\n", self.log.read_text(encoding="utf-8"))
        self.assertEqual(records["next"]["status"], "passed")
        self.expect_dead(pid.read_text().strip())

    def test_a_command_that_is_asked_to_end_may_end_in_its_own_way(self):
        text = self.run_of(60).command(["sh", "-c", "trap 'echo saved; exit 75' TERM; echo begun; "
                                                    "while :; do sleep 0.1; done"], stop_at=59)
        self.assertEqual(text, "begun\nsaved\n")

    def test_the_budget_ends_before_the_limits_do(self):
        _, records = self.run_stages(Stage("long", 60, "", lambda run: run.command(["sleep", "600"])),
                                     Stage("last", 60, "", lambda run: None), budget=1.5)
        self.assertEqual(records["long"]["status"], "out of time")
        self.assertEqual(records["last"]["status"], "not run")

    def test_a_stage_takes_the_rest_but_not_the_time_of_later_ones(self):
        limits = {}

        def work(run):
            limits[len(limits)] = run.remaining()

        self.run_stages(Stage("short", 50, "", work), Stage("long", 10, "", work, takes_rest=True),
                        Stage("last", 30, "", work), budget=100)
        self.assertEqual([round(limit, -1) for limit in limits.values()], [50, 70, 30])

    def test_a_command_that_fails_is_explained(self):
        _, records = self.run_stages(
            Stage("build", 9, "", lambda run: run.command(
                ["sh", "-c", "echo a.cu: error: expected a semicolon >&2; echo more >&2; exit 3"])),
            Stage("tests", 9, "", lambda run: run.command(["sh", "-c", "kill -SEGV $$"])))
        self.assertEqual(records["build"]["why"], "sh ended with 3: a.cu: error: expected a semicolon")
        self.assertEqual(records["tests"]["why"], "sh was ended by signal 11")
        self.assertIn("more", self.log.read_text(encoding="utf-8"))

    def test_the_log_stays_small(self):
        with unittest.mock.patch.object(runner, "COMMAND_LOG", 1000):
            text = self.run_of().command(["sh", "-c", "yes | head -n 100000"])
        self.assertEqual(len(text), 200000)
        self.assertLess(self.log.stat().st_size, 2000)
        self.assertIn("leaves out the rest", self.log.read_text(encoding="utf-8"))


class Carried(Folder):
    """Single stages, with programs that stand in for ours."""

    def setUp(self):
        super().setUp()
        self.programs = self.folder / "carried" / "bin"
        self.carried = carried.Carried(self.folder / "carried", self.folder / "work", "cpu", "python3")
        self.carried.facts = {"losses": {"small": {"bpr": [2.0, 1.0]}}, "commit": "c0ffee", "needs": {}}
        self.carried.data = lambda name: self.folder
        self.carried.programs = self.programs


class OpTests(Carried):
    def op_tests(self, device="cpu"):
        return op_tests.OpTests(self.carried, device)

    def prints(self, listed, text, status=0):
        self.program(self.programs / "tern_ops_tests",
                     f"case \"$*\" in *gtest_list_tests*) printf '{listed}'; exit ;; esac\n"
                     f"{text}\nexit {status}\n")

    def run_test(self, stage):
        run = self.run_of()
        with self.assertRaises(StageFailure) as failed:
            stage(run)
        return str(failed.exception), run.figures

    LISTED = r"B/Op.\n  A/cpu_2_threads\n  B/cpu_2_threads  # GetParam() = cpu_2_threads\n"

    def test_failed_tests_fail_the_stage_and_are_tried_again_alone(self):
        self.prints(self.LISTED, """
            case "$*" in
              *=B/Op.B/cpu_2_threads\\ *) echo '[       OK ] B/Op.B/cpu_2_threads (20 ms)' ;;
              *) echo '[       OK ] B/Op.A/cpu_2_threads (1500 ms)'
                 echo '[  FAILED  ] B/Op.B/cpu_2_threads, where GetParam() = cpu_2_threads (2 ms)' ;;
            esac""", status=1)
        why, figures = self.run_test(self.op_tests().test)
        self.assertIn("tests failed: B/Op.B/cpu_2_threads", why)
        self.assertEqual((figures["passed"], figures["seconds_in_tests"]), (1, 1.5))
        self.assertEqual(figures["alone"], {"B/Op.B/cpu_2_threads": "passed"})

    def test_a_test_that_ends_the_program_loses_only_itself(self):
        self.prints(self.LISTED, """
            case "$*" in
              *Op.A*) echo '[ RUN      ] B/Op.A/cpu_2_threads'; kill -SEGV $$ ;;
              *) echo '[       OK ] B/Op.B/cpu_2_threads (20 ms)' ;;
            esac""")
        why, figures = self.run_test(self.op_tests().test)
        self.assertIn("1 of 2 tests failed: B/Op.A/cpu_2_threads", why)
        self.assertEqual((figures["passed"], figures["ended_the_program"]), (1, ["B/Op.A/cpu_2_threads"]))

    def test_tests_that_do_not_run_fail_the_stage(self):
        self.prints(self.LISTED, "echo '[       OK ] B/Op.A/cpu_2_threads (1 ms)'")
        why, _ = self.run_test(self.op_tests().test)
        self.assertIn("did not run: B/Op.B/cpu_2_threads", why)
        self.prints(r"B/Op.\n  A/cpu_2_threads\n", "echo '[  SKIPPED ] B/Op.A/cpu_2_threads (0 ms)'")
        self.assertIn("no test ran on cpu (1 skipped)", self.run_test(self.op_tests().test)[0])

    def test_tests_out_of_time_leave_those_that_ended(self):
        self.prints(self.LISTED, "echo '[       OK ] B/Op.A/cpu_2_threads (1 ms)'\n"
                                      "echo '[ RUN      ] B/Op.B/cpu_2_threads'\nsleep 600")
        _, records = self.run_stages(Stage("tests", 2, "", self.op_tests().test))
        self.assertEqual(records["tests"]["status"], "out of time")
        self.assertEqual((records["tests"]["figures"]["passed"], records["tests"]["figures"]["running"]),
                         (1, "B/Op.B/cpu_2_threads"))

    def test_every_suite_is_sanitized_and_the_quickest_first(self):
        times = {"A.slow/{device}": 5.0, "A.quick/{device}": 0.1, "B.only/{device}": 9.0,
                 "A.middle/{device}": 0.2}
        self.carried.facts["test_seconds"] = times
        names = [name.replace("{device}", "cpu_2_threads") for name in times]
        chosen = ["A.quick/cpu_2_threads", "B.only/cpu_2_threads", "A.middle/cpu_2_threads"]
        self.assertEqual(self.op_tests().choose(names, 9.25), chosen[:2])
        self.assertEqual(self.op_tests().choose(names, 9.35), chosen)
        self.assertEqual(self.op_tests().choose(names, 0), chosen[:2])
        self.assertEqual(self.op_tests().choose(["C.unknown"], 0), ["C.unknown"])

    def test_what_a_sanitizer_finds_fails_its_stage(self):
        self.prints(r"B/Op.\n  A/cuda\n", "echo '[ RUN      ] B/Op.A/cuda'\n$LATE\n"
                                               "echo '[       OK ] B/Op.A/cuda (1 ms)'")
        sanitizer = self.folder / "compute-sanitizer"
        with unittest.mock.patch.object(op_tests.machine, "find_tool", lambda name: str(sanitizer)):
            self.program(sanitizer, '[ "$1" = --tool=racecheck ] || exit 1\nshift 2\n"$@"\n')
            run = self.run_of()
            self.op_tests("cuda").sanitize(run, "racecheck")
            self.assertEqual((run.figures["tests"], run.figures["passed"]), (1, 1))
            self.assertIn("--gtest_filter=B/Op.A/cuda", self.calls()[-1])
            self.program(sanitizer, "shift 3\nLATE=\"echo '========= Invalid __global__ read of size 4'\"\n"
                                    "export LATE; eval \"$LATE\"; \"$@\"\nexit 99\n")
            why, figures = self.run_test(lambda run: self.op_tests("cuda").sanitize(run, "memcheck"))
            self.assertIn("ended with 99", why)
            self.assertIn("Invalid __global__ read of size 4", figures["errors"][0])
            self.program(sanitizer, "shift 3\n\"$@\"; echo; sleep 600\n")
            with self.assertRaisesRegex(OutOfTime, "after 1 of 1 tests, 0 errors"):
                self.op_tests("cuda").sanitize(self.run_of(2), "memcheck")

    def test_a_sanitizer_that_is_missing_is_no_failure_of_ours(self):
        with unittest.mock.patch.object(op_tests.machine, "find_tool", lambda name: None):
            with self.assertRaises(StageSkipped):
                self.op_tests("cuda").sanitize(self.run_of(), "memcheck")


class Training(Carried):
    def training(self):
        return training.Training(self.carried, "cpu", "small")

    def tern(self, text):
        self.program(self.programs / "tern", 'to=; last=\nfor word; do case $last in --to | --out) to=$word ;; '
                     'esac; last=$word; done\n[ "$to" ] && mkdir -p "$to"\n' + text)

    def test_losses_that_differ_fail_the_stage(self):
        self.assertEqual(training.compare_losses([2.0, 1.0], [2.0, 1.0]), 0)
        self.assertAlmostEqual(training.compare_losses([2.0, 1.0], [2.0001, 1.0]), 5e-5)
        for found in ([2.0, 1.0002], [2.0, 0.9998], [2.0], [2.0, None], [2.0, float("nan")]):
            with self.subTest(found=found), self.assertRaises(StageFailure):
                training.compare_losses([2.0, 1.0], found)

    def test_the_losses_of_the_device_are_those_of_the_cpu(self):
        run = self.run_of()
        self.tern('for loss in 2.0 1.00001; do echo \'{"loss": \'$loss\'}\'; done >"$to/metrics.jsonl"')
        self.training().losses(run)
        self.assertAlmostEqual(run.figures["bpr"]["largest_difference"], 1e-5)
        self.tern('for loss in 2.0 1.1; do echo \'{"loss": \'$loss\'}\'; done >"$to/metrics.jsonl"')
        with self.assertRaisesRegex(StageFailure, "loss of epoch 2: 1.1, on a CPU 1.0"):
            self.training().losses(run)

    def test_runs_that_differ_fail_the_stage(self):
        write = '[ "$1" = export ] || exit 0\n{}; echo y >"$to/item_embeddings.npy"\n'
        run = self.run_of()
        self.tern(write.format('echo x >"$to/user_embeddings.npy"'))
        self.training().repeat(run)
        self.assertEqual(run.figures, {"same_bits": True, "bytes": 4})
        self.tern(write.format('echo $2 >"$to/user_embeddings.npy"'))
        with self.assertRaisesRegex(StageFailure, "two runs with the same seed gave different"):
            self.training().repeat(run)
        self.tern(write.format('echo "${2#*repeat-[12]}" >"$to/user_embeddings.npy"'))
        with self.assertRaisesRegex(StageFailure, "a resumed run gave different"):
            self.training().repeat(run)

    def test_checks_of_gradients_that_fail_are_named(self):
        result = '{"subject": "adam", "quantity": "m", "error": 1, "passed": %s}'
        self.tern(f"echo '{{\"passed\": true, \"results\": [{result % 'true'}]}}'")
        run = self.run_of()
        self.training().gradcheck(run)
        self.assertEqual(run.figures, {"checks": 1, "failed": []})
        self.tern(f"echo '{{\"passed\": false, \"results\": [{result % 'false'}]}}'; exit 1")
        with self.assertRaisesRegex(StageFailure, "1 of 1 checks failed: adam m"):
            self.training().gradcheck(run)
        for text in ("", "echo '{}'", "echo '{\"results\": []}'"):
            self.tern(text)
            with self.subTest(text=text), self.assertRaises(StageFailure):
                self.training().gradcheck(run)

    def test_a_curve_that_is_cut_off_keeps_its_points(self):
        self.tern("""for epoch in 1 2; do
            echo '{"epoch": '$epoch', "loss": 0.5, "seconds": 2, "recall@20": 0.'$epoch'}'
            done >"$to/metrics.jsonl"; printf '{"epoch": 3' >>"$to/metrics.jsonl"; exec sleep 600""")
        _, records = self.run_stages(Stage("curve", 5, "", self.training().curve))
        self.assertEqual(records["curve"]["status"], "passed")
        figures = records["curve"]["figures"]
        self.assertEqual(figures["points"], [[1, 2.0, 0.5, 0.1, None], [2, 4.0, 0.5, 0.2, None]])
        self.assertEqual(figures["reached"], {"epoch": 2, "training_seconds": 4.0})
        self.assertEqual(figures["best_recall"], 0.2)


class Figures(Folder):
    """What is read from the output of other programs."""

    ROW = {"run_name": "adam/dense/tern/iterations:1/repeats:9/manual_time", "real_time": 0.5,
           "aggregate_name": "median", "GB_per_s": 100.0, "cpu_time": 7}

    def test_rows_of_a_benchmark(self):
        other = {**self.ROW, "aggregate_name": "mean", "real_time": 0.7}
        wrong = {"name": "adam/dense/x/iterations:1", "error_occurred": True, "error_message": "wrong"}
        text = json.dumps({"context": {"host_name": "h", "tern_width": "64"},
                           "benchmarks": [{**self.ROW, "name": "a"}, {**other, "name": "b"}, wrong]})
        context, rows = comparisons.read_rows(text)
        self.assertEqual(context, {"tern_width": "64"})
        self.assertEqual(rows, [{"name": "adam/dense/tern", "milliseconds": 0.5, "GB_per_s": 100.0},
                                {"name": "adam/dense/x", "refused": "wrong"}])

    def test_a_benchmark_that_was_cut_off_gives_its_complete_rows(self):
        text = json.dumps({"context": {"tern_width": "64"},
                           "benchmarks": [{**self.ROW, "name": "a"}, {"name": "b", "run_name": "b"}]}, indent=1)
        for end in range(text.index('"b"'), len(text)):
            context, rows = comparisons.read_rows(text[:end])
            self.assertEqual((context, [row["name"] for row in rows]), ({"tern_width": "64"}, ["adam/dense/tern"]))
        self.assertEqual(comparisons.read_rows(text[:20]), ({}, []))
        self.assertEqual(comparisons.read_rows(""), ({}, []))

    NCU = """==PROF== Connected to process 7
epoch 1
"ID","Process ID","Kernel Name","Section Name","Metric Name","Metric Unit","Metric Value"
"0","7","void tern::cuda::(anonymous namespace)::adam_dense_kernel<tern::cuda::Wide, 4>(float *)","Speed","Duration","us","12.5"
"0","7","void tern::cuda::(anonymous namespace)::adam_dense_kernel<tern::cuda::Wide, 4>(float *)","Speed","Memory Throughput","%","61.5"
"0","7","void tern::cuda::(anonymous namespace)::adam_dense_kernel<tern::cuda::Wide, 4>(float *)","Memory","Memory Throughput","Gbyte/s","1,234.5"
"0","7","void tern::cuda::(anonymous namespace)::adam_dense_kernel<tern::cuda::Wide, 4>(float *)","X","Unknown","%","9"
"1","7","fill","Speed","Duration","ns","1,500"
"1","7","fill","cut"
"""

    def test_kernels_of_a_profile(self):
        self.assertEqual(ncu.parse(self.NCU), [
            {"kernel": "adam_dense_kernel<Wide, 4>", "us": 12.5, "memory_percent": 61.5},
            {"kernel": "fill", "us": 1.5}])
        raw = '"ID","Kernel Name","gpu__time_duration.sum"\n"","","us"\n"3","fill","4.5"\n'
        self.assertEqual(ncu.parse(raw), [{"kernel": "fill", "us": 4.5}])
        self.assertEqual(ncu.parse("==ERROR== no permission\n"), [])

    def test_the_kernels_of_a_step(self):
        step = ["forward", "forward", "loss", "adam", "adam"]
        self.assertEqual(ncu.period(["setup", "x", "y"] + 4 * step), (18, 5))
        self.assertEqual(ncu.period(3 * step + ["forward"]), (11, 5))
        self.assertIsNone(ncu.period(["a", "b", "c", "d"]))

    def test_needs_of_programs(self):
        ldd = ("\tlinux-vdso.so.1 (0x1)\n\tlibgomp.so.1 => /usr/lib/libgomp.so.1 (0x2)\n"
               "\tlibcublas.so.13 => not found\n\t/lib64/ld-linux-x86-64.so.2 (0x3)\n")
        found = dict(pack.libraries_of(ldd))
        self.assertEqual(found["libgomp.so.1"], "/usr/lib/libgomp.so.1")
        self.assertIsNone(found["libcublas.so.13"])
        self.assertEqual([name for name in found if not pack.FOUND.match(name)], ["libgomp.so.1"])

    def test_a_fifth_of_generated_data_is_held_out(self):
        (self.folder / "train.txt").write_text("0 1 2 3 4 5 6\n1\n2 7\n", encoding="ascii")
        pack.hold_out(self.folder)
        self.assertEqual(pack.read_lists(self.folder / "train.txt"), {0: [1, 2, 3, 4, 6], 1: [], 2: [7]})
        self.assertEqual(pack.read_lists(self.folder / "test.txt"), {0: [5], 1: [], 2: []})


class Whole(Folder):
    """The script itself, with stand-ins among what is carried."""

    TERN = """
    to=; last=
    for word; do case $last in --to | --out) to=$word ;; esac; last=$word; done
    [ "$to" ] && mkdir -p "$to"
    case $1 in
      info) echo '{"devices": [{}], "cuda": ""}' ;;
      gradcheck) echo '{"results": [{"passed": true}]}' ;;
      train) for epoch in 1 2 3; do
               echo '{"epoch": '$epoch', "seconds": 1, "loss": 0.5, "recall@20": 0.1}'
             done >"$to/metrics.jsonl" ;;
      export) touch "$to/user_embeddings.npy" "$to/item_embeddings.npy" ;;
    esac
    """
    TESTS = """
    case "$*" in *gtest_list_tests*) printf 'A.\\n  x\\nB/Memory.\\n  y\\n'; exit ;; esac
    case "$*" in *A.x*) echo '[       OK ] A.x (3 ms)' ;; esac
    echo '[       OK ] B/Memory.y (4 ms)'
    """
    BENCH = """
    for word; do case $last in --json) file=$word ;; esac; last=$word; done
    echo '{"benchmarks": [{"name": "x", "aggregate_name": "median", "real_time": 1}]}' >"$file"
    """
    TORCH = """
    [ "$1" = -c ] && echo 2.0 && exit
    printf '{"torch": "2.0"}\\n{"milliseconds_per_step": 1}\\n'
    """

    def setUp(self):
        super().setUp()
        self.carried, self.programs = self.folder / "carried", self.folder / "programs"
        self.carried.mkdir()
        for name, text in (("tern", self.TERN), ("tern_ops_tests", self.TESTS),
                           ("tern-bench", self.BENCH), ("python", self.TORCH)):
            self.program(self.programs / "bin" / name, text)
        facts = {"losses": {"small": {"bpr": [0.5, 0.5, 0.5]}}, "commit": "c0ffee", "needs": {}}
        (self.carried / "carried.json").write_text(json.dumps(facts), encoding="utf-8")
        (self.folder / "train.txt").write_text("0 1\n", encoding="ascii")
        with tarfile.open(self.carried / "small.tar.xz", "w:xz") as tar:
            for name in ("train.txt", "test.txt"):
                tar.add(self.folder / "train.txt", name)

    def words(self, call, *options):
        return [ROOT / "tools" / "gpu_check.sh", call, "--rehearse", "--out", self.folder / "out",
                "--carried", self.carried, "--work", self.folder / "work",
                "--torch-python", self.programs / "bin" / "python", *options]

    def check(self, call, *options):
        with tarfile.open(self.carried / "programs.tar.xz", "w:xz") as tar:
            tar.add(self.programs / "bin", "bin")
        answer = subprocess.run(self.words(call, *options), text=True, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, check=False)
        records = json.loads((self.folder / "out" / f"{call}.json").read_text(encoding="utf-8"))["stages"]
        return answer, {record["name"]: record for record in records}

    def test_both_calls_pass_and_leave_two_files_each(self):
        for call in plan.BUDGET:
            answer, records = self.check(call)
            self.assertEqual(answer.returncode, 0, answer.stdout)
            self.assertEqual({record["status"] for record in records.values()}, {"passed", "skipped"})
            self.assertEqual([name for name, record in records.items() if record["status"] == "skipped"],
                             ["build", "ncu"] if call == "first" else ["build"])
        self.assertEqual(sorted(os.listdir(self.folder / "out")),
                         ["first.json", "first.log", "second.json", "second.log"])

    def test_the_losses_of_a_cpu_must_be_met(self):
        facts = self.carried / "carried.json"
        facts.write_text(facts.read_text(encoding="utf-8").replace("0.5, 0.5, 0.5", "0.5, 0.5, 0.6"))
        answer, records = self.check("first")
        self.assertEqual((answer.returncode, records["losses"]["status"], records["repeat"]["status"]),
                         (1, "failed", "passed"))
        self.assertIn("loss of epoch 3", records["losses"]["why"])

    def test_killed_within_the_tests_the_check_leaves_what_it_had(self):
        # The stand-in kills the whole check as soon as the report knows its first test.
        report = self.folder / "out" / "first.json"
        self.program(self.programs / "bin" / "tern_ops_tests", f"""
            case "$*" in
              *gtest_list_tests*) printf 'A.\\n  x\\n  z\\nB/Memory.\\n  y\\n'; exit ;;
              *A.x*) echo '[       OK ] A.x (3 ms)'; echo '[ RUN      ] A.z'
                     until grep -q '"running": "A.z"' {report}; do :; done
                     echo $$ >{self.folder}/pid; kill -KILL $PPID; exec sleep 600 ;;
            esac
            echo '[       OK ] B/Memory.y (4 ms)'""")
        answer, records = self.check("first")
        self.assertEqual(answer.returncode, -9, answer.stdout)
        self.assertEqual([(name, record["status"]) for name, record in records.items()],
                         [("machine", "passed"), ("programs", "passed"), ("build", "skipped"),
                          ("smoke", "passed"), ("tests", "running")])
        self.assertEqual((records["tests"]["figures"]["tests"], records["tests"]["figures"]["passed"]), (3, 1))
        self.assertIn("\n[       OK ] A.x (3 ms)\n", self.log.read_text(encoding="utf-8"))
        self.expect_dead((self.folder / "pid").read_text().strip())

    def test_a_group_of_benchmarks_that_fails_loses_only_itself(self):
        self.program(self.programs / "bin" / "tern-bench",
                     'case "$*" in *"(bpr)"*) echo "no memory" >&2; exit 3 ;; esac' + self.BENCH)
        _, records = self.check("second")
        self.assertEqual([name for name, record in records.items() if record["status"] == "failed"],
                         ["bench bpr"])
        self.assertEqual(records["bench bpr"]["why"], "tern-bench ended with 3: no memory")
        self.assertEqual(len(records["bench score_topk"]["figures"]["cold"]), 1)

    def test_results_that_a_benchmark_refuses_fail_its_group(self):
        self.program(self.programs / "bin" / "tern-bench", self.BENCH.replace(
            '"aggregate_name": "median", "real_time": 1', '"error_occurred": true, "error_message": "wrong"') +
            "exit 1")
        _, records = self.check("second", "--stage", "bench adam")
        self.assertEqual(records["bench adam"]["why"], "2 cases gave wrong results: x, x")

    def test_programs_that_do_not_start_are_built(self):
        (self.carried / "carried.json").write_text("{}", encoding="utf-8")
        answer, records = self.check("first", "--stage", "smoke")
        self.assertEqual((answer.returncode, records["programs"]["status"], records["build"]["status"],
                          records["smoke"]["status"]), (1, "failed", "failed", "not run"))
        self.assertIn("cannot unpack", records["build"]["why"])

    def test_refuses_a_stage_that_it_has_not(self):
        answer = subprocess.run(self.words("first", "--stage", "bench"), text=True, check=False,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(answer.returncode, 2)
        self.assertIn("no stage 'bench'; there are: machine, programs", answer.stdout)

    # --- Options of our programs ------------------------------------------------------------------

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
        for call in plan.BUDGET:
            self.check(call)
        called = {(call[0], *call[1:2]) if call[0] in ("tern", "tern-bench") else (call[0],)
                  for call in self.calls()} - {("python",)}
        self.assertEqual({name for name, *_ in called}, {"tern", "tern-bench", "tern_ops_tests"})
        for name, *command in sorted(called):
            program = pathlib.Path(os.environ["TERN_PROGRAMS"], name)
            with self.subTest(program=name, command=command):
                if not program.exists():
                    self.skipTest(f"built without {name}")
                answer = subprocess.run([program, *command, "--help"], text=True, timeout=60,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
                self.assertEqual(self.lacking(self.options(name, *command), answer.stdout), [])

    def test_the_yardstick_has_every_option_that_it_is_given(self):
        self.check("second")
        script = ROOT / "bench" / "end_to_end" / "lightgcn_torch.py"  # its --help would need torch
        self.assertEqual(self.lacking(self.options("python", str(script)), script.read_text("utf-8")), [])

    def test_the_limits_fit_into_the_time_of_each_call(self):
        for call, budget in plan.BUDGET.items():
            args = main.parse_arguments([call, "--out", str(self.folder)])
            limits = {stage.name: stage.limit for stage in plan.Check(args).stages()}
            self.assertLessEqual(sum(limits.values()) - limits["build"], budget)
        self.assertLessEqual(plan.BUDGET["first"] + runner.END, 236)
        self.assertLessEqual(plan.BUDGET["second"] + runner.END, 196)


if __name__ == "__main__":
    unittest.main()
