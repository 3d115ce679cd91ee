"""The op tests on the device, plain and under compute-sanitizer, read line by line as they run."""

import json
import re

import machine
from runner import OutOfTime, StageFailure, StageSkipped

DONE = re.compile(r"\[ +(OK|FAILED|SKIPPED) +\] ([\w/.]+)(?:,.*)? \((\d+) ms\)$")
BEGUN = re.compile(r"\[ RUN +\] ([\w/.]+)$")
# Factors by which a sanitizer slows tests down; they limit the chosen tests.
SLOWDOWN = {"memcheck": 15, "initcheck": 20, "racecheck": 40}
# What needs a GPU first of all: memory there and back, and a recorded step.
SMOKE = ("Memory", "Record")
STARTS = 12  # a test that ends the whole program is left out, and the others go on, this often


def backend_filter(device):
    """Names of the tests on a device. A backend's name may go on: cuda_fused, cuda_windows."""
    name = "cuda" if device == "cuda" else "cpu_2_threads"
    return f"*/{name}:*/{name}_*"


class Outcome:
    """The tests that ended so far, by name."""

    def __init__(self):
        self.seconds, self.failed, self.skipped, self.running = {}, [], [], None

    def read(self, line):
        """Whether the line began or ended a test."""
        begun, done = BEGUN.search(line), DONE.search(line)
        if begun:
            self.running = begun.group(1)
        if not done:
            return begun is not None
        word, name, milliseconds = done.groups()
        self.running = None
        if word == "OK":
            self.seconds[name] = int(milliseconds) / 1e3
        else:
            (self.failed if word == "FAILED" else self.skipped).append(name)
        return True

    def ended(self):
        return {*self.seconds, *self.failed, *self.skipped}


