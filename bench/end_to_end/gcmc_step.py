#!/usr/bin/env python3
"""Milliseconds of one training step of a GC-MC encoder in Tern and in PyTorch, one after the other.

One layer over features, D 64, B 2048, f32, dense Adam, on the same data with the same number of
threads. PyTorch computes messages in two ways (gcmc_torch.py); the ratio uses the faster one. Its
time excludes sampling. Tern's time includes sampling: it is the time of an epoch divided by the
number of steps.
"""

import argparse
import json
import math

import programs

SCRIPT = "gcmc_torch.py"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    programs.add_options(parser)
    parser.add_argument("--steps", type=int, default=10, help="number of timed steps in PyTorch")
    parser.add_argument("--epochs", type=int, default=3, help="number of timed epochs in Tern")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    return parser.parse_args()


def main():
    args = parse_arguments()
    runs = {how: programs.run_torch(args, "--steps", args.steps, "--messages", how, script=SCRIPT)
            for how in ("linear", "precompute")}
    setup = runs["linear"][0]
    torch = {how: timing["milliseconds_per_step"] for how, (_, timing) in runs.items()}
    epochs = programs.run_tern(args, args.epochs, model="gcmc")

    steps = math.ceil(setup["interactions"] / 2048)
    tern = 1e3 * min(epoch["seconds"] for epoch in epochs) / steps
    result = {
        "data": str(args.data), "users": setup["users"], "items": setup["items"],
        "interactions": setup["interactions"], "threads": args.threads, "torch": setup["torch"],
        "torch_milliseconds": torch, "tern_milliseconds": tern,
        "ratio": min(torch.values()) / tern,
        "tern_seconds_per_epoch": min(epoch["seconds"] for epoch in epochs),
    }
    if args.json:
        print(json.dumps(result))
        return
    print(f"{args.data}: {result['users']} users, {result['items']} items, "
          f"{result['interactions']} interactions, {setup['user_features']} and "
          f"{setup['item_features']} features; {args.threads} threads")
    print(f"{'program':34} {'ms a step':>10}")
    for how, milliseconds in torch.items():
        print(f"{'PyTorch ' + setup['torch'] + ', messages ' + how:34} {milliseconds:10.1f}")
    print(f"{'Tern, with sampling':34} {tern:10.1f}")
    print(f"{'ratio':34} {result['ratio']:10.1f}")


if __name__ == "__main__":
    main()
