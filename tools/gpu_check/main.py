"""All checks of Tern that need a GPU: what travels is packed on a machine without one, and two calls
of less than four minutes each check and measure on a machine with one, without network.

  pack             here: builds, and gathers programs, data and the losses of a CPU in build/carried
  first --out DIR  there: tests, gradients, losses, repeated bits, speed, learning curve, profile
  second --out DIR there: benchmarks beside rivals and PyTorch, compute-sanitizer

Each stage has a time limit, and fails alone. The report is rewritten after each stage and within the
long ones, so that an interrupted call keeps its results so far.
"""

import argparse
import datetime
import os
import pathlib
import signal
import sys
import time

import machine
import pack
import plan
import runner


def parse_arguments(words=None):
    parser = argparse.ArgumentParser(
        prog="tools/gpu_check.sh", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Exit status: 0 all stages passed, 1 a stage did not, 2 usage.")
    calls = parser.add_subparsers(dest="call", required=True, metavar="CALL")
    build = machine.ROOT / "build"
    jobs = {"type": int, "default": len(os.sched_getaffinity(0)), "metavar": "N"}
    packing = calls.add_parser("pack", help="build here and gather what travels")
    packing.add_argument("--data", type=pathlib.Path, metavar="DIR",
                         help="train.txt and test.txt of the Gowalla split (default: generated data "
                              "of its size)")
    packing.add_argument("--to", type=pathlib.Path, metavar="DIR", default=build / "carried",
                         help="default: build/carried")
    packing.add_argument("--build", type=pathlib.Path, metavar="DIR", default=build / "packed",
                         help="default: build/packed")
    packing.add_argument("--dependencies", type=pathlib.Path, metavar="DIR",
                         help="made by tools/stage_dependencies.sh (default: .dependencies, made if "
                              "missing)")
    packing.add_argument("--without-cuda", action="store_true", help="only for rehearsals")
    packing.add_argument("--jobs", help="compilers at a time (default: one per processor)", **jobs)
    for name in plan.BUDGET:
        call = calls.add_parser(name, help=f"check here, in at most {plan.BUDGET[name]} s")
        call.add_argument("--out", type=pathlib.Path, metavar="DIR", required=True,
                          help=f"folder of the two results, {name}.json and {name}.log")
        call.add_argument("--rehearse", action="store_true",
                          help="on the CPU, with small data, in the same time")
        call.add_argument("--stage", nargs="+", metavar="NAME", help="only these stages, and programs and build")
        call.add_argument("--carried", type=pathlib.Path, metavar="DIR", default=build / "carried",
                          help="made by pack (default: build/carried)")
        call.add_argument("--work", type=pathlib.Path, metavar="DIR", default=build / "gpu_check",
                          help="unpacked data and runs (default: build/gpu_check)")
        call.add_argument("--torch-python", default="python3", metavar="PYTHON",
                          help="a Python with torch and numpy (default: python3)")
        call.add_argument("--jobs", help="compilers of a build, and PyTorch's threads", **jobs)
    args = parser.parse_args(words)
    for name in ("data", "to", "build", "dependencies", "out", "carried", "work"):
        path = getattr(args, name, None)
        if path is not None:
            setattr(args, name, path.resolve())
    if args.call == "pack":
        lacking = args.data and [name for name in ("train.txt", "test.txt")
                                 if not (args.data / name).is_file()]
        if lacking:
            parser.error(f"{args.data} has no {' and no '.join(lacking)}")
        return args
    if "/" in args.torch_python:  # not resolved: a virtual environment needs the link itself
        args.torch_python = os.path.abspath(args.torch_python)
    known = [stage.name for stage in plan.Check(args).stages()]
    unknown = [name for name in args.stage or () if name not in known]
    if unknown:
        parser.error(f"no stage '{unknown[0]}'; there are: {', '.join(known)}")
    return args


# --- Words for people -----------------------------------------------------------------------------

def words_of_tests(figures):
    tool = "" if figures.get("sanitized", True) else " (without it: a rehearsal)"
    skipped = f", {len(figures['skipped'])} skipped" if figures.get("skipped") else ""
    return f"{figures['passed']} of {figures['tests']} tests passed{skipped}{tool}"


def words_of_losses(loss):
    return f"largest relative difference {loss['largest_difference']:.1e}"


def words_of_speed(speed):
    words = "step {step_milliseconds:.3f} ms, epoch {epoch_seconds:.3f} s".format(**speed)
    evaluation = speed.get("evaluation_seconds")
    return words + (f", evaluation {1e3 * evaluation:.0f} ms" if evaluation is not None else "")


def words_of_curve(curve):
    best, reached = curve["best_recall"], curve["reached"]
    return (f"{curve['epochs']} epochs in {curve['training_seconds']:.1f} s, best Recall@20 "
            f"{'none' if best is None else f'{best:.4f}'}" +
            (f", {curve['mark']} after {reached['training_seconds']:.1f} s" if reached else ""))


def by_recipe(words):
    """The words of the recipes that got so far."""
    def all_words(figures):
        found = {name: attempt(words, recipe) for name, recipe in figures.items()}
        return "; ".join(f"{name}: {text}" for name, text in found.items() if text)
    return all_words


def attempt(words, figures):
    """words(figures); empty if a figure is missing."""
    try:
        return words(figures)
    except (KeyError, TypeError, IndexError):
        return ""


WORDS = {
    "machine": lambda figures: f"{figures['device']}; {figures['system']}",
    "programs": lambda figures: f"commit {figures['commit']}, {len(figures['info']['devices'])} devices",
    "build": lambda figures: f"built in {figures['build_seconds']:.0f} s",
    "gradcheck": lambda figures: f"{figures['checks'] - len(figures['failed'])} of {figures['checks']} checks passed",
    "losses": by_recipe(words_of_losses),
    "repeat": lambda figures: f"the same {figures['bytes']} bytes",
    "speed": by_recipe(words_of_speed),
    "curve": by_recipe(words_of_curve),
    "ncu": lambda figures: "{kernels} kernels, {microseconds} us".format(**figures),
    "torch": lambda figures: f"{figures['milliseconds_per_step']:.2f} ms per step",
}


def figures_in_words(name, figures):
    """The main figures of a stage; empty if it did not get so far."""
    if name.startswith("bench "):
        words = (lambda figures: f"{len(figures['cold'])} rows cold, {len(figures.get('warm', []))} warm")
    else:
        words = WORDS.get(name, words_of_tests)
    return attempt(words, figures)


def print_record(record):
    words = [record.get("why", ""), figures_in_words(record["name"], record.get("figures", {}))]
    print(f"  {record['name']:16} {record['status']:12} {record.get('seconds', 0):6.1f} s of "
          f"{record['limit_seconds']:3.0f}  {'; '.join(filter(None, words))}", flush=True)


# --- The calls ------------------------------------------------------------------------------------

def interrupt(*_):
    raise KeyboardInterrupt


def check(args, begin):
    chosen = args.stage and {"programs", "build", *args.stage}
    stages = [stage for stage in plan.Check(args).stages() if not chosen or stage.name in chosen]
    out, log = args.out / f"{args.call}.json", args.out / f"{args.call}.log"
    result = {"format": 3, "call": args.call, "rehearsal": args.rehearse,
              "date": datetime.datetime.now(datetime.timezone.utc).isoformat("T", "seconds")}
    signal.signal(signal.SIGTERM, interrupt)
    budget = plan.BUDGET[args.call] - (time.monotonic() - begin)
    observe = (lambda run: {}) if args.rehearse else machine.observe_gpu
    try:
        passed = runner.run_stages(stages, result, out, log, budget, observe, print_record)
    except KeyboardInterrupt:
        passed = False
        print("gpu_check: interrupted", file=sys.stderr)
    result["seconds"] = round(time.monotonic() - begin, 1)
    runner.write_atomically(out, result)
    print(f"{'All passed' if passed else 'NOT ALL PASSED'} in {result['seconds']:.0f} s: {out}, {log}")
    return passed


def main():
    begin = time.monotonic()
    args = parse_arguments()
    if args.call != "pack":
        return 0 if check(args, begin) else 1
    try:
        return 0 if pack.Pack(args, begin).everything() else 1
    except runner.StageFailure as why:
        print(f"gpu_check: {why} (log: {args.build / 'pack.log'})", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
