"""The ops beside their rivals, and the training step beside PyTorch's."""

import json

import machine
from runner import StageFailure, StageSkipped

# Ops with a stage of their own, most informative first, and its seconds. One stage has all others.
LIMITS = {"propagate": 40, "adam": 12, "bpr": 14, "score_topk": 20}
OTHERS_LIMIT = 18
KEPT = ("GB_per_s", "GFLOP_per_s", "share_of_memory", "share_of_gather", "share_of_product", "ceiling_spread",
        "spread", "runs", "implausible")


def groups(folder=machine.ROOT / "bench" / "ops"):
    """(name, ops, seconds) of the stages, for the ops that have a benchmark, and for whole steps."""
    ops = sorted(path.name.removesuffix("_bench.cpp") for path in folder.glob("*_bench.cpp"))
    return [*((op, [op], seconds) for op, seconds in LIMITS.items()),
            ("others", [*(op for op in ops if op not in LIMITS), "step"], OTHERS_LIMIT)]


def read_rows(text):
    """The context and one row a case of Google Benchmark's JSON: the median of its repetitions, or why
    it was refused. A file that a killed program left incomplete gives its complete rows."""
    try:
        result = json.loads(text)
    except ValueError:
        end = text.rfind("}")
        while end > 0:
            try:
                result = json.loads(text[:end + 1] + "]}")
                break
            except ValueError:
                end = text.rfind("}", 0, end)
        else:
            return {}, []
    context = {name: value for name, value in result.get("context", {}).items()
               if name.startswith(("tern_", "ceiling_"))}
    rows = {}
    for entry in result.get("benchmarks", []):
        name = entry.get("run_name", entry["name"]).split("/iterations:")[0]
        precision = entry.get("precision", "f32")
        if precision != "f32":
            name += f", {precision}"
        if entry.get("error_occurred"):
            rows[name] = {"name": name, "refused": entry.get("error_message", "")}
        elif entry.get("aggregate_name") == "median":
            rows[name] = {"name": name, "milliseconds": entry["real_time"],
                          **{key: entry[key] for key in KEPT if key in entry}}
    return context, list(rows.values())


class Comparisons:
    def __init__(self, carried, device, data_name, python, jobs):
        self.carried, self.device, self.data_name = carried, device, data_name
        self.python, self.jobs = python, jobs

    def bench(self, run, ops):
        """A group of ops, with caches evicted before each run, then warm."""
        data = self.carried.data(self.data_name)
        refused = []
        for name, options in (("cold", []), ("warm", ["--warm"])):
            output = self.carried.work / "bench.json"
            output.unlink(missing_ok=True)
            try:
                run.command([self.carried.programs / "tern-bench", "ops", "--device", self.device, "--data",
                             data, "--filter", f"^({'|'.join(ops)})/", "--precision", "f32,bf16", "--seconds",
                             0.3 if self.device == "cuda" else 0.05, "--processes", 1,  # the stages are short
                             "--json", output, *options],
                            self.carried.environment(run), accept=(0, 1))
            finally:
                text = output.read_text(encoding="utf-8") if output.exists() else ""
                context, rows = read_rows(text)
                if "tern_data" in context:  # the report is committed: no paths
                    context["tern_data"] = data.name
                run.figures.setdefault("context", {}).update(context)
                run.figures[name] = rows
                run.save()
            refused += [row["name"] for row in rows if "refused" in row]
        if refused:
            raise StageFailure(f"{len(refused)} cases gave wrong results: {', '.join(refused[:5])}")
        if not run.figures["cold"]:
            raise StageFailure("tern-bench measured nothing")

    def torch(self, run):
        """The same step in PyTorch, with the product of a CSR matrix."""
        if machine.torch_version(run, self.python) is None:
            raise StageSkipped(f"{self.python} has no torch")
        script = machine.ROOT / "bench" / "end_to_end" / "lightgcn_torch.py"
        steps = ["--warmup", 10, "--steps", 50] if self.device == "cuda" else ["--warmup", 1, "--steps", 2]
        text = run.command([self.python, script, self.carried.data(self.data_name), "--device", self.device,
                            "--product", "csr", "--threads", self.jobs, *steps])
        for line in text.splitlines():
            run.figures.update(json.loads(line))
