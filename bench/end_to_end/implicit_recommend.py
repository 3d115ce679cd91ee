#!/usr/bin/env python3
"""Lists for all users beside those of the package implicit: the same factors, the same filter, in one call.

    python3 bench/end_to_end/implicit_recommend.py DATA [--rounds 5] [--threads 2] [-N 20]

Needs the packages tern and implicit in one environment (`pip install . implicit`). DATA: a directory with `train.txt`, such as the
Gowalla split of the LightGCN paper. Rankings do not depend on what the factors were trained to, so that random ones serve both.
The lists are compared first; then rounds alternate, and the medians of wall time and of processor time are printed with their
ratios.
"""

import argparse
import os
import statistics
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # implicit has threads of its own, and warns otherwise

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix

import tern


def median_seconds(rank, rounds):
    """(wall, processor) of each of the functions, whose calls alternate."""
    taken = {name: [] for name in rank}
    for _ in range(rounds):
        for name, call in rank.items():
            wall, processor = time.perf_counter(), time.process_time()
            call()
            taken[name].append((time.perf_counter() - wall, time.process_time() - processor))
    return {name: [statistics.median(column) for column in zip(*times)] for name, times in taken.items()}


def same_items(ours, theirs):
    """The share of entries in which two rankings agree; sums in another order may swap neighbours of nearly equal scores."""
    return float(np.mean(ours == theirs))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0, help="0: all processors")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("-N", type=int, default=20)
    arguments = parser.parse_args()
    train = tern.Dataset.from_interactions(arguments.data).train
    csr = csr_matrix((train.data, train.indices, train.indptr), shape=train.shape)
    generator = np.random.default_rng(0)
    users, items = (generator.normal(0.0, 0.1, (rows, arguments.width)).astype(np.float32) for rows in csr.shape)
    ours = tern.MatrixFactorization(width=arguments.width, device="cpu", threads=arguments.threads)
    theirs = AlternatingLeastSquares(factors=arguments.width, num_threads=arguments.threads)
    for model in (ours, theirs):
        model.user_factors, model.item_factors = users, items
    everybody = np.arange(csr.shape[0])
    rank = {"tern": lambda: ours.recommend(everybody, csr, N=arguments.N),
            "implicit": lambda: theirs.recommend(everybody, csr, N=arguments.N)}
    agreement = same_items(rank["tern"]()[0], rank["implicit"]()[0])
    if agreement < 0.99:
        raise SystemExit(f"implicit_recommend: only {agreement:.1%} of the entries agree")
    print(f"{csr.shape[0]} users, {csr.shape[1]} items, {csr.nnz} interactions, N {arguments.N}; "
          f"{agreement:.2%} of the entries agree")
    found = median_seconds(rank, arguments.rounds)
    for name, (wall, processor) in found.items():
        print(f"{name:<10} {wall:7.3f} s, {processor:7.3f} s of processors")
    ratios = [mine / other for mine, other in zip(found["tern"], found["implicit"])]
    print(f"tern takes {ratios[0]:.3f} of the wall time, {ratios[1]:.3f} of the processor time")


if __name__ == "__main__":
    main()
