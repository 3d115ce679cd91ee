#!/usr/bin/env python3
"""Seconds of training to a quality: Tern with softmax and with BPR, PyTorch with both, one after the other.

Softmax has one layer and the settings of the recipe `softmax` (Wu et al. 2024); BPR three layers and those of
LightGCN-PyTorch. PyTorch multiplies a CSR matrix, its quickest product on a CPU. Seconds are those of
training with sampling, without loading and evaluation. A program is trained for a given number of epochs. A
quality that it does not reach is extrapolated: its seconds an epoch times the epochs that the
other program needs with the same loss, as both compute the same; for BPR and a quality that neither reaches,
times the epochs of --published-epochs. Extrapolated figures are marked.
"""

import argparse
import json
import statistics

import programs

SOFTMAX, BPR = "softmax, L 1", "BPR, L 3"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    programs.add_options(parser)
    parser.add_argument("--targets", type=float, nargs="+", default=(0.10, 0.15, 0.1824),
                        metavar="RECALL", help="Recall@20 (default: 0.10 0.15 0.1824)")
    parser.add_argument("--epochs", type=int, default=24, help="of Tern with softmax")
    parser.add_argument("--torch-epochs", type=int, default=3, help="of PyTorch with softmax")
    parser.add_argument("--bpr-epochs", type=int, default=10, help="of Tern with BPR")
    parser.add_argument("--torch-bpr-epochs", type=int, default=1, help="of PyTorch with BPR")
    parser.add_argument("--published-epochs", type=int, default=1000,
                        help="of BPR to the last target (He et al. 2020: 1000 to .1824)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    return parser.parse_args()


def curves_of(args):
    """By loss and program: the records of its epochs."""
    torch_options = ("--product", "csr", "--evaluate-every", 1)
    softmax_options = ("--loss", "softmax", "--layers", 1, "--l2", 1e-5)
    return {
        SOFTMAX: {
            "Tern": programs.run_tern(args, args.epochs, evaluate_every=1, recipe="softmax"),
            "PyTorch": programs.run_torch(args, "--epochs", args.torch_epochs, *torch_options,
                                          *softmax_options)[1:],
        },
        BPR: {
            "Tern": programs.run_tern(args, args.bpr_epochs, evaluate_every=1),
            "PyTorch": programs.run_torch(args, "--epochs", args.torch_bpr_epochs,
                                          *torch_options)[1:],
        },
    }


def epochs_to(curve, target):
    """The first epoch with this recall; None if no epoch has it."""
    return next((epoch["epoch"] for epoch in curve if epoch["recall@20"] >= target), None)


def seconds_to(curves, program, target, published):
    """Epochs, seconds, and where the epochs come from; None if they are not known."""
    curve = curves[program]
    epochs = epochs_to(curve, target)
    if epochs is not None:
        return epochs, sum(epoch["seconds"] for epoch in curve[:epochs]), "measured"
    other = curves["PyTorch" if program == "Tern" else "Tern"]
    source = "extrapolated: epochs of the other program"
    epochs = epochs_to(other, target)
    if epochs is None and published is not None:
        epochs, source = published, "extrapolated: published epochs"
    if epochs is None:
        return None
    return epochs, epochs * statistics.median(epoch["seconds"] for epoch in curve), source


def results_of(args, curves):
    rows = []
    for target in args.targets:
        for loss, both in curves.items():
            published = args.published_epochs if loss == BPR and target == max(args.targets) else None
            for program in both:
                found = seconds_to(both, program, target, published)
                row = {"recall@20": target, "loss": loss, "program": program}
                if found:
                    row.update(zip(("epochs", "seconds", "source"), found))
                rows.append(row)
    for row in rows:
        tern = next(other for other in rows if other["recall@20"] == row["recall@20"]
                    and other["loss"] == SOFTMAX and other["program"] == "Tern")
        if "seconds" in row and "seconds" in tern:
            row["ratio"] = row["seconds"] / tern["seconds"]
    return rows


def main():
    args = parse_arguments()
    curves = curves_of(args)
    rows = results_of(args, curves)
    if args.json:
        print(json.dumps({"data": str(args.data), "threads": args.threads, "results": rows,
                          "curves": curves}))
        return
    print(f"{args.data}: seconds of training to a Recall@20, {args.threads} threads")
    print(f"{'Recall@20':>9}  {'loss':12}  {'program':7}  {'epochs':>6}  {'seconds':>8}  {'ratio':>6}")
    for row in rows:
        cells = f"{row['recall@20']:9.4f}  {row['loss']:12}  {row['program']:7}"
        if "seconds" not in row:
            print(cells + "  not reached")
            continue
        ratio = f"{row['ratio']:6.1f}" if "ratio" in row else " " * 6
        print(f"{cells}  {row['epochs']:6}  {row['seconds']:8.1f}  {ratio}  {row['source']}")
    print("\nRecall@20 by epoch")
    for loss, both in curves.items():
        for program, curve in both.items():
            recalls = " ".join(f"{epoch['recall@20']:.4f}" for epoch in curve)
            print(f"{loss:12}  {program:7}  {recalls}")


if __name__ == "__main__":
    main()
