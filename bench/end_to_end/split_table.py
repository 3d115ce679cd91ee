#!/usr/bin/env python3
"""Cuts a table of interactions into train.txt and test.txt, which any program can read.

The table is "user<TAB>item" with one header line, plain or zstd (tests/data/debian has one). Of each
user a random share of the items is held out, at least one while one stays for training. Ids become
numbers in the order of first appearance. Standard library only; zstd files need zstdcat.
"""

import argparse
import pathlib
import random
import subprocess


def read_pairs(path):
    if path.suffix == ".zst":
        text = subprocess.run(["zstdcat", path], check=True, stdout=subprocess.PIPE).stdout.decode()
    else:
        text = path.read_text(encoding="utf-8")
    return [line.split("\t")[:2] for line in text.splitlines()[1:]]


def split(pairs, share, seed):
    """Two lists of (user, items), users and items numbered."""
    users, items, rows = {}, {}, []
    for user, item in pairs:
        if user not in users:
            users[user] = len(users)
            rows.append([])
        rows[users[user]].append(items.setdefault(item, len(items)))
    rng = random.Random(seed)
    train, test = [], []
    for user, row in enumerate(rows):
        row = sorted(set(row))
        count = min(max(1, int(share * len(row))), len(row) - 1)
        held_out = set(rng.sample(row, count))
        train.append((user, [item for item in row if item not in held_out]))
        test.append((user, sorted(held_out)))
    return train, test


def write_lists(path, rows):
    lines = (" ".join(map(str, [user, *items])) + "\n" for user, items in rows)
    path.write_text("".join(lines), encoding="ascii")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("table", type=pathlib.Path)
    parser.add_argument("--to", type=pathlib.Path, required=True, metavar="DIRECTORY")
    parser.add_argument("--share", type=float, default=0.2, help="of each user's items (0.2)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    train, test = split(read_pairs(args.table), args.share, args.seed)
    args.to.mkdir(parents=True, exist_ok=True)
    write_lists(args.to / "train.txt", train)
    write_lists(args.to / "test.txt", test)
    print(f"{args.to}: {len(train)} users, {sum(len(items) for _, items in train)} interactions "
          f"for training, {sum(len(items) for _, items in test)} held out")


if __name__ == "__main__":
    main()
