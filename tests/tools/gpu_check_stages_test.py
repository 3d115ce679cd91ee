"""tools/gpu_check without a GPU: the work of single stages, and what they read from other programs."""

import json
import unittest
import unittest.mock

from gpu_check_case import ROOT, Folder
import carried
import comparisons
import main
import ncu
import op_tests
import pack
import plan
import training
from runner import OutOfTime, Stage, StageFailure, StageSkipped


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
        self.prints(r"B/Op.\n  A/cuda\n", "echo '[       OK ] B/Op.A/cuda (1 ms)'")
        sanitizer = self.folder / "compute-sanitizer"
        with unittest.mock.patch.object(op_tests.machine, "find_tool", lambda name: str(sanitizer)):
            self.program(sanitizer, '[ "$1" = --tool=racecheck ] || exit 1\nshift 2\n"$@"\n')
            run = self.run_of()
            self.op_tests("cuda").sanitize(run, "racecheck")
            self.assertEqual((run.figures["tests"], run.figures["passed"]), (1, 1))
            self.assertIn("--gtest_filter=B/Op.A/cuda", self.calls()[-1])
            self.program(sanitizer, "shift 3\necho '[ RUN      ] B/Op.A/cuda'\n"
                                    "echo '========= Invalid __global__ read of size 4'\n\"$@\"\nexit 99\n")
            why, figures = self.run_test(lambda run: self.op_tests("cuda").sanitize(run, "memcheck"))
            found = "B/Op.A/cuda: Invalid __global__ read of size 4"
            self.assertRegex(why, f"compute-sanitizer ended with 99.*; first: {found}")
            self.assertEqual(figures["errors"], [found])
            self.program(sanitizer, "shift 3\n\"$@\"; echo; sleep 600\n")
            with self.assertRaisesRegex(OutOfTime, "after 1 of 1 tests, 0 errors"):
                self.op_tests("cuda").sanitize(self.run_of(2), "memcheck")

    def test_a_sanitizer_that_is_missing_is_no_failure_of_ours(self):
        with unittest.mock.patch.object(op_tests.machine, "find_tool", lambda name: None):
            with self.assertRaises(StageSkipped):
                self.op_tests("cuda").sanitize(self.run_of(), "memcheck")


class Training(Carried):
    def setUp(self):
        super().setUp()
        only = {"bpr": training.RECIPES["bpr"]}
        patch = unittest.mock.patch.dict(training.RECIPES, only, clear=True)
        patch.start()
        self.addCleanup(patch.stop)

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

    def two_recipes(self):
        """Two recipes: the second is the shorter one."""
        self.carried.facts["losses"]["small"]["softmax"] = [4.0]
        other = training.Recipe("mf", {"model.kind": "mf"}, 20, 1)
        patch = unittest.mock.patch.dict(training.RECIPES, softmax=other)
        patch.start()
        self.addCleanup(patch.stop)

    def test_a_recipe_that_fails_loses_only_itself(self):
        self.two_recipes()
        self.tern("""case "$*" in *model.kind=mf*) loss=4.0 ;; *) loss=2.0 ;; esac
                     echo '{"loss": '$loss'}' >"$to/metrics.jsonl" """)
        run = self.run_of()
        with self.assertRaisesRegex(StageFailure, "^bpr: 1 epochs have a loss, not 2$"):
            self.training().losses(run)
        self.assertEqual(run.figures, {"bpr": {"cpu": [2.0]},
                                       "softmax": {"cpu": [4.0], "largest_difference": 0.0}})

    def test_recipes_share_the_time_of_a_stage(self):
        self.two_recipes()
        parts = {}

        def work(run, name, recipe):
            parts[name] = round(run.remaining(), -1)
            run.figures["model"] = recipe.model
            raise OutOfTime("out of time: tern")

        run = self.run_of(100)
        with self.assertRaisesRegex(OutOfTime, "^bpr: out of time: tern; softmax: out of time: tern$"):
            training.each_recipe(run, training.RECIPES, work)
        self.assertEqual(parts, {"bpr": 50, "softmax": 100})
        self.assertEqual(run.figures["softmax"], {"model": "mf"})

    def test_the_speed_of_each_recipe_is_printed(self):
        self.two_recipes()
        (self.folder / "train.txt").write_text("0 1 2\n", encoding="ascii")
        self.tern("""case "$*" in *model.kind=mf*) exit 3 ;; esac
            for epoch in 1 2 3; do echo '{"seconds": '$epoch', "evaluation_seconds": 0.5}'; done >"$to/metrics.jsonl" """)
        run = self.run_of()
        with self.assertRaisesRegex(StageFailure, "^softmax: tern ended with 3$"):
            self.training().speed(run)
        self.assertEqual(main.figures_in_words("speed", run.figures),
                         "bpr: step 2500.000 ms, epoch 2.500 s, evaluation 500 ms")

    def test_the_shortest_curve_comes_first(self):
        self.two_recipes()
        self.tern("""echo '{"epoch": 1, "loss": 0.5, "seconds": 2, "recall@20": 0.2}' >"$to/metrics.jsonl" """)
        run = self.run_of()
        self.training().curve(run)
        self.assertEqual(list(run.figures), ["softmax", "bpr"])
        called = [(call[call.index("--epochs") + 1], "train.evaluate_every=1" in call) for call in self.calls()]
        self.assertEqual(called, [("20", True), ("1000", False)])
        self.assertEqual(main.figures_in_words("curve", run.figures).count("0.1824 after 2.0 s"), 2)

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
        self.assertEqual(run.figures, {"checks": 3, "failed": []})
        self.assertEqual([call[call.index("--seed") + 1] for call in self.calls()], ["0", "1", "2"])
        self.tern(f"echo '{{\"passed\": false, \"results\": [{result % 'false'}]}}'; exit 1")
        with self.assertRaisesRegex(StageFailure, "3 of 3 checks failed: adam m, adam m, adam m"):
            self.training().gradcheck(run)
        for text in ("", "echo '{}'", "echo '{\"results\": []}'"):
            self.tern(text)
            with self.subTest(text=text), self.assertRaises(StageFailure):
                self.training().gradcheck(run)

    def test_another_problem_of_gradient_checks_begins_only_if_it_fits(self):
        self.tern("echo '{\"results\": [{\"passed\": true}]}'")
        run = self.run_of()
        run.remaining = lambda: 0.0
        self.training().gradcheck(run)
        self.assertEqual(run.figures, {"checks": 1, "failed": []})

    def test_gradient_checks_that_are_cut_off_keep_the_problems_before(self):
        self.tern("""case "$*" in *--seed\\ 1*) kill -KILL $$ ;; esac
                     echo '{"results": [{"passed": true}, {"passed": true}]}'""")
        _, records = self.run_stages(Stage("gradcheck", 60, "", self.training().gradcheck))
        self.assertEqual((records["gradcheck"]["status"], records["gradcheck"]["figures"]),
                         ("failed", {"checks": 2, "failed": []}))
        self.assertEqual(main.figures_in_words("gradcheck", records["gradcheck"]["figures"]), "2 of 2 checks passed")

    def test_a_curve_that_is_cut_off_keeps_its_points(self):
        self.tern("""for epoch in 1 2; do
            echo '{"epoch": '$epoch', "loss": 0.5, "seconds": 2, "recall@20": 0.'$epoch'}'
            done >"$to/metrics.jsonl"; printf '{"epoch": 3' >>"$to/metrics.jsonl"; exec sleep 600""")
        _, records = self.run_stages(Stage("curve", 9, "", self.training().curve))
        self.assertEqual(records["curve"]["status"], "passed")
        figures = records["curve"]["figures"]["bpr"]
        self.assertEqual(figures["points"], [[1, 2.0, 0.5, 0.1, None], [2, 4.0, 0.5, 0.2, None]])
        self.assertEqual(figures["reached"], {"epoch": 2, "training_seconds": 4.0})
        self.assertEqual(figures["best_recall"], 0.2)


