#!/usr/bin/env python3
"""LightGCN with BPR or in-batch softmax in PyTorch: the yardstick of the end-to-end benchmarks.

Written from the published formulas (He et al. 2020, eq. 7-8 and 15; Rendle et al. 2009) with the
choices of the authors' PyTorch program: N(0, 0.1) embeddings of width D, the mean of L + 1 layers,
|train| draws an epoch of a uniform user with a uniform positive and a uniform unobserved item,
dense Adam, and an L2 penalty with factor 1/2 and 1/B on the layer-0 rows of each triplet. With
--loss softmax (Wu et al. 2024, "BSL"): each interaction once an epoch, Xavier-uniform embeddings, cosines
over a temperature, the other pairs of the batch as negatives, whose log-sum-exp has a weight. Every step
propagates every layer for every node, forward and backward, by one of three products:

  coo  torch.sparse.mm with one coalesced COO matrix of all N nodes, as the authors' program does
  csr  the same matrix as CSR; it is symmetric, so that the backward pass is the same product
  pyg  LGConv of PyTorch Geometric, given the edges and their weights

Needs torch and numpy, and torch_geometric for pyg. Prints one JSON object a line on stdout.
"""

import argparse
import json
import math
import pathlib
import sys
import time

import numpy as np
import torch


def read_lists(path):
    """The (user, item) pairs of an adjacency list, "user item item ..." a line, as two arrays."""
    users, items = [], []
    with open(path, encoding="ascii") as lines:
        for line in lines:
            ids = np.array(line.split(), dtype=np.int64)
            if ids.size > 1:
                users.append(np.full(ids.size - 1, ids[0]))
                items.append(ids[1:])
    return np.concatenate(users), np.concatenate(items)


class Data:
    """The training pairs sorted by user and item, without repeats, and the test pairs."""

    def __init__(self, directory):
        train = read_lists(directory / "train.txt")
        test = read_lists(directory / "test.txt")
        self.num_users = int(max(train[0].max(), test[0].max())) + 1
        self.num_items = int(max(train[1].max(), test[1].max())) + 1
        self.num_nodes = self.num_users + self.num_items
        self.keys = np.unique(train[0] * self.num_items + train[1])
        self.users, self.items = np.divmod(self.keys, self.num_items)
        self.degrees = np.bincount(self.users, minlength=self.num_users)
        self.offsets = np.concatenate(([0], np.cumsum(self.degrees)))
        self.test = [[] for _ in range(self.num_users)]
        for user, item in zip(*test):
            self.test[user].append(item)

    def edges(self):
        """Rows, columns and values of D^-1/2 A D^-1/2 over users and items, sorted by row."""
        rows = np.concatenate((self.users, self.items + self.num_users))
        columns = np.concatenate((self.items + self.num_users, self.users))
        order = np.lexsort((columns, rows))
        rows, columns = rows[order], columns[order]
        degrees = np.bincount(rows, minlength=self.num_nodes).astype(np.float64)
        scales = np.where(degrees > 0, 1.0 / np.sqrt(np.maximum(degrees, 1)), 0.0)
        return rows, columns, (scales[rows] * scales[columns]).astype(np.float32)

    def shuffle(self, rng):
        """Every training pair once, in a random order."""
        order = rng.permutation(self.keys.size)
        return tuple(map(torch.from_numpy, (self.users[order], self.items[order])))

    def sample(self, rng):
        """|train| triplets: a uniform user, a uniform positive, a uniform unobserved item."""
        participants = np.flatnonzero((self.degrees > 0) & (self.degrees < self.num_items))
        users = rng.choice(participants, size=self.keys.size)
        places = (rng.random(users.size) * self.degrees[users]).astype(np.int64)
        positives = self.items[self.offsets[users] + places]
        negatives = rng.integers(self.num_items, size=users.size)
        while True:
            wanted = users * self.num_items + negatives
            found = np.searchsorted(self.keys, wanted)
            observed = self.keys[np.minimum(found, self.keys.size - 1)] == wanted
            if not observed.any():
                return tuple(map(torch.from_numpy, (users, positives, negatives)))
            negatives[observed] = rng.integers(self.num_items, size=int(observed.sum()))


