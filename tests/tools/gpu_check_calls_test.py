"""tools/gpu_check without a GPU: whole calls of the script, with stand-ins for the carried programs."""

import json
import os
import pathlib
import re
import subprocess
import tarfile
import unittest

from gpu_check_case import ROOT, Folder, runner
import main
import plan
import training


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
        facts = {"losses": {"small": {name: [0.5, 0.5, 0.5] for name in training.RECIPES}},
                 "commit": "c0ffee", "needs": {}}
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

    def test_stages_whose_work_has_no_natural_end_take_the_rest(self):
        names = [stage.name for call in plan.BUDGET
                 for stage in plan.Check(main.parse_arguments([call, "--out", str(self.folder)])).stages() if stage.takes_rest]
        self.assertEqual(names, ["tests", "curve", "bench others", "torch", "memcheck", "initcheck", "racecheck"])

    def test_the_limits_fit_into_the_time_of_each_call(self):
        for call, budget in plan.BUDGET.items():
            args = main.parse_arguments([call, "--out", str(self.folder)])
            limits = {stage.name: stage.limit for stage in plan.Check(args).stages()}
            self.assertLessEqual(sum(limits.values()) - limits["build"], budget)
        self.assertLessEqual(plan.BUDGET["first"] + runner.END, 236)
        self.assertLessEqual(plan.BUDGET["second"] + runner.END, 196)


if __name__ == "__main__":
    unittest.main()
