#!/usr/bin/env python3
"""Predicts a training step of several GPUs, each with a part of the columns (host/distributed).

A rank's kernels are those of step_model.py on rows of D/P columns; to them come the kernels that add parts,
and the collectives, each a latency and its bytes. Nothing here has been measured on several GPUs.

Narrow rows cost more a byte, which step_model.py need not count at D 64:
  scales    a neighbour's 4 bytes come as a sector of 32, of which an L1 answers 30%: 22 bytes (README.md);
            in return, an L1 answers 7% of the rows
  fetch     the memory is read in pieces of this size, however short the row

A graph too large for this program is predicted by one that is `--scale` times smaller, with a cache and a batch
that are smaller too: what a kernel takes beside its launch is then multiplied.
Standard library only.
"""

import argparse
import dataclasses
import pathlib
import random

import step_model

NAME = "together"  # the mapping of cuda/ops/propagate.cu


@dataclasses.dataclass
class Link:
    """Between the GPUs of a host. Microseconds and GB/s."""

    # ncclAllReduce in CUDA graphs, 2 H100, up to 64 KB: https://github.com/NVIDIA/nccl/issues/1259
    latency: float = 6.0
    # It grows with the number of GPUs (there too); by how much is an assumption.
    per_rank: float = 1.0
    # NVLink of the fourth generation, one direction: data sheet of the H200
    bandwidth: float = 450.0
    # The program's message between hosts in each step, beside the GPU's work: an assumption
    host: float = 40.0

    def gather_us(self, ranks, received):
        """An all-gather by which a rank receives so many bytes."""
        return self.latency + self.per_rank * (ranks - 2) + received / self.bandwidth / 1e3


@dataclasses.dataclass
class NarrowGpu(step_model.Gpu):
    """Reads from its memory in pieces of `fetch` bytes, though rows have `row` bytes."""

    fetch: int = 64
    row: int = 256

    def fetched(self, missed):
        return missed * max(1.0, self.fetch / self.row)


class RankStep(step_model.Step):
    """A step of one of P ranks. The softmax is that of whole rows on each of them."""

    def __init__(self, gpu, degrees, options, ranks):
        self.whole_width = options.width
        part = argparse.Namespace(**vars(options))
        part.width = options.width // ranks
        super().__init__(dataclasses.replace(gpu, row=4 * part.width), degrees, part)

    def edge_bytes(self, loop):
        return 0.93 * loop.element * self.width + 22

    def one_way(self, *_, **__):
        """No kernel of a recorded step goes one way."""

    def add_loss(self, options, rows):
        part, self.width = self.width, self.whole_width if options.loss == "softmax" else self.width
        super().add_loss(options, rows)
        self.width = part

    def scaled(self, scale):
        """Microseconds, if the graph stands for one that is so many times larger."""
        return sum(times * (figures.nodes * self.gpu.launch
                            + scale * (figures.us - figures.nodes * self.gpu.launch))
                   for times, figures in self.of(NAME))


def exchange_us(link, options, ranks, batch):
    """The collectives of a step and the kernels that add what they bring."""
    if ranks == 1:
        return 0.0
    if options.loss == "bpr":
        received = 4 * batch * (ranks - 1)
    else:  # the rows of a batch's users and items
        received = 2 * batch * 4 * options.width * (ranks - 1) // ranks
    joins = 2 * (step_model.Gpu.launch + 2 * step_model.Gpu.latency)
    return link.gather_us(ranks, received) + link.gather_us(ranks, 8 * (ranks - 1)) + joins


def predictions(gpu, link, degrees, options, batch):
    """{ranks: (µs of a rank's kernels, µs of the exchange)}."""
    found = {}
    for ranks in options.ranks:
        step = RankStep(gpu, degrees, options, ranks)
        found[ranks] = step.scaled(options.scale), exchange_us(link, options, ranks, batch)
    return found


def print_table(found, link, options, sizes):
    users, items, edges = (size * options.scale for size in sizes)
    print(f"predicted: LightGCN L {options.layers} {options.loss}, D {options.width}, {users} users, "
          f"{items} items, {edges} edges")
    print(f"{'ranks':>5} {'kernels µs':>11} {'exchange µs':>12} {'step µs':>9} {'times as fast':>14}")
    alone = sum(found[1]) if 1 in found else None
    for ranks, (kernels, exchange) in found.items():
        step = kernels + exchange if ranks == 1 else max(kernels + exchange, link.host)
        ratio = f"{alone / step:14.2f}" if alone else ""
        print(f"{ranks:>5} {kernels:11.0f} {exchange:12.0f} {step:9.0f} {ratio}")


def parse_arguments(words=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", nargs="?", type=pathlib.Path, help="a directory with train.txt")
    parser.add_argument("--power-law", nargs=3, type=int, metavar=("USERS", "ITEMS", "EDGES"))
    parser.add_argument("--scale", type=int, default=1, help="the graph stands for one as many times larger")
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--loss", choices=("bpr", "softmax"), default="bpr")
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--batch", type=int, default=2048)
    parser.add_argument("--width", type=int, default=step_model.WIDTH)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fetch", type=int, default=NarrowGpu.fetch, help="bytes of a read of the memory")
    for field in dataclasses.fields(Link):
        parser.add_argument("--" + field.name.replace("_", "-"), type=float, default=field.default)
    options = parser.parse_args(words)
    if (options.data is None) == (options.power_law is None):
        parser.error("give a directory with train.txt, or --power-law")
    return options


def main(words=None):
    options = parse_arguments(words)
    if options.data is not None:
        degrees = step_model.read_degrees(options.data / "train.txt")
    else:
        generator = random.Random(options.seed)
        users, items, edges = options.power_law
        degrees = [step_model.power_law_degrees(users, edges, items, generator),
                   step_model.power_law_degrees(items, edges, users, generator)]
    gpu = NarrowGpu(fetch=options.fetch, l2_size=NarrowGpu.l2_size / options.scale)
    link = Link(*(getattr(options, field.name) for field in dataclasses.fields(Link)))
    batch = options.batch
    options.batch = max(1, batch // options.scale)
    found = predictions(gpu, link, degrees, options, batch)
    print_table(found, link, options, (len(degrees[0]), len(degrees[1]), sum(degrees[0])))


if __name__ == "__main__":
    main()
