"""One recorded training step under Nsight Compute: every kernel of the CUDA graph, with its sections."""

import csv
import re

import machine
from runner import StageFailure, StageSkipped
from training import train_words

SECTIONS = ("LaunchStats", "Occupancy", "SpeedOfLight", "ComputeWorkloadAnalysis",
            "MemoryWorkloadAnalysis", "SchedulerStats", "WarpStateStats")
# Kernels before those that are profiled: the set-up, the first step, which is not a graph, and some more.
SKIPPED = 400
TIMED = 240       # kernels that are only timed, to find the period of the steps
MAX_KERNELS = 60  # kernels that are profiled if no period is found
# The columns of the table: a heading, and a pattern of the metric's name (releases differ in words).
COLUMNS = (
    ("us", r"^(gpu__time_duration\.sum|Duration)$"),
    ("grid", r"^Grid Size$"), ("block", r"^Block Size$"), ("registers", r"^Registers Per Thread$"),
    ("occupancy_percent", r"^Achieved Occupancy$"), ("sm_percent", r"^Compute \(SM\) Throughput$"),
    ("memory_percent", r"^Memory Throughput$"), ("dram_percent", r"^DRAM Throughput$"),
    ("l2_percent", r"^L2 Cache Throughput$"), ("l1_hit_percent", r"^L1/TEX Hit Rate$"),
    ("l2_hit_percent", r"^L2 Hit Rate$"), ("ipc", r"^Executed Ipc Active$"),
    ("eligible_warps", r"^Eligible Warps Per Scheduler$"),
    ("cycles_an_instruction", r"^Warp Cycles Per Issued Instruction$"),
)
MICROSECONDS = {"ns": 1e-3, "nsecond": 1e-3, "us": 1.0, "usecond": 1.0, "ms": 1e3, "msecond": 1e3,
                "s": 1e6, "second": 1e6}


def number(text):
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return None


def parse(text):
    """The kernels of ncu's CSV in order, each {"kernel", heading: value}. Reads both pages, with a row
    a metric (details) or a kernel (raw); lines before the header, and rows and metrics that it does not
    know, are left out."""
    header, kernels = None, {}
    for line in text.splitlines():
        row = next(csv.reader([line])) if line.startswith('"') else []
        if "Kernel Name" in row and "ID" in row:
            header = row
        elif header is not None and len(row) == len(header):
            cells = dict(zip(header, row))
            kernel = kernels.setdefault((cells.get("Process ID"), cells["ID"]),
                                        {"kernel": short(cells["Kernel Name"])})
            if "Metric Name" in cells:
                keep(kernel, cells["Metric Name"], cells.get("Metric Unit", ""),
                     cells.get("Metric Value", ""))
            else:
                for name, value in cells.items():
                    keep(kernel, name, "", value)
    return [kernel for kernel in kernels.values() if len(kernel) > 1]


def keep(kernel, metric, unit, text):
    value = number(text)
    if value is None:
        return
    for heading, pattern in COLUMNS:
        # "Memory Throughput" comes twice: in percent, and in bytes a second.
        if re.search(pattern, metric) and not (heading.endswith("percent") and unit not in ("%", "")):
            kernel.setdefault(heading, value * MICROSECONDS.get(unit, 1.0) if heading == "us" else value)


def short(name):
    """A kernel's name without its arguments, namespaces and return type."""
    name = re.sub(r"\([^()]*anonymous namespace[^()]*\)::", "", name)
    name = re.sub(r"^void ", "", name.split("(")[0])
    head, bracket, arguments = name.partition("<")
    return (head.split("::")[-1] + bracket + re.sub(r"\b\w+::", "", arguments))[:80]


def period(names):
    """(begin, length) of the last step: the shortest list of names that the second half repeats; None
    if it repeats none."""
    for length in range(1, len(names) // 2 + 1):
        begin = len(names) - max(2 * length, len(names) // 2)
        if all(names[i] == names[i + length] for i in range(begin, len(names) - length)):
            return len(names) - length, length
    return None


class Ncu:
    def __init__(self, carried, training):
        self.carried, self.training = carried, training

    def profile(self, run, program, skip, count, options):
        """Profiles kernels of a training; whatever its status, the kernels that were printed count."""
        words = train_words(self.carried.programs / "tern", self.carried.data(self.training.data_name),
                            "cuda", self.carried.work / "runs" / "ncu", 2)
        text = run.command([program, "--graph-profiling", "node", "--clock-control", "none",
                            "--target-processes", "all", "--apply-rules", "no", "--kill", "yes", "--launch-skip", skip,
                            "--launch-count", count, "--csv", *options, *words],
                           self.carried.environment(run), accept=None)
        kernels = parse(text)
        if not kernels:
            errors = [line for line in text.splitlines() if "==ERROR==" in line or "rror" in line]
            raise StageFailure(f"ncu profiled no kernel{': ' + errors[0][:200] if errors else ''}")
        return kernels

    def step(self, run):
        """First only the time of many kernels, which shows where a step begins and ends; then all
        sections of one step."""
        program = machine.find_tool("ncu")
        if self.training.device != "cuda":
            raise StageSkipped("a rehearsal has no GPU to profile")
        if program is None:
            raise StageSkipped("ncu is missing")
        timed = self.profile(run, program, SKIPPED, TIMED, ["--metrics", "gpu__time_duration.sum"])
        found = period([kernel["kernel"] for kernel in timed])
        begin, length = found or (0, min(MAX_KERNELS, len(timed)))
        step = timed[begin:begin + length]
        run.figures.update(is_a_step=found is not None, kernels=length,
                           microseconds=round(sum(kernel.get("us", 0.0) for kernel in step), 2),
                           times=step)
        run.save()
        sections = [word for name in SECTIONS for word in ("--section", name)]
        run.figures["table"] = self.profile(run, program, SKIPPED + begin, length, sections)
