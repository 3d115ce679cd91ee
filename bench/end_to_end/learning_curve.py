#!/usr/bin/env python3
"""The learning curves of LightGCN in Tern and in PyTorch, side by side, over several seeds.

Both programs compute the same (bench/end_to_end/lightgcn_torch.py states what), but with different
random numbers. Compare the means over seeds, and judge a difference by the standard deviation
between seeds.
"""

import argparse
import statistics

import programs

FIGURES = ("loss", "recall@20", "ndcg@20")


def mean_and_deviation(values):
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    programs.add_options(parser)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--evaluate-every", type=int, default=1, metavar="EPOCHS")
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds: 0, 1, ...")
    return parser.parse_args()


def main():
    args = parse_arguments()
    curves = {"PyTorch": [], "Tern": []}
    for seed in range(args.seeds):
        curves["Tern"].append(programs.run_tern(args, args.epochs, seed, args.evaluate_every))
        options = ("--epochs", args.epochs, "--seed", seed, "--evaluate-every", args.evaluate_every)
        curves["PyTorch"].append(programs.run_torch(args, *options)[1:])

    print(f"{args.data}: {args.seeds} seeds, mean ± standard deviation over them")
    print(f"{'epoch':>5}  {'figure':10} {'PyTorch':>17} {'Tern':>17} {'Tern/PyTorch':>13}")
    for index, first in enumerate(curves["Tern"][0]):
        for figure in FIGURES:
            if figure not in first:
                continue
            cells, means = [], []
            for program in ("PyTorch", "Tern"):
                values = [curve[index][figure] for curve in curves[program]]
                mean, deviation = mean_and_deviation(values)
                means.append(mean)
                cells.append(f"{mean:9.5f} ±{deviation:7.5f}")
            print(f"{first['epoch']:5}  {figure:10} {cells[0]:>17} {cells[1]:>17} "
                  f"{means[1] / means[0]:13.4f}")


if __name__ == "__main__":
    main()
