"""All checks of Tern that need a GPU, in one command of under nine minutes.

Builds, tests on the GPU, trains, compares speeds with other libraries, and runs the op tests under
compute-sanitizer, without network. A stage that fails does not stop the others. The result file is
rewritten after each stage, so that an interrupted run keeps its results so far.
"""

import argparse
import datetime
import os
import pathlib
import signal
import sys
import time

import machine
import runner
import stages

BUDGET = 525  # seconds; under nine minutes with the time before and after the stages


def parse_arguments(words=None):
    parser = argparse.ArgumentParser(
        prog="tools/gpu_check.sh", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Exit status: 0 all stages passed, 1 a stage failed or something needed is missing, 2 usage.")
    parser.add_argument("--data", type=pathlib.Path, metavar="DIR",
                        help="train.txt and test.txt of the Gowalla split (default: generated data)")
    parser.add_argument("--out", type=pathlib.Path, metavar="FILE",
                        help="the result (default: bench/results/<device>-<commit>.json)")
    parser.add_argument("--dry-run", action="store_true",
                        help="print the plan and whether everything needed is installed; do nothing")
    parser.add_argument("--stage", nargs="+", metavar="NAME", help="only these stages")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda",
                        help="cpu: rehearse everything on a machine without a GPU")
    parser.add_argument("--patience", type=float, default=1.0, metavar="FACTOR",
                        help="multiply all time limits, for a slower machine (default: %(default)s)")
    parser.add_argument("--build", type=pathlib.Path, metavar="DIR",
                        default=machine.ROOT / "build" / "gpu_check", help="default: build/gpu_check")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), metavar="N",
                        help="how many compilers at a time, and PyTorch's threads (default: one per processor)")
    parser.add_argument("--torch-python", default="python3", metavar="PYTHON",
                        help="a Python with torch and numpy (default: python3)")
    parser.add_argument("--commit", help="name of the sources if they are not a git checkout")
    parser.add_argument("--quiet", action="store_true", help="no tables of benchmarks")
    args = parser.parse_args(words)
    for name in ("data", "out", "build"):
        path = getattr(args, name)
        setattr(args, name, path and path.resolve())
    if "/" in args.torch_python:  # not resolved: a virtual environment needs the link itself
        args.torch_python = os.path.abspath(args.torch_python)
    known = [stage.name for stage in stages.Check(args, None).stages()]
    if args.patience <= 0:
        parser.error("--patience must be above 0")
    unknown = [name for name in args.stage or () if name not in known]
    if unknown:
        parser.error(f"no stage '{unknown[0]}'; there are: {' '.join(known)}")
    return args


def print_checks(checks):
    """Prints the checks and returns the names of missing requirements."""
    print("Requirements:")
    for name, required, found, text in checks:
        state = "ok" if found else "MISSING" if required else "none"
        print(f"  {name:18} {state:8} {text}")
    missing = [name for name, required, found, _ in checks if required and not found]
    if missing:
        print(f"gpu_check: missing: {', '.join(missing)}", file=sys.stderr)
    return missing


def print_plan(plan, budget):
    print(f"The plan: {len(plan)} stages, at most {budget:.0f} s in all")
    for stage in plan:
        print(f"  {stage.name:10} {stage.limit:4.0f} s  {stage.text}")


def figures_in_words(name, figures):
    """The main figures of a stage, for people."""
    if name == "build":
        return f"built in {figures['build_seconds']:.0f} s"
    if name == "test":
        return f"{figures['tests']} tests passed, {len(figures['skipped'])} skipped"
    if name == "data":
        return "{users} users, {items} items, {interactions} interactions".format(**figures)
    if name == "train":
        evaluation = figures["evaluation_seconds"]
        last = figures["epochs"][-1]
        words = (f"step {figures['step_milliseconds']:.3f} ms, epoch {figures['epoch_seconds']:.3f} s of "
                 f"{figures['steps_an_epoch']} steps, loss {last['loss']:.4f}")
        return words + (f", evaluation {1e3 * evaluation:.0f} ms" if evaluation is not None else "")
    if name == "repeat":
        return f"the same {figures['bytes']} bytes"
    if name == "bench":
        return f"{len(figures['benchmarks'])} rows"
    if name == "torch":
        return ", ".join(f"{product} {figure['milliseconds_per_step']:.2f} ms per step"
                         if "milliseconds_per_step" in figure else f"{product} failed"
                         for product, figure in figures.items())
    tool = "" if figures["sanitized"] else " (without it: a rehearsal)"
    return f"{figures['tests']} tests clean{tool}"


def print_record(record):
    words = (figures_in_words(record["name"], record["figures"]) if record["status"] == "passed"
             else record["why"])
    print(f"  {record['name']:10} {record['status']:8} {record.get('seconds', 0):6.1f} s  {words}",
          flush=True)


def interrupt(*_):
    raise KeyboardInterrupt


def main():
    args = parse_arguments()
    begin = time.monotonic()
    checks = machine.check_everything(args)
    capability = machine.query_gpu("compute_cap").get("compute_cap", "").replace(".", "") or None
    check = stages.Check(args, capability)
    plan = [stage for stage in check.stages() if not args.stage or stage.name in args.stage]
    for stage in plan:
        stage.limit *= args.patience
    budget = BUDGET * args.patience
    if args.dry_run:
        print_plan(plan, budget)
    missing = print_checks(checks)
    # Without compute-sanitizer only its stages fail: the others are worth their time on a GPU.
    if args.dry_run or set(missing) - {"compute-sanitizer"}:
        return 1 if missing else 0

    facts = machine.describe(args.device, args.commit)
    out = args.out or (machine.ROOT / "bench" / "results" /
                       f"{machine.slug(facts['device'])}-{machine.slug(facts['commit'])}.json")
    result = {"format": 1, "date": datetime.datetime.now(datetime.timezone.utc).isoformat("T", "seconds"),
              "rehearsal": args.device == "cpu", **facts}
    print(f"{facts['device']}, commit {facts['commit']}; logs in {args.build / 'gpu_check_logs'}", flush=True)
    signal.signal(signal.SIGTERM, interrupt)
    observe = machine.observe_gpu if args.device == "cuda" else dict
    try:
        passed = runner.run_stages(plan, result, out, args.build / "gpu_check_logs",
                                   budget - (time.monotonic() - begin), observe, print_record)
    except KeyboardInterrupt:
        passed = False
        print("gpu_check: interrupted", file=sys.stderr)
    result["seconds"] = round(time.monotonic() - begin, 1)
    runner.write_atomically(out, result)
    print(f"{'All passed' if passed else 'NOT ALL PASSED'} in {result['seconds']:.0f} s: {out}")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
