"""The work and the figures of each stage."""

import json
import math
import os
import shutil
import statistics

import machine
from runner import Stage, StageFailure, StageSkipped

# Of train and test together: the generated data is one list, which hold_out splits.
GOWALLA = {"users": 29858, "items": 40981, "interactions": 810128 + 217242}
TARGETS = ("tern_program", "tern_ops_tests", "tern_bench", "tern_cuda", "tern_bench_cuda")
BATCH = 2048
# Factors by which a sanitizer slows kernels down; they limit the chosen tests.
SLOWDOWN = {"memcheck": 30, "racecheck": 60, "initcheck": 30, "synccheck": 30}


class Check:
    """Settings and paths that the stages share."""

    def __init__(self, args, device_capability):
        self.args = args
        self.device = args.device
        self.capability = device_capability
        self.build = args.build
        self.programs = args.build / "bin"
        self.data = args.data
        self.sizes = {}
        self.test_seconds = {}  # of each test that passed, by name

    def stages(self):
        """The most valuable stages first, since time may run out."""
        sanitizers = [
            Stage(tool, 30, f"compute-sanitizer {tool} over a choice of the op tests",
                  lambda run, tool=tool: self.sanitize(run, tool), needs=("build",))
            for tool in SLOWDOWN]
        return [
            Stage("build", 170, "configure and build for this machine", self.configure_and_build),
            Stage("test", 60, "every op test on the device", self.test, needs=("build",)),
            Stage("data", 15, "the Gowalla split, or generated data of its sizes", self.prepare_data,
                  needs=("build",)),
            Stage("train", 30, "LightGCN, 5 epochs: step, epoch, evaluation", self.train,
                  needs=("build", "data")),
            Stage("repeat", 25, "two short runs, and a resumed one, have the same bits", self.repeat,
                  needs=("build", "data")),
            Stage("bench", 60, "tern-bench ops: every op compared with its rivals", self.bench,
                  needs=("build", "data")),
            Stage("torch", 45, "the same training step in PyTorch", self.torch, needs=("data",)),
            *sanitizers,
        ]

    # --- Build and tests --------------------------------------------------------------------------

    def configure_and_build(self, run):
        cuda = self.device == "cuda"
        options = ["-DCMAKE_BUILD_TYPE=Release"]
        if cuda:
            options += ["-DTERN_CUDA=ON", f"-DCMAKE_CUDA_ARCHITECTURES={self.capability}"]
            if not shutil.which("nvcc") and "CUDACXX" not in os.environ:
                options.append(f"-DCMAKE_CUDA_COMPILER={machine.find_tool('nvcc')}")
        if not (self.build / "CMakeCache.txt").exists():
            options += ["-G", "Ninja" if shutil.which("ninja") else "Unix Makefiles"]
        before = run.remaining()
        run.command(["cmake", "-S", machine.ROOT, "-B", self.build, *options])
        configured = run.remaining()
        known = run.command(["cmake", "--build", self.build, "--target", "help"])
        targets = [target for target in TARGETS if target in known.replace(":", " ").split()]
        run.command(["cmake", "--build", self.build, "--parallel", self.args.jobs, "--target", *targets])
        info = json.loads(run.command([self.programs / "tern", "info", "--json"]))
        if cuda and len(info["devices"]) < 2:
            raise StageFailure(f"tern sees no GPU: {info['cuda']}")
        return {"configure_seconds": round(before - configured, 2),
                "build_seconds": round(configured - run.remaining(), 2), "jobs": self.args.jobs,
                "architecture": self.capability, "info": info}

    def backend_filter(self):
        name = "cuda" if self.device == "cuda" else "cpu_2_threads"
        return f"*/{name}:*/{name}_*"

    def run_tests(self, run, pattern, prefix=(), accept=(0, 1)):
        """The tests that ran, from GoogleTest's JSON, each with suite.name as "full"."""
        output = self.build / "gpu_check_tests.json"
        output.unlink(missing_ok=True)
        run.command([*prefix, self.programs / "tern_ops_tests", f"--gtest_filter={pattern}",
                     f"--gtest_output=json:{output}", "--gtest_brief=1"],
                    environment={"OMP_WAIT_POLICY": "passive"}, accept=accept)
        suites = json.loads(output.read_text(encoding="utf-8"))["testsuites"]
        return [dict(test, full=f"{suite['name']}.{test['name']}") for suite in suites
                for test in suite["testsuite"] if test["status"] == "RUN"]

    def test(self, run):
        tests = self.run_tests(run, self.backend_filter())
        failed = [test["full"] for test in tests if "failures" in test]
        skipped = [test["full"] for test in tests if test["result"] == "SKIPPED"]
        self.test_seconds = {test["full"]: float(test["time"].rstrip("s")) for test in tests
                             if "failures" not in test and test["result"] != "SKIPPED"}
        if failed:
            raise StageFailure(f"{len(failed)} of {len(tests)} tests failed: {', '.join(failed[:5])}")
        if not self.test_seconds:
            raise StageFailure(f"no test ran on {self.device} ({len(skipped)} skipped)")
        slowest = sorted(self.test_seconds, key=self.test_seconds.get)[:-6:-1]
        return {"tests": len(self.test_seconds), "skipped": skipped,
                "seconds_in_tests": round(sum(self.test_seconds.values()), 2),
                "slowest_seconds": {name: self.test_seconds[name] for name in slowest}}

    def choose_tests(self, run, seconds):
        """The fastest test of every suite, then the next fastest of each, while they fit into the time."""
        times = self.test_seconds
        if not times:  # the stage `test` did not run: the first test of every suite
            times, seconds = {name: index for index, name in enumerate(self.listed(run))}, 0
        suites = {}
        for name in sorted(times, key=times.get):
            suites.setdefault(name.split(".")[0], []).append(name)
        chosen, spent = [], 0.0
        for place in range(max(map(len, suites.values()), default=0)):
            for names in suites.values():
                if place < len(names) and (place == 0 or spent + times[names[place]] <= seconds):
                    chosen.append(names[place])
                    spent += times[names[place]]
        return chosen

    def listed(self, run):
        names, suite = [], ""
        for line in run.command([self.programs / "tern_ops_tests", "--gtest_list_tests",
                                 f"--gtest_filter={self.backend_filter()}"]).splitlines():
            if line.startswith("  "):
                names.append(suite + line.split()[0])
            elif line.split("#")[0].strip().endswith("."):
                suite = line.split()[0]
        return names

    def sanitize(self, run, tool):
        chosen = self.choose_tests(run, 0.6 * run.remaining() / SLOWDOWN[tool])
        if not chosen:
            raise StageFailure(f"there is no test for {self.device}")
        prefix = []
        if self.device == "cuda":
            program = machine.find_tool("compute-sanitizer")
            if program is None:
                raise StageFailure("compute-sanitizer is missing")
            prefix = [program, f"--tool={tool}", "--error-exitcode=99"]
        tests = self.run_tests(run, ":".join(chosen), prefix, accept=(0,))
        return {"tests": len(tests), "sanitized": bool(prefix)}

    # --- Training ---------------------------------------------------------------------------------

    def prepare_data(self, run):
        if self.data is None:
            self.data = self.build / "gpu_check_data"
            run.command([self.programs / "tern", "generate", "--to", self.data, "--quiet",
                         "--users", GOWALLA["users"], "--items", GOWALLA["items"],
                         "--interactions", GOWALLA["interactions"]])
            hold_out(self.data)
        rows = read_lists(self.data / "train.txt")
        test = read_lists(self.data / "test.txt")
        self.sizes = {
            "users": 1 + max(user for lists in (rows, test) for user in lists),
            "items": 1 + max(max(items) for lists in (rows, test) for items in lists.values() if items),
            "interactions": sum(len(set(items)) for items in rows.values())}
        return {"folder": self.data.name, "generated": self.args.data is None, **self.sizes}

    def train_run(self, run, name, epochs, evaluate_every, seed=0):
        out = self.build / "gpu_check_runs" / name
        settings = {"data.valid_fraction": 0, "train.patience": 0, "train.select_on": "test",
                    "train.batch_size": BATCH, "train.evaluate_every": evaluate_every}
        command = [self.programs / "tern", "train", self.data, "--model", "lightgcn", "--device",
                   self.device, "--epochs", epochs, "--seed", seed, "--out", out, "--overwrite", "--quiet"]
        for key, value in settings.items():
            command += ["--set", f"{key}={value}"]
        run.command(command)
        return out

    def train(self, run):
        out = self.train_run(run, "train", epochs=5, evaluate_every=1)
        with open(out / "metrics.jsonl", encoding="utf-8") as lines:
            epochs = [json.loads(line) for line in lines]
        steps = math.ceil(self.sizes["interactions"] / BATCH)
        warm = statistics.median(epoch["seconds"] for epoch in epochs[1:])
        evaluations = [epoch["evaluation_seconds"] for epoch in epochs if "evaluation_seconds" in epoch]
        return {"model": "lightgcn L3 D64 B2048 f32", "steps_an_epoch": steps,
                "first_epoch_seconds": epochs[0]["seconds"], "epoch_seconds": warm,
                "step_milliseconds": 1e3 * warm / steps,
                "evaluation_seconds": min(evaluations, default=None), "epochs": epochs}

    def repeat(self, run):
        runs = [self.train_run(run, name, epochs=2, evaluate_every=0, seed=7)
                for name in ("repeat-1", "repeat-2")]
        resumed = self.train_run(run, "repeat-resumed", epochs=1, evaluate_every=0, seed=7)
        run.command([self.programs / "tern", "train", "--resume", resumed, "--epochs", 2, "--quiet"])
        files = []
        for out in (*runs, resumed):
            to = out / "embeddings"
            run.command([self.programs / "tern", "export", out, "--checkpoint", "last", "--to", to,
                         "--device", self.device, "--quiet"])
            files.append([(to / f"{side}_embeddings.npy").read_bytes() for side in ("user", "item")])
        if files[0] != files[1]:
            raise StageFailure("two runs with the same seed gave different embeddings")
        if files[0] != files[2]:
            raise StageFailure("a resumed run gave different embeddings from an uninterrupted one")
        return {"same_bits": True, "bytes": sum(map(len, files[0]))}

    # --- Comparisons ------------------------------------------------------------------------------

    def bench(self, run):
        output = self.build / "gpu_check_bench.json"
        output.unlink(missing_ok=True)
        table = run.command([self.programs / "tern-bench", "ops", "--device", self.device, "--data",
                             self.data, "--seconds", 0.5 if self.device == "cuda" else 0.1,
                             "--json", output])
        if not self.args.quiet:
            print(table, flush=True)
        # The result is committed: no host names, no paths.
        figures = json.loads(output.read_text(encoding="utf-8").replace(str(self.data), self.data.name))
        for name in ("host_name", "executable"):
            figures["context"].pop(name, None)
        return figures

    def torch(self, run):
        found, text = machine.check_torch(self.args.torch_python, self.device)
        if not found:
            raise StageSkipped(text)
        script = machine.ROOT / "bench" / "end_to_end" / "lightgcn_torch.py"
        steps = ["--warmup", 10, "--steps", 50] if self.device == "cuda" else ["--warmup", 1, "--steps", 2]
        figures = {}
        for product in ("csr", "coo", "pyg"):
            try:
                text = run.command([self.args.torch_python, script, self.data, "--device", self.device,
                                    "--product", product, "--threads", self.args.jobs, *steps])
                setup, timing = map(json.loads, text.splitlines())
                figures[product] = {"torch": setup["torch"], **timing}
            except StageFailure as why:  # another product may still do
                figures[product] = {"failed": str(why)}
        if not any("milliseconds_per_step" in figure for figure in figures.values()):
            raise StageFailure(figures["csr"]["failed"])
        return figures


def read_lists(path):
    """The items of each user of an adjacency list."""
    rows = {}
    with open(path, encoding="ascii") as lines:
        for line in lines:
            ids = list(map(int, line.split()))
            if ids:
                rows.setdefault(ids[0], []).extend(ids[1:])
    return rows


def hold_out(folder):
    """Moves every fifth item of each user of train.txt to test.txt."""
    rows = read_lists(folder / "train.txt")
    for name, keep in (("train.txt", lambda i: i % 5 != 4), ("test.txt", lambda i: i % 5 == 4)):
        with open(folder / name, "w", encoding="ascii") as file:
            for user, items in rows.items():
                print(user, *(item for i, item in enumerate(items) if keep(i)), file=file)
