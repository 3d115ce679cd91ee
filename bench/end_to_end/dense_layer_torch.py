#!/usr/bin/env python3
"""The dense layer of a GC-MC encoder in Tern and in PyTorch, forward and backward, side by side.

z = BN(ReLU(ReLU(x W1 + b1) + h W3 + b3)) in training, f32, all gradients (those of x and h too), as
many rows, the same widths and threads. PyTorch runs before and after tern-bench, and the best time
of either program counts: what else the machine does then hits both. tern-bench checks its result
against the f64 reference before it times it, which takes minutes for a million rows.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import programs

TERN_BENCH = programs.TERN.parent / "tern-bench"


def measure_torch(args):
    """Seconds of each repetition, forward and backward, by the Python that has torch."""
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    shape = (args.rows, args.width)
    x, h = (torch.randn(shape).requires_grad_() for _ in range(2))
    own, neighbours = (torch.nn.Linear(args.width, args.width) for _ in range(2))
    norm = torch.nn.BatchNorm1d(args.width)
    parameters = [x, h, *own.parameters(), *neighbours.parameters(), *norm.parameters()]
    grad = torch.randn(shape)
    forward, backward = [], []
    for _ in range(args.repetitions):
        for parameter in parameters:
            parameter.grad = None
        start = time.perf_counter()
        z = norm(torch.relu(torch.relu(own(x)) + neighbours(h)))
        middle = time.perf_counter()
        z.backward(grad)
        end = time.perf_counter()
        forward.append(middle - start)
        backward.append(end - middle)
        del z
    print(json.dumps({"torch": torch.__version__, "forward": forward, "backward": backward}))


def run_torch(args):
    command = [args.torch_python, __file__, "--measure-torch", "--rows", args.rows,
               "--width", args.width, "--threads", args.threads, "--repetitions", args.repetitions]
    return json.loads(programs.run(command))


def run_tern(args):
    """Seconds of each repetition, by pass."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "bench.json"
        command = [args.tern_bench, "ops", "--shape", args.shape, "--width", args.width,
                   "--threads", args.threads, "--filter", "linear_relu_batchnorm/users_.*/tern",
                   "--seconds", args.seconds, "--json", out]
        subprocess.run([str(word) for word in command], check=True, stdout=sys.stderr)
        report = json.loads(out.read_text(encoding="utf-8"))
    scale = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
    seconds = {"forward": [], "backward": []}
    for run in report["benchmarks"]:
        if run.get("run_type") == "iteration":
            for name, times in seconds.items():
                if f"users_{name}" in run["name"]:
                    times.append(run["real_time"] * scale[run["time_unit"]])
    return int(report["context"]["tern_users"]), seconds


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shape", default="million", help="the shape of tern-bench whose users are the rows")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repetitions", type=int, default=5, help="repetitions of PyTorch, run twice")
    parser.add_argument("--seconds", type=float, default=10.0, help="time of tern-bench for a pass")
    parser.add_argument("--tern-bench", type=pathlib.Path, default=TERN_BENCH)
    parser.add_argument("--torch-python", default="/usr/bin/python3", metavar="PYTHON",
                        help="a Python with torch (Debian: python3-torch)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    parser.add_argument("--measure-torch", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    args = parse_arguments()
    if args.measure_torch:
        measure_torch(args)
        return
    args.rows = {"million": 1_000_000, "gowalla": 29_858, "yelp2018": 31_668,
                 "amazon-book": 52_643, "ml-1m": 6_040}[args.shape]
    before = run_torch(args)
    rows, tern = run_tern(args)
    after = run_torch(args)
    if rows != args.rows:
        sys.exit(f"dense_layer_torch: tern-bench has {rows} users, expected {args.rows}")
    result = {"rows": rows, "width": args.width, "threads": args.threads, "torch": before["torch"]}
    for name in ("forward", "backward"):
        result[f"torch_{name}_ms"] = 1e3 * min(before[name] + after[name])
        result[f"tern_{name}_ms"] = 1e3 * min(tern[name])
    for program in ("torch", "tern"):
        result[f"{program}_both_ms"] = (result[f"{program}_forward_ms"]
                                        + result[f"{program}_backward_ms"])
    if args.json:
        print(json.dumps(result))
        return
    print(f"{rows} rows, {args.width} columns, {args.threads} threads; best of "
          f"{2 * args.repetitions} (PyTorch {result['torch']}) and {len(tern['forward'])} (Tern)")
    print(f"{'ms':10} {'PyTorch':>10} {'Tern':>10} {'ratio':>8}")
    for name in ("forward", "backward", "both"):
        torch_ms, tern_ms = result[f"torch_{name}_ms"], result[f"tern_{name}_ms"]
        print(f"{name:10} {torch_ms:10.1f} {tern_ms:10.1f} {torch_ms / tern_ms:8.2f}")


if __name__ == "__main__":
    main()
