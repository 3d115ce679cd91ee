#!/usr/bin/env python3
"""How much slower is training if other processes want the processors too?

Trains alone, beside as many busy processes as processors, and beside twice as many: the ratios of the
median seconds of an epoch, whose fair shares are 2 and 3. Then two trainings side by side: their time
from start to end against the time of two one after the other. With --against PROGRAM, each situation is
also measured with another build of tern, in turn. Every training must give the same losses, bit for bit.
"""

import argparse
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import programs

PROCESSORS = len(os.sched_getaffinity(0))


@contextlib.contextmanager
def busy_processes(count):
    """Processes that calculate without a pause, as a compiler would, until the block ends."""
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
        for process in started:
            process.wait()


def start(args, program, out):
    command = [program, "train", args.data, "--device", "cpu", "--quiet", "--out", out,
               "--epochs", args.epochs, "--seed", 0, "--set", "train.evaluate_every=0",
               "--set", "train.patience=0", "--set", "monitor.every=0",
               "--set", "checkpoint.every_epochs=0"]
    for setting in args.set:
        command += ["--set", setting]
    return subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL)


def train(args, program, side_by_side=1):
    """(median seconds of an epoch, seconds from start to end, losses) of trainings at the same time."""
    with tempfile.TemporaryDirectory() as folder:
        runs = [pathlib.Path(folder) / str(i) for i in range(side_by_side)]
        begin = time.perf_counter()
        jobs = [start(args, program, run) for run in runs]
        if any([job.wait() for job in jobs]):
            sys.exit(f"busy_machine.py: {program} failed")
        whole = time.perf_counter() - begin
        epochs = []
        for run in runs:
            with open(run / "metrics.jsonl", encoding="utf-8") as lines:
                epochs.append([json.loads(line) for line in lines])
    losses = [[epoch["loss"] for epoch in job] for job in epochs]
    if any(other != losses[0] for other in losses):
        sys.exit("busy_machine.py: two trainings side by side gave different losses")
    return statistics.median(epoch["seconds"] for epoch in epochs[0][1:]), whole, losses[0]


def situations():
    return [("alone", 0, 1, None),
            (f"{PROCESSORS} busy processes", PROCESSORS, 1, 2.5),
            (f"{2 * PROCESSORS} busy processes", 2 * PROCESSORS, 1, 4.0),
            ("two side by side", 0, 2, 1.2)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("data", type=pathlib.Path, help="anything that tern train reads")
    parser.add_argument("--tern", type=programs.program, default=programs.TERN,
                        help="the program to measure")
    parser.add_argument("--against", type=programs.program, help="another build, measured in turn")
    parser.add_argument("--epochs", type=int, default=6, help="the first is not timed")
    parser.add_argument("--runs", type=int, default=3, help="how often each situation is measured")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    args = parser.parse_args()

    tools = [args.tern] + ([args.against] if args.against else [])
    expected = None
    alone = {}
    print(f"{args.data}, {PROCESSORS} processors, medians of {args.runs} runs")
    for name, busy, side_by_side, mark in situations():
        measured = {tool: [] for tool in tools}
        for _ in range(args.runs):
            for tool in tools:
                with busy_processes(busy):
                    epoch, whole, losses = train(args, tool, side_by_side)
                measured[tool].append((epoch, whole))
                expected = expected or losses
                if losses != expected:
                    sys.exit(f"busy_machine.py: {name}, {tool}: other losses than at first")
        for tool in tools:
            epoch, whole = map(statistics.median, zip(*measured[tool]))
            alone.setdefault(tool, (epoch, whole))
            if side_by_side == 1:
                line = f"{epoch:8.3f} s an epoch {epoch / alone[tool][0]:6.2f} times"
            else:
                line = f"{whole:8.3f} s in all   {whole / alone[tool][1] / side_by_side:6.2f} times"
            print(f"  {name:20}{line}{f'  at most {mark}' if mark else '':14}  {tool}", flush=True)


if __name__ == "__main__":
    main()