class Start(Folder):
    """The stages that start the carried programs, or build them."""

    def run_start(self, *answers):
        args = main.parse_arguments(["first", "--rehearse", "--out", str(self.folder / "out")])
        check = plan.Check(args)
        with unittest.mock.patch.object(check.carried, "start", side_effect=answers), \
                unittest.mock.patch.object(check.carried, "build") as built:
            _, records = self.run_stages(*(stage for stage in check.stages() if stage.name in ("programs", "build")))
        return records, built.called

    def test_programs_that_start_late_are_not_built(self):
        records, built = self.run_start(OutOfTime("out of time: python3"), None)
        self.assertEqual((records["programs"]["status"], records["build"]["status"], built),
                         ("out of time", "skipped", False))

    def test_programs_that_do_not_start_are_built(self):
        for answers in ([StageFailure("no")], [OutOfTime("late"), OutOfTime("late")], [OutOfTime("late"), StageFailure("no")]):
            with self.subTest(answers=answers), unittest.mock.patch.object(plan.machine, "find_tool", lambda name: name):
                records, built = self.run_start(*answers)
                self.assertEqual((records["build"]["status"], built), ("passed", True))


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

    def test_rows_of_two_precisions(self):
        text = json.dumps({"benchmarks": [{**self.ROW, "name": "a", "precision": "f32"},
                                          {**self.ROW, "name": "b", "precision": "bf16", "real_time": 0.3}]})
        self.assertEqual([(row["name"], row["milliseconds"]) for row in comparisons.read_rows(text)[1]],
                         [("adam/dense/tern", 0.5), ("adam/dense/tern, bf16", 0.3)])

    def test_a_benchmark_that_was_cut_off_gives_its_complete_rows(self):
        text = json.dumps({"context": {"tern_width": "64"},
                           "benchmarks": [{**self.ROW, "name": "a"}, {"name": "b", "run_name": "b"}]}, indent=1)
        for end in range(text.index('"b"'), len(text)):
            context, rows = comparisons.read_rows(text[:end])
            self.assertEqual((context, [row["name"] for row in rows]), ({"tern_width": "64"}, ["adam/dense/tern"]))
        self.assertEqual(comparisons.read_rows(text[:20]), ({}, []))
        self.assertEqual(comparisons.read_rows(""), ({}, []))

    def test_every_op_with_a_benchmark_is_in_one_group(self):
        files = {path.name for path in (ROOT / "bench" / "ops").glob("*_bench.cpp")}
        self.assertEqual(sorted(f"{op}_bench.cpp" for _, ops, _ in comparisons.groups() for op in ops),
                         sorted([*files, "step_bench.cpp"]))
        for name in ("propagate_bench.cpp", "new_bench.cpp", "tables.cpp"):
            (self.folder / name).touch()
        self.assertEqual(comparisons.groups(self.folder)[-1], ("others", ["new", "step"], comparisons.OTHERS_LIMIT))

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


if __name__ == "__main__":
    unittest.main()
