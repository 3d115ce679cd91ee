#!/usr/bin/env python3
"""Milliseconds of one LightGCN training step in Tern and in PyTorch, one after the other.

L3, D64, B 2048, f32, dense Adam, on the same data with the same number of threads. PyTorch's figure
is the step alone, its sampling left out; Tern's is a whole epoch with its sampling, over its steps.
"""

import argparse
import json
import math

import programs


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    programs.add_options(parser)
    parser.add_argument("--steps", type=int, default=10, help="steps of PyTorch that are timed")
    parser.add_argument("--epochs", type=int, default=1, help="epochs of Tern that are timed")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    return parser.parse_args()


def main():
    args = parse_arguments()
    setup, timing = programs.run_torch(args, "--steps", args.steps)
    epochs = programs.run_tern(args, args.epochs)

    steps = math.ceil(setup["interactions"] / 2048)
    tern = 1e3 * min(epoch["seconds"] for epoch in epochs) / steps
    result = {
        "data": str(args.data), "users": setup["users"], "items": setup["items"],
        "interactions": setup["interactions"], "threads": args.threads, "torch": setup["torch"],
        "torch_milliseconds": timing["milliseconds_per_step"], "tern_milliseconds": tern,
        "ratio": timing["milliseconds_per_step"] / tern,
        "torch_first_loss": timing["first_loss"], "tern_first_epoch_loss": epochs[0]["loss"],
    }
    if args.json:
        print(json.dumps(result))
        return
    print(f"{args.data}: {result['users']} users, {result['items']} items, "
          f"{result['interactions']} interactions; {args.threads} threads")
    print(f"{'program':24} {'ms a step':>10}  measured over")
    print(f"{'PyTorch ' + setup['torch']:24} {result['torch_milliseconds']:10.1f}  "
          f"{timing['steps']} steps ({timing['fastest']:.1f} to {timing['slowest']:.1f})")
    print(f"{'Tern':24} {tern:10.1f}  {steps} steps, with sampling")
    print(f"{'ratio':24} {result['ratio']:10.1f}")


if __name__ == "__main__":
    main()
