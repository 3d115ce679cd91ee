#!/usr/bin/env python3
"""The GC-MC encoder with BPR in PyTorch: the yardstick of gcmc's end-to-end benchmark.

One layer over features of the nodes, from the published formulas (van den Berg et al. 2017), as it
is written with torch.nn: h = A (x' Wc + bc), z = BatchNorm1d(relu(relu(x W1 + b1) + h W3 + b3)) for
either side, A the degree-normalised adjacency of one side with the other, x dense. Every step embeds
every node. Sampling, BPR and the timing are lightgcn_torch.py's; the L2 penalty falls on the final
rows of each triplet. Two ways to the messages:

  linear     A (x' Wc + bc) in every step, by torch.sparse.mm
  precompute (A x') Wc + (A 1) bc with A x' computed once, since features are constant

Reads train.txt, test.txt and {user,item}_features.tsv as split_table.py writes them.
"""

import argparse
import csv
import pathlib

import numpy as np
import torch

import lightgcn_torch


def is_number(text):
    try:
        float(text)
        return True
    except ValueError:
        return False


def read_features(path, nodes):
    """(nodes, F) f32: numbers standardised, every other column one-hot, its values split at '|'."""
    with open(path, encoding="utf-8", newline="") as lines:
        rows = list(csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    header, rows = rows[0], rows[1:]
    blocks = []
    places = np.array([int(row[0]) for row in rows])
    for column in range(1, len(header)):
        fields = [row[column] for row in rows]
        if all(field == "" or is_number(field) for field in fields):
            block = np.zeros((nodes, 1), dtype=np.float64)
            block[places, 0] = [float(field or 0) for field in fields]
            block = (block - block.mean()) / (block.std() or 1.0)
        else:
            values = sorted({value for field in fields for value in field.split("|") if value})
            index = {value: at for at, value in enumerate(values)}
            block = np.zeros((nodes, len(values)))
            for place, field in zip(places, fields):
                for value in field.split("|"):
                    if value:
                        block[place, index[value]] = 1.0
        blocks.append(block)
    return torch.from_numpy(np.concatenate(blocks, axis=1).astype(np.float32))


def one_sided(data, device):
    """The blocks of the normalised adjacency: users from items, items from users."""
    rows, columns, values = (torch.from_numpy(part) for part in data.edges())
    of_users = rows < data.num_users
    shape = (data.num_users, data.num_items)
    block = torch.sparse_coo_tensor(
        torch.stack((rows[of_users], columns[of_users] - data.num_users)), values[of_users], shape)
    return block.coalesce().to(device), block.t().coalesce().to(device)


class Side(torch.nn.Module):
    """One side's half of the layer."""

    def __init__(self, own_inputs, other_inputs, width):
        super().__init__()
        self.self_map = torch.nn.Linear(own_inputs, width)
        self.message = torch.nn.Linear(other_inputs, width)
        self.mix = torch.nn.Linear(width, width)
        self.norm = torch.nn.BatchNorm1d(width)

    def forward(self, x, messages):
        h = messages(self.message)
        return self.norm(torch.relu(torch.relu(self.self_map(x)) + self.mix(h)))


class GcMc(torch.nn.Module):
    def __init__(self, data, features, args):
        super().__init__()
        blocks = one_sided(data, args.device)
        self.features = [x.to(args.device) for x in features]
        widths = [x.shape[1] for x in features]
        self.sides = torch.nn.ModuleList(
            Side(widths[s], widths[1 - s], args.width) for s in (0, 1))
        self.messages = [self.make_messages(blocks[s], self.features[1 - s], args.messages)
                         for s in (0, 1)]

    @staticmethod
    def make_messages(block, x, how):
        if how == "linear":
            return lambda linear: torch.sparse.mm(block, linear(x))
        gathered = torch.sparse.mm(block, x)
        ones = torch.sparse.mm(block, torch.ones(x.shape[0], 1, device=x.device))
        return lambda linear: gathered @ linear.weight.T + ones * linear.bias

    def embed(self):
        return [self.sides[s](self.features[s], self.messages[s]) for s in (0, 1)]

    def loss(self, users, positives, negatives, l2):
        user_table, item_table = self.embed()
        u, p, n = user_table[users], item_table[positives], item_table[negatives]
        bpr = torch.nn.functional.softplus((u * n).sum(dim=1) - (u * p).sum(dim=1)).mean()
        return bpr + l2 / (2 * users.numel()) * sum(rows.square().sum() for rows in (u, p, n))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=pathlib.Path, help="directory made by split_table.py")
    parser.add_argument("--messages", choices=("linear", "precompute"), default="linear")
    parser.add_argument("--epochs", type=int, default=0, help="train and evaluate; 0: time steps")
    parser.add_argument("--evaluate-every", type=int, default=1, metavar="EPOCHS")
    parser.add_argument("--steps", type=int, default=10, help="steps that are timed")
    parser.add_argument("--warmup", type=int, default=2, help="untimed steps before those")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=2048)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--l2", type=float, default=1e-4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", type=torch.device, default="cpu", help="cpu (default), cuda")
    return parser.parse_args()


def main():
    args = parse_arguments()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    data = lightgcn_torch.Data(args.data)
    features = [read_features(args.data / "user_features.tsv", data.num_users),
                read_features(args.data / "item_features.tsv", data.num_items)]
    model = GcMc(data, features, args).to(args.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=args.learning_rate)
    lightgcn_torch.show(torch=torch.__version__, device=str(args.device), messages=args.messages,
                        threads=torch.get_num_threads(), users=data.num_users,
                        items=data.num_items, interactions=int(data.keys.size),
                        user_features=features[0].shape[1], item_features=features[1].shape[1])
    (lightgcn_torch.train if args.epochs else lightgcn_torch.time_steps)(model, optimizer, data, args)


if __name__ == "__main__":
    main()