class SymmetricProduct(torch.autograd.Function):
    """matrix @ x, the gradient by the same product."""

    @staticmethod
    def forward(ctx, matrix, x):
        ctx.matrix = matrix
        return matrix @ x

    @staticmethod
    def backward(ctx, gradient):
        return None, ctx.matrix @ gradient.contiguous()


def make_product(data, name, device):
    """A function that multiplies the normalised adjacency with a matrix on the device."""
    edges = data.edges()
    rows, columns, values = (torch.from_numpy(part).to(device) for part in edges)
    shape = (data.num_nodes, data.num_nodes)
    if name == "pyg":
        from torch_geometric.nn import LGConv

        convolution = LGConv(normalize=False)
        towards = torch.stack((columns, rows))  # from a neighbour to the row that sums
        return lambda x: convolution(x, towards, values)
    if name == "csr":
        offsets = np.concatenate(([0], np.cumsum(np.bincount(edges[0], minlength=data.num_nodes))))
        offsets = torch.from_numpy(offsets).to(device)
        matrix = torch.sparse_csr_tensor(offsets, columns, values, shape)
        return lambda x: SymmetricProduct.apply(matrix, x)
    matrix = torch.sparse_coo_tensor(torch.stack((rows, columns)), values, shape).coalesce()
    return lambda x: torch.sparse.mm(matrix, x)


class LightGcn(torch.nn.Module):
    def __init__(self, data, product, args):
        super().__init__()
        self.product = product
        self.sizes = (data.num_users, data.num_items)
        self.layers = args.layers
        self.softmax = args.loss == "softmax"
        self.temperature = args.temperature
        self.negative_weight = args.negative_weight
        self.users, self.items = (torch.nn.Parameter(self.start(rows, args)) for rows in self.sizes)

    def start(self, rows, args):
        if self.softmax:
            return torch.nn.init.xavier_uniform_(torch.empty(rows, args.width))
        return torch.randn(rows, args.width) * args.init_std

    def embed(self):
        layer = torch.cat((self.users, self.items))
        layers = [layer]
        for _ in range(self.layers):
            layer = self.product(layer)
            layers.append(layer)
        return torch.split(torch.stack(layers, dim=1).mean(dim=1), self.sizes)

    def loss(self, ids, l2):
        return self.softmax_loss(*ids, l2) if self.softmax else self.bpr_loss(*ids, l2)

    def softmax_loss(self, users, positives, l2):
        user_table, item_table = self.embed()
        u = torch.nn.functional.normalize(user_table[users], dim=1)
        p = torch.nn.functional.normalize(item_table[positives], dim=1)
        logits = u @ p.T / self.temperature
        positive = logits.diagonal()
        others = logits.masked_fill(torch.eye(users.numel(), dtype=torch.bool, device=u.device), -math.inf)
        loss = (self.negative_weight * others.logsumexp(dim=1) - positive).mean()
        rows = (self.users[users], self.items[positives])
        return loss + l2 / (2 * users.numel()) * sum(row.square().sum() for row in rows)

    def bpr_loss(self, users, positives, negatives, l2):
        user_table, item_table = self.embed()
        u, p, n = user_table[users], item_table[positives], item_table[negatives]
        bpr = torch.nn.functional.softplus((u * n).sum(dim=1) - (u * p).sum(dim=1)).mean()
        rows = (self.users[users], self.items[positives], self.items[negatives])
        return bpr + l2 / (2 * users.numel()) * sum(row.square().sum() for row in rows)


