"""The two calls of the check: their stages, most informative first, each with its limit in seconds."""

import contextlib
import time

import comparisons
import machine
import op_tests
import training
from carried import Carried
from ncu import Ncu
from runner import OutOfTime, Run, Stage, StageFailure, StageSkipped

# Seconds of a whole call: short calls, so that a machine that is rented or shared suffices.
BUDGET = {"first": 232, "second": 192}
BUILD = 130  # beyond the limits of the others, which then have less time
LATE = 45    # of these, for carried programs that did not start in time


class Check:
    """The stages of a call and the objects that they share. A rehearsal runs the same stages on a CPU,
    with small data, within the same limits."""

    def __init__(self, args):
        self.args = args
        self.device = "cpu" if args.rehearse else "cuda"
        data = "small" if args.rehearse else "gowalla"
        self.carried = Carried(args.carried, args.work, self.device, args.torch_python)
        self.tests = op_tests.OpTests(self.carried, self.device)
        self.training = training.Training(self.carried, self.device, data)
        self.ncu = Ncu(self.carried, self.training)
        self.comparisons = comparisons.Comparisons(self.carried, self.device, data, args.torch_python,
                                                   args.jobs)
        self.programs_start = self.programs_are_late = False

    def stages(self):
        start = [
            Stage("machine", 10, "GPU, driver, libraries, headers and tools, by name", self.machine),
            Stage("programs", 20, "the carried programs start and see the device", self.start),
            Stage("build", BUILD, "a build here, only if the stage programs did not pass", self.build)]
        return start + (self.first() if self.args.call == "first" else self.second())

    def first(self):
        tests, trained, needs = self.tests, self.training, ("build",)
        return [
            Stage("smoke", 12, "memory there and back, filled; a recorded step", tests.smoke, needs),
            Stage("tests", 46, "every op test on the device, plain and without determinism", tests.test,
                  needs, takes_rest=True),
            Stage("gradcheck", 20, "tern gradcheck: the device against the f64 reference",
                  trained.gradcheck, needs),
            Stage("losses", 16, "three epochs against the losses of a CPU", trained.losses, needs),
            Stage("repeat", 18, "two runs, and a resumed one, have the same bits", trained.repeat, needs),
            Stage("speed", 20, "step without monitors, epoch, evaluation", trained.speed, needs),
            Stage("curve", 30, "Recall@20 over seconds, to .1824 if time permits", trained.curve, needs,
                  takes_rest=True),
            Stage("ncu", 40, "every kernel of one recorded step under Nsight Compute", self.ncu.step,
                  needs)]

    def second(self):
        groups = [Stage(f"bench {name}", seconds, "beside their rivals, cold and warm",
                        lambda run, ops=ops: self.comparisons.bench(run, ops), ("build",),
                        takes_rest=name == "others")
                  for name, ops, seconds in comparisons.groups()]
        sanitizers = [Stage(tool, seconds, "compute-sanitizer over a choice of the op tests",
                            lambda run, tool=tool: self.tests.sanitize(run, tool), ("build",), True)
                      for tool, seconds in (("memcheck", 16), ("initcheck", 10), ("racecheck", 12))]
        return [*groups, Stage("torch", 20, "the training step in PyTorch, CSR", self.comparisons.torch,
                                takes_rest=True), *sanitizers]

    # --- The first stages -------------------------------------------------------------------------

    def machine(self, run):
        machine.describe(run, self.device)
        run.figures.update(machine.inventory(run, self.args.torch_python,
                                             (self.args.work / "programs" / "lib",)))
        if self.device == "cuda" and not run.figures["gpu"]:
            raise StageFailure("nvidia-smi names no GPU")

    def start(self, run):
        try:
            self.carried.start(run)
        except OutOfTime:
            self.programs_are_late = True
            raise
        self.programs_start = True

    def build(self, run):
        if self.programs_are_late:  # on a slow machine a build takes longer still: try once more
            part = Run(run.log, min(run.deadline, time.monotonic() + LATE), run.save, run.figures)
            with contextlib.suppress(StageFailure):
                self.start(part)
        if self.programs_start:
            raise StageSkipped("the carried programs start and see the device")
        if machine.find_tool("cmake") is None:
            raise StageFailure("cmake is missing")
        if self.device == "cuda" and machine.find_tool("nvcc") is None:
            raise StageFailure("nvcc is missing")
        capability = machine.query_gpu(run, "compute_cap").get("compute_cap", "").replace(".", "")
        self.carried.build(run, self.args.jobs, capability)
