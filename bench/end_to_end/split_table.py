#!/usr/bin/env python3
"""Cuts a table of interactions into train.txt and test.txt, which any program can read.

The table is "user<TAB>item" with one header line, plain or zstd (tests/data/debian has one). Of each
user a random share of the items is held out, at least one while one stays for training. Ids become
numbers in the order of first appearance; user_features and item_features tables beside the table get
the same numbers. Standard library only; zstd files need zstdcat.
"""

import argparse
import pathlib
import random
import subprocess


def read_lines(path):
    if path.suffix == ".zst":
        text = subprocess.run(["zstdcat", path], check=True, stdout=subprocess.PIPE).stdout.decode()
    else:
        text = path.read_text(encoding="utf-8")
    return text.splitlines()


def read_pairs(path):
    return [line.split("\t")[:2] for line in read_lines(path)[1:]]


def split(pairs, share, seed):
    """Two lists of (user, items), users and items numbered, and the numbers of both."""
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
    return train, test, {"user": users, "item": items}


def write_lists(path, rows):
    lines = (" ".join(map(str, [user, *items])) + "\n" for user, items in rows)
    path.write_text("".join(lines), encoding="ascii")


def write_features(table, to, numbers):
    """The feature tables beside the table, keyed by number instead of by name."""
    for side, number_of in numbers.items():
        for path in sorted(table.parent.glob(f"{side}_features.tsv*")):
            header, *rows = read_lines(path)
            keyed = (row.partition("\t") for row in rows)
            lines = [f"{number_of[name]}\t{rest}" for name, _, rest in keyed if name in number_of]
            (to / f"{side}_features.tsv").write_text("\n".join([header, *lines, ""]),
                                                    encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("table", type=pathlib.Path)
    parser.add_argument("--to", type=pathlib.Path, required=True, metavar="DIRECTORY")
    parser.add_argument("--share", type=float, default=0.2, help="test share of each user's items (default: 0.2)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    train, test, numbers = split(read_pairs(args.table), args.share, args.seed)
    args.to.mkdir(parents=True, exist_ok=True)
    write_lists(args.to / "train.txt", train)
    write_lists(args.to / "test.txt", test)
    write_features(args.table, args.to, numbers)
    print(f"{args.to}: {len(train)} users, {sum(len(items) for _, items in train)} interactions "
          f"for training, {sum(len(items) for _, items in test)} held out")


if __name__ == "__main__":
    main()