def train_step(model, optimizer, triplets, l2):
    loss = model.loss(triplets, l2)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def wait_for(device):
    """Waits for a GPU, which may only have queued the work so far."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@torch.no_grad()
def evaluate(model, data, k, block=1024):
    """Recall@k and NDCG@k over users with test items, all items ranked but the training items."""
    model.eval()
    user_table, item_table = model.embed()
    model.train()
    discounts = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.cumsum(discounts)
    tested = [user for user in range(data.num_users) if data.test[user]]
    recall = ndcg = 0.0
    for start in range(0, len(tested), block):
        users = tested[start : start + block]
        scores = user_table[users] @ item_table.T
        for row, user in enumerate(users):
            scores[row, data.items[data.offsets[user] : data.offsets[user + 1]]] = -math.inf
        ranked = torch.topk(scores, k).indices.cpu().numpy()
        for row, user in enumerate(users):
            hits = np.isin(ranked[row], data.test[user])
            wanted = len(set(data.test[user]))
            recall += hits.sum() / wanted
            ndcg += (hits * discounts).sum() / ideal[min(k, wanted) - 1]
    return recall / len(tested), ndcg / len(tested)


def show(**values):
    print(json.dumps(values), flush=True)


def batches(data, rng, args):
    """The triplets of an epoch, or its pairs, batch by batch, on the device."""
    drawn = data.shuffle(rng) if args.loss == "softmax" else data.sample(rng)
    triplets = [ids.to(args.device).split(args.batch_size) for ids in drawn]
    return list(zip(*triplets))


def time_steps(model, optimizer, data, args):
    """Each step from begin to end, then as many in a row without waiting between them."""
    steps = batches(data, np.random.default_rng(args.seed), args)[: args.warmup + args.steps]
    losses, seconds = [], []
    for step in steps:
        wait_for(args.device)
        start = time.perf_counter()
        losses.append(train_step(model, optimizer, step, args.l2).item())
        wait_for(args.device)
        seconds.append(time.perf_counter() - start)
    timed = sorted(seconds[args.warmup :])
    if not timed:
        sys.exit(f"lightgcn_torch: an epoch has only {len(steps)} steps; lower --warmup")
    start = time.perf_counter()
    for step in steps[args.warmup :]:
        train_step(model, optimizer, step, args.l2)
    wait_for(args.device)
    in_a_row = (time.perf_counter() - start) / len(timed)
    show(milliseconds_per_step=1e3 * sum(timed) / len(timed), fastest=1e3 * timed[0],
         slowest=1e3 * timed[-1], milliseconds_in_a_row=1e3 * in_a_row, steps=len(timed),
         first_loss=losses[0], last_loss=losses[-1])


def train(model, optimizer, data, args):
    rng = np.random.default_rng(args.seed)
    for epoch in range(1, args.epochs + 1):
        start = time.perf_counter()
        losses = [train_step(model, optimizer, step, args.l2).item()
                  for step in batches(data, rng, args)]
        seconds = time.perf_counter() - start
        record = dict(epoch=epoch, loss=sum(losses) / len(losses), seconds=seconds)
        if epoch % args.evaluate_every == 0 or epoch == args.epochs:
            recall, ndcg = evaluate(model, data, 20)
            record.update({"recall@20": recall, "ndcg@20": ndcg})
        show(**record)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=pathlib.Path, help="directory with train.txt and test.txt")
    parser.add_argument("--epochs", type=int, default=0, help="train and evaluate; 0: time steps")
    parser.add_argument("--evaluate-every", type=int, default=1, metavar="EPOCHS")
    parser.add_argument("--steps", type=int, default=10, help="steps that are timed")
    parser.add_argument("--warmup", type=int, default=2, help="untimed steps before those")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=2048)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--l2", type=float, default=1e-4)
    parser.add_argument("--init-std", type=float, default=0.1)
    parser.add_argument("--loss", choices=("bpr", "softmax"), default="bpr")
    parser.add_argument("--temperature", type=float, default=0.12, help="of softmax")
    parser.add_argument("--negative-weight", type=float, default=1.0,
                        help="softmax: 1 is SL, less is BSL (0.84)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", type=torch.device, default="cpu", help="cpu (default), cuda, cuda:N")
    parser.add_argument("--product", choices=("coo", "csr", "pyg"), default="coo",
                        help="how the adjacency is multiplied (default: coo)")
    return parser.parse_args()


def main():
    args = parse_arguments()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    data = Data(args.data)
    start = time.perf_counter()
    product = make_product(data, args.product, args.device)
    model = LightGcn(data, product, args).to(args.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=args.learning_rate)
    show(torch=torch.__version__, device=str(args.device), product=args.product,
         threads=torch.get_num_threads(), users=data.num_users, items=data.num_items,
         interactions=int(data.keys.size),
         build_seconds=time.perf_counter() - start)
    (train if args.epochs else time_steps)(model, optimizer, data, args)


if __name__ == "__main__":
    main()