class OpTests:
    def __init__(self, carried, device):
        self.carried, self.device = carried, device

    def words(self, pattern):
        return [self.carried.programs / "tern_ops_tests", f"--gtest_filter={pattern}", "--gtest_color=no"]

    def listed(self, run, pattern):
        names, suite = [], ""
        for line in run.command([*self.words(pattern), "--gtest_list_tests"],
                                self.carried.environment(run)).splitlines():
            if line.startswith("  "):
                names.append(suite + line.split()[0])
            elif line.split("#")[0].strip().endswith("."):
                suite = line.split()[0]
        return names

    def follow(self, run, outcome, words):
        """Runs tests; the report names those that ended so far."""
        def on_line(line):
            if outcome.read(line):
                self.show(run, outcome)
                run.save()

        run.command(words, self.carried.environment(run), accept=None, on_line=on_line)

    @staticmethod
    def show(run, outcome):
        slowest = sorted(outcome.seconds, key=outcome.seconds.get)[:-6:-1]
        run.figures.update(
            passed=len(outcome.seconds), failed=outcome.failed, skipped=outcome.skipped,
            running=outcome.running,
            seconds_in_tests=round(sum(outcome.seconds.values()), 2),
            slowest_seconds={name: outcome.seconds[name] for name in slowest})

    def run_all(self, run, names):
        """Runs the tests in one program if it can: a test that ends it counts as failed, and another
        program goes on with the tests behind it."""
        outcome, fatal = Outcome(), []
        run.figures.update(tests=len(names), ended_the_program=fatal)
        left = names
        for _ in range(STARTS):
            outcome.running = None
            self.follow(run, outcome, self.words(":".join(left)))
            if outcome.running is not None:
                fatal.append(outcome.running)
                outcome.failed.append(outcome.running)
            before, left = left, [name for name in left if name not in outcome.ended()]
            self.show(run, outcome)
            if not left or len(left) == len(before):
                break
        return outcome

    # --- Stages -----------------------------------------------------------------------------------

    def smoke(self, run):
        names = [name for name in self.listed(run, backend_filter(self.device))
                 if re.search(rf"(^|/)({'|'.join(SMOKE)})\.", name)]
        self.judge(names, self.run_all(run, names))

    def test(self, run):
        """Every op test on the device. Those that failed are tried again alone: an error on a GPU can
        make all later tests of its program fail."""
        names = self.listed(run, f"{backend_filter(self.device)}:Gpu.*:*Determinism.*")
        outcome = self.run_all(run, names)
        self.carried.work.mkdir(parents=True, exist_ok=True)
        (self.carried.work / "test_seconds.json").write_text(json.dumps(outcome.seconds))
        try:
            self.again(run, outcome.failed)
        except OutOfTime:
            pass
        self.judge(names, outcome)

    def again(self, run, failed):
        alone = run.figures["alone"] = {}
        for name in failed:
            once = Outcome()
            run.command(self.words(name), self.carried.environment(run), accept=None, on_line=once.read)
            alone[name] = "passed" if name in once.seconds else "failed"
            run.save()

    def judge(self, names, outcome):
        if outcome.failed:
            raise StageFailure(f"{len(outcome.failed)} of {len(names)} tests failed: "
                               f"{', '.join(outcome.failed[:5])}")
        if not outcome.seconds:
            raise StageFailure(f"no test ran on {self.device} ({len(outcome.skipped)} skipped)")
        lost = [name for name in names if name not in outcome.ended()]
        if lost:
            raise StageFailure(f"{len(lost)} of {len(names)} tests did not run: {', '.join(lost[:5])}")

    # --- Sanitizers -------------------------------------------------------------------------------

    def known_seconds(self):
        """Seconds of tests: measured on this machine, or by `pack` on another one's processor."""
        try:
            return json.loads((self.carried.work / "test_seconds.json").read_text())
        except (OSError, ValueError):
            name = "cuda" if self.device == "cuda" else "cpu_2_threads"
            return {test.replace("{device}", name): seconds
                    for test, seconds in self.carried.facts.get("test_seconds", {}).items()}

    def choose(self, names, seconds):
        """The fastest test of every suite, then the next fastest of each, while they fit into the time."""
        known = self.known_seconds()
        times = {name: known.get(name, 1.0) for name in names}
        suites = {}
        for name in sorted(times, key=times.get):
            suites.setdefault(name.split(".")[0], []).append(name)
        chosen, spent = [], 0.0
        for place in range(max(map(len, suites.values()), default=0)):
            for tests in suites.values():
                if place < len(tests) and (place == 0 or spent + times[tests[place]] <= seconds):
                    chosen.append(tests[place])
                    spent += times[tests[place]]
        return chosen

    def sanitize(self, run, tool):
        prefix = []
        if self.device == "cuda":
            program = machine.find_tool("compute-sanitizer")
            if program is None:
                raise StageSkipped("compute-sanitizer is missing")
            prefix = [program, f"--tool={tool}", "--error-exitcode=99"]
            if tool == "memcheck":  # tests ask for more memory than there is, and expect the error
                prefix.append("--report-api-errors=no")
        names = self.listed(run, backend_filter(self.device))
        chosen = self.choose(names, 0.7 * run.remaining() / SLOWDOWN[tool])
        if not chosen:
            raise StageFailure(f"there is no test for {self.device}")
        outcome, errors = Outcome(), []
        run.figures.update(tests=len(chosen), sanitized=bool(prefix), errors=errors)

        def on_line(line):
            if re.match(r"=+ (Invalid|Uninitialized|Error: (Race|Potential)|Program hit|Race reported)", line):
                errors.append(f"{outcome.running}: {line.strip('= ')[:200]}")
                del errors[20:]
            if outcome.read(line):
                run.figures.update(passed=len(outcome.seconds), running=outcome.running)
                run.save()

        words = [*prefix, *self.words(":".join(chosen))]
        try:
            run.command(words, self.carried.environment(run), accept=(0,), on_line=on_line)
        except OutOfTime as why:
            raise OutOfTime(f"{why}, after {len(outcome.seconds)} of {len(chosen)} tests, "
                            f"{len(errors)} errors") from None
        except StageFailure as why:
            raise StageFailure(f"{why}; first: {errors[0]}" if errors else str(why)) from None
        finally:
            run.figures.update(passed=len(outcome.seconds), failed=outcome.failed)
