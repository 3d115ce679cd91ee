"""tools/gpu_check without a GPU: stages that fail, hang or are interrupted, and the report that they leave."""

import os
import unittest
import unittest.mock

from gpu_check_case import Folder, runner
import carried
import machine
import main
import plan
from runner import Stage, StageFailure, StageSkipped


def raising(error):
    def work(_):
        raise error
    return work


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


class SlowTools(Folder):
    """Tools of the machine that hang: they end by themselves only after the limits of these tests."""

    def setUp(self):
        super().setUp()
        path = os.pathsep.join([str(self.folder), os.environ["PATH"]])
        patch = unittest.mock.patch.dict(os.environ, PATH=path)
        patch.start()
        self.addCleanup(patch.stop)

    def hang(self, name):
        self.program(self.folder / name, f"sleep 15\ntouch {self.folder}/ended-by-itself\n")

    def expect_ended_early(self, name):
        self.assertIn(name, [call[0] for call in self.calls()])
        self.assertFalse((self.folder / "ended-by-itself").exists())

    def test_an_observation_does_not_use_up_the_time_of_later_stages(self):
        self.hang("nvidia-smi")
        with unittest.mock.patch.object(runner, "OBSERVATION", 0.5):
            passed, records = self.run_stages(Stage("build", 9, "", lambda run: None),
                                              Stage("tests", 9, "", lambda run: None),
                                              budget=10, observe=machine.observe_gpu)
        self.assertTrue(passed)
        self.assertEqual([record["after"] for record in records.values()], [{}, {}])
        self.expect_ended_early("nvidia-smi")

    def test_an_observation_ends_with_the_call(self):
        self.hang("nvidia-smi")
        with unittest.mock.patch.object(runner, "OBSERVATION", 60):
            _, records = self.run_stages(Stage("build", 9, "", lambda run: None),
                                         Stage("tests", 9, "", lambda run: None),
                                         budget=2, observe=machine.observe_gpu)
        self.assertEqual((records["build"]["after"], records["tests"]["status"]), ({}, "not run"))
        self.expect_ended_early("nvidia-smi")

    def test_the_stage_machine_ends_at_its_limit_whichever_tool_hangs(self):
        self.program(self.folder / "nvidia-smi", "echo A GPU, 580.1, 9.0, 1, 1, 1, 1\n")
        args = main.parse_arguments(["first", "--out", str(self.folder / "out")])
        for name in ("python3", "nvidia-smi"):
            with self.subTest(tool=name):
                self.hang(name)
                _, records = self.run_stages(Stage("machine", 2, "", plan.Check(args).machine),
                                             Stage("next", 9, "", lambda run: None))
                self.assertEqual((records["machine"]["status"], records["machine"]["why"]),
                                 ("out of time", f"out of time: {name}"))
                self.assertEqual(records["machine"]["figures"]["device"],
                                 "unknown GPU" if name == "nvidia-smi" else "A GPU")
                self.assertEqual(records["next"]["status"], "passed")
                self.expect_ended_early(name)

    def test_the_search_for_libraries_ends_with_its_stage(self):
        self.hang("python3")
        programs = carried.Carried(self.folder, self.folder / "work", "cpu", "python3")
        _, records = self.run_stages(Stage("programs", 1, "", programs.info))
        self.assertEqual(records["programs"]["why"], "out of time: python3")
        self.expect_ended_early("python3")


if __name__ == "__main__":
    unittest.main()
