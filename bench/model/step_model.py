#!/usr/bin/env python3
"""Predicts the kernels of one LightGCN training step on a GPU that is described by six numbers.

Reads a graph (train.txt: a user and its items a line) or makes one whose degrees fall like a power of
the rank, and prints for every kernel the bytes that it must move, the turns of propagate's groups, how
many of them are waste, and microseconds. Nothing here has been measured on a GPU: all are predictions,
for comparing two mappings of the same work and for finding what limits a step.

A kernel takes the longest of three times, and a launch:
  bytes     what is gathered at the L2's speed, as far as the table fits there, else at the HBM's, and
            what is streamed at the HBM's: one after the other, or with --overlap at the same time
  issue     instructions of all warps, at four a clock and multiprocessor
  waiting   blocks in the order of the grid on the first free place of a multiprocessor; a block lasts
            as long as its longest warp: a wait for offsets, ids and scales, and those of its turns
Standard library only.
"""

import argparse
import dataclasses
import heapq
import itertools
import math
import pathlib
import random

MIB = 2**20
# cuda/ops/propagate.hpp, propagate_neighbours.cuh
AT_ONCE, WARP, BLOCK = 4, 32, 256
BLOCKS_OF_MULTIPROCESSOR = 4
WIDTH = 64  # of the embeddings that the lanes of the loops below are for


@dataclasses.dataclass
class Gpu:
    """Defaults: an H200. Bandwidths in GB/s, sizes in MiB, latency of a gather in µs, clock in GHz."""

    hbm: float = 4300.0
    l2: float = 9700.0
    l2_size: float = 44.0
    latency: float = 0.3
    multiprocessors: int = 132
    clock: float = 1.98
    overlap: bool = False  # while some warps gather from the L2, others stream rows to and from the HBM
    launch = 1.5  # µs from one kernel of a recorded step to the next: an assumption

    def fetched(self, missed):
        """The bytes that the HBM reads for gathers that miss the L2."""
        return missed

    def bytes_us(self, gathers, streamed):
        """Microseconds for gathering (bytes in all, bytes of the table they are from), and for streaming.
        With overlap, the slower of the L2, which all bytes pass, and of the HBM."""
        size = sum(gathered for gathered, _ in gathers)
        missed = sum(gathered * max(0.0, 1 - self.l2_size * MIB / max(table, 1))
                     for gathered, table in gathers)
        from_hbm = (self.fetched(missed) + streamed) / self.hbm
        if self.overlap:
            return max((size + streamed) / self.l2, from_hbm) / 1e3
        return ((size - missed) / self.l2 + from_hbm) / 1e3

    def issue_us(self, instructions):
        return instructions / (4 * self.multiprocessors * self.clock * 1e3)


@dataclasses.dataclass
class Loop:
    """An inner loop of propagate: instructions of a warp a turn of four neighbours, waits for memory a
    turn, waits for the marks of a step of as many neighbours as a group has lanes, these lanes, and bytes
    of an element that is gathered."""

    instructions: int
    waits: float
    mark_waits: float
    lanes: int = 16
    element: int = 4

    def of_width(self, width):
        """The same for rows of another width: a lane has as many bytes."""
        return dataclasses.replace(self, lanes=max(1, self.lanes * width // WIDTH))

    @property
    def groups_of_warp(self):
        return WARP // self.lanes

    @property
    def groups_of_block(self):
        return BLOCK // self.lanes


@dataclasses.dataclass
class Mapping:
    name: str
    loop: Loop
    cut: object  # from degrees and the wanted rows to neighbours a group, in launch order
    longest: int  # neighbours of a row that are summed without partial sums


@dataclasses.dataclass
class Work:
    """Turns of the groups of a launch. ideal: if no group waited for another of its warp."""

    ideal: int = 0
    lockstep: int = 0
    blocks: list = dataclasses.field(default_factory=list)  # waits of the longest warp

    @property
    def waste(self):
        return self.lockstep / max(1, self.ideal)

    def __add__(self, other):
        return Work(self.ideal + other.ideal, self.lockstep + other.lockstep, self.blocks + other.blocks)


# --- Graphs ------------------------------------------------------------------------------------


def read_degrees(path):
    """Degrees of users and of items, by id, from train.txt."""
    users, items = {}, {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip():
            continue
        user, *row = map(int, line.split())
        users[user] = len(row)
        for item in row:
            items[item] = items.get(item, 0) + 1
    return [[of.get(i, 0) for i in range(max(of, default=-1) + 1)] for of in (users, items)]


def power_law_degrees(nodes, edges, most, generator):
    """Degrees that fall like rank^(-2/3), at most `most`, in random order."""
    degrees, before = [], 0
    for rank in range(1, nodes + 1):
        until = round(edges * (rank / nodes) ** (1 / 3))
        degrees.append(min(until - before, most))
        before = until
    generator.shuffle(degrees)
    return degrees


# --- How rows become the work of groups -----------------------------------------------------------


def by_rows(degrees, rows):
    """A group a row, in order; a block for each 2048 neighbours of a row of more than 256."""
    wanted, groups = set(rows), []
    for row, degree in enumerate(degrees):
        for begin in range(0, degree if degree > 256 else 0, 2048):
            size = min(2048, degree - begin) if row in wanted else 0
            share = -(-size // BEFORE.groups_of_block)
            groups += [min(share, max(0, size - i * share)) for i in range(BEFORE.groups_of_block)]
    return groups + [degrees[row] if degrees[row] <= 256 else 0 for row in rows]


def segments_of(degree):
    """The neighbours of each segment of a row of more than 64: 64, or the root of more than 64²."""
    size = max(64, math.isqrt(max(degree, 1) - 1) + 1)
    return [min(size, degree - begin) for begin in range(0, degree, size)] if degree > 64 else []


def segment_groups(degrees, rows):
    """A group a segment of a row of more than 64 neighbours, the longest first."""
    wanted, segments = set(rows), []
    for row, degree in enumerate(degrees):
        segments += [(size, row in wanted) for size in segments_of(degree)]
    segments.sort(key=lambda segment: -segment[0])
    return [size if there else 0 for size, there in segments]


def row_groups(degrees, rows):
    """A group a row of at most 64 neighbours, the longest first; rows of a set in its order."""
    if len(rows) == len(degrees):
        return sorted((degree for degree in degrees if degree <= 64), reverse=True)
    return [degrees[row] if degrees[row] <= 64 else 0 for row in rows]


def by_items(degrees, rows):
    """Segments, then rows."""
    return segment_groups(degrees, rows) + row_groups(degrees, rows)


def in_whole_blocks(groups, loop):
    return groups + [0] * (-len(groups) % loop.groups_of_block)


def turns_of(size):
    return -(-size // AT_ONCE)


def every_neighbour(groups, loop):
    """The work of a launch that adds all neighbours."""
    work = Work(ideal=sum(map(turns_of, groups)))
    of_warp, of_block = loop.groups_of_warp, loop.groups_of_block
    for begin in range(0, len(groups), of_block):
        block = groups[begin:begin + of_block]
        warps = [turns_of(max(block[i:i + of_warp])) for i in range(0, len(block), of_warp)]
        work.lockstep += of_warp * sum(warps)
        work.blocks.append(loop.waits * max(warps))
    return work


def marked_neighbours(groups, loop, share, generator):
    """The work of a launch that adds a neighbour with the probability `share`."""
    chances = [1.0]
    for _ in range(loop.lanes):
        chances = [a * (1 - share) + b * share for a, b in zip(chances + [0.0], [0.0] + chances)]
    chances = list(itertools.accumulate(chances))
    work = Work()

    def turns(left):
        if left < loop.lanes:
            return turns_of(sum(generator.random() < share for _ in range(left)))
        return turns_of(generator.choices(range(loop.lanes + 1), cum_weights=chances)[0])

    of_warp, of_block = loop.groups_of_warp, loop.groups_of_block
    for begin in range(0, len(groups), of_block):
        block, longest = groups[begin:begin + of_block], 0.0
        for i in range(0, len(block), of_warp):
            warp, waits = block[i:i + of_warp], 0.0
            for step in range(0, max(warp), loop.lanes):
                own = [turns(size - step) if size > step else 0 for size in warp]
                work.ideal += sum(own)
                work.lockstep += of_warp * max(own)
                waits += loop.mark_waits + loop.waits * max(own)
            longest = max(longest, waits)
        work.blocks.append(longest)
    return work


# --- Microseconds --------------------------------------------------------------------------------


def waiting_us(gpu, blocks):
    """Blocks in order, each on the place that is free first."""
    places = [0.0] * (gpu.multiprocessors * BLOCKS_OF_MULTIPROCESSOR)
    end = 0.0
    for waits in blocks:
        done = heapq.heappop(places) + (3 + waits) * gpu.latency
        end = max(end, done)
        heapq.heappush(places, done)
    return end


def propagation_us(gpu, loop, work, gathers, streamed):
    return gpu.launch + max(gpu.bytes_us(gathers, streamed),
                            gpu.issue_us(work.lockstep / loop.groups_of_warp * loop.instructions),
                            waiting_us(gpu, work.blocks))


def plain_us(gpu, launches, size, flops=0.0):
    """A kernel that streams, or computes at two flops a lane and clock."""
    compute = flops / (gpu.multiprocessors * 256 * gpu.clock * 1e3)
    return launches * (gpu.launch + 2 * gpu.latency) + max(size / gpu.hbm / 1e3, compute)


BEFORE = Loop(instructions=102, waits=2.0, mark_waits=2.0)
NOW = Loop(instructions=44, waits=1.0, mark_waits=1.0)
SHARED = Loop(instructions=48, waits=1.0, mark_waits=1.0)
BF16 = Loop(instructions=88, waits=1.0, mark_waits=1.0, lanes=8, element=2)
SHARED_BF16 = Loop(instructions=88, waits=1.0, mark_waits=1.0, lanes=8, element=2)
MAPPINGS = (Mapping("before", BEFORE, by_rows, 2048), Mapping("loop", NOW, by_rows, 2048),
            Mapping("items", NOW, by_items, 64), Mapping("bf16", BF16, by_items, 64))
TOGETHER = {"together": SHARED, "bf16 together": SHARED_BF16}
APART = [mapping.name for mapping in MAPPINGS]
NAMES = [*APART, *TOGETHER]
HALVED = ("bf16", "bf16 together")


@dataclasses.dataclass
class Figures:
    """Of one kernel: launches, turns of its groups, waste, microseconds."""

    nodes: int
    turns: int
    waste: float
    us: float


def loop_of_marked(name, loop):
    """The gradient of a loss, at the batch's rows, has no copy."""
    return {"bf16": NOW, "bf16 together": SHARED}.get(name, loop)


class Step:
    """The kernels of a step: [(name, times, bytes in f32, {name of a mapping: Figures})]."""

    def __init__(self, gpu, degrees, options):
        self.gpu, self.degrees, self.width = gpu, degrees, options.width
        self.copied = 2 * self.width  # bytes written beside a row that has a bf16 copy
        self.edges = sum(degrees[0])
        self.generator = random.Random(options.seed)
        users, items = (range(len(of)) for of in degrees)
        drawn = self.generator.choices(users, k=options.batch)
        chosen = self.generator.choices(items, weights=degrees[1], k=options.batch)
        if options.loss == "bpr":
            chosen += self.generator.choices(items, k=options.batch)
        self.batch = [sorted(set(drawn)), sorted(set(chosen))]
        self.kernels = []
        self.fill(options)

    def share(self, side):
        """The part of a side's edges whose other end is in the batch."""
        source = self.degrees[1 - side]
        return sum(source[row] for row in self.batch[1 - side]) / max(1, self.edges)

    def edge_bytes(self, loop):
        """Gathered for a neighbour: its row and its scale."""
        return loop.element * self.width + 4

    def traffic(self, side, rows, marked, loop, copied):
        """Bytes gathered and those of the table, and bytes streamed, by one direction. copied: bytes
        written beside a row."""
        degrees, row_bytes = self.degrees[side], 4 * self.width
        edges = sum(degrees[row] for row in rows)
        gathered = edges * (self.share(side) if marked else 1.0) * self.edge_bytes(loop)
        streamed = edges * (5 if marked else 4) + len(rows) * (20 + 2 * row_bytes + copied)
        table = len(self.degrees[1 - side]) * loop.element * self.width
        return (gathered, table), streamed

    def partial_bytes(self, side, rows):
        """Partial sums of rows of more than 64 neighbours, written and joined."""
        return 8 * self.width * sum(len(segments_of(self.degrees[side][row])) for row in rows)

    def work(self, groups, loop, side, marked):
        if marked:
            return marked_neighbours(groups, loop, self.share(side), self.generator)
        return every_neighbour(groups, loop)

    def one_way(self, name, times, side, batch=False, marked=False):
        """To the rows of a side, or those in the batch; from all rows of the other, or those in the batch."""
        degrees = self.degrees[side]
        rows = self.batch[side] if batch else range(len(degrees))
        figures, moved = {}, []
        for mapping in MAPPINGS:
            loop = loop_of_marked(mapping.name, mapping.loop) if marked else mapping.loop
            loop = loop.of_width(self.width)
            copied = self.copied if mapping.name in HALVED else 0
            gather, streamed = self.traffic(side, rows, marked, loop, copied)
            moved.append(gather[0] + streamed)
            work = self.work(mapping.cut(degrees, rows), loop, side, marked)
            us = propagation_us(self.gpu, loop, work, [gather], streamed)
            joins = any(degree > mapping.longest for degree in degrees)
            if mapping.cut is by_items and joins:
                us += plain_us(self.gpu, 1, self.partial_bytes(side, rows))
            figures[mapping.name] = Figures(2 if joins else 1, work.ideal, work.waste, us)
        self.kernels.append((name, times, moved[0], figures))

    def both_ways(self, name, times, batch=False, marked=False, adam=False):
        """Both directions in a launch: segments of both, then rows of both. Blocks start in this order, so
        that nearly all of them gather from one table at a time. With adam: it updates both tables, too."""
        figures, moved = {}, []
        for mapping, loop in TOGETHER.items():
            loop = (loop_of_marked(mapping, loop) if marked else loop).of_width(self.width)
            copied = self.copied if mapping in HALVED else 0
            gathers, streamed, work = [], 0, Work()
            for groups in (segment_groups, row_groups):
                for side, degrees in enumerate(self.degrees):
                    rows = self.batch[side] if batch else range(len(degrees))
                    work += self.work(in_whole_blocks(groups(degrees, rows), loop), loop, side, marked)
            for side, degrees in enumerate(self.degrees):
                rows = self.batch[side] if batch else range(len(degrees))
                gather, written = self.traffic(side, rows, marked, loop, copied)
                gathers.append(gather)
                streamed += written + self.partial_bytes(side, rows)
                streamed += (24 * self.width + copied) * len(rows) if adam else 0
            moved.append(sum(gathered for gathered, _ in gathers) + streamed)
            us = propagation_us(self.gpu, loop, work, gathers, streamed)
            figures[mapping] = Figures(1, work.ideal, work.waste, us)
        self.kernels.append((name, times, moved[0], figures))

    def plain(self, name, launches, size, flops=0.0, names=NAMES, copied=0):
        """copied: bytes more with bf16."""
        def us_of(mapping):
            return plain_us(self.gpu, launches, size + (copied if mapping in HALVED else 0), flops)

        self.kernels.append((name, 1, size, {of: Figures(launches, 0, 1.0, us_of(of)) for of in names}))

    def fill(self, options):
        layers = options.layers
        for side, to in enumerate(("users", "items")):
            if layers > 1:
                self.one_way(f"propagate to {to}", 2 * (layers - 1), side)
            self.one_way(f"propagate to the batch's {to}", 1, side, batch=True)
            self.one_way(f"propagate from the batch to {to}", 1, side, marked=True)
        if layers > 1:
            self.both_ways("propagate both ways", 2 * (layers - 1) - 1)
            self.both_ways("propagate both ways, and Adam", 1, adam=True)
        self.both_ways("propagate to the batch", 1, batch=True)
        self.both_ways("propagate from the batch" + (", and Adam" if layers == 1 else ""), 1, marked=True,
                       adam=layers == 1)
        row_bytes = 4 * self.width
        rows = sum(map(len, self.batch))
        self.plain("next_batch: leave, enter", 2, 16 * options.batch, names=APART)
        self.plain("next_batch", 1, 16 * options.batch, names=list(TOGETHER))
        self.add_loss(options, rows)
        nodes = sum(map(len, self.degrees))
        self.plain("increment", 1, 8, names=APART)
        self.plain("l2_penalty", 2, 3 * rows * row_bytes, names=APART)
        self.plain("l2_penalty: its loss; increment", 1, 8 * rows, names=list(TOGETHER))
        self.plain("adam", 2, 7 * nodes * row_bytes, names=APART, copied=self.copied * nodes)

    def add_loss(self, options, rows):
        row_bytes = 4 * self.width
        if options.loss == "bpr":
            self.plain("bpr", 2, options.batch * (28 + 7 * row_bytes) + rows * row_bytes)
        else:
            self.plain("in_batch_softmax", 5, 4 * options.batch * row_bytes,
                       6.0 * options.batch**2 * self.width)

    def of(self, name):
        """(times, figures) of the kernels of a mapping."""
        return [(times, figures[name]) for _, times, _, figures in self.kernels if name in figures]

    def total(self, name):
        return sum(times * figures.us for times, figures in self.of(name))

    def nodes(self, name):
        return sum(times * figures.nodes for times, figures in self.of(name))


def print_step(step, options):
    print(f"predicted: LightGCN L {options.layers} {options.loss}, D {options.width}, B {options.batch}, "
          f"{len(step.degrees[0])} users, {len(step.degrees[1])} items, {step.edges} edges")
    columns = "".join(f" | {name + ': turns':>20} {'waste':>5} {'µs':>7}" for name in NAMES)
    print(f"{'kernel':<32} {'times':>5} {'MB':>7}{columns}")

    def cell(figures):
        if figures is None:
            return f" | {'':>20} {'':>5} {'':>7}"
        waste = f"{figures.waste:.2f}" if figures.turns else ""
        return f" | {figures.turns or '':>20} {waste:>5} {figures.us:7.1f}"

    for name, times, size, figures in step.kernels:
        cells = "".join(cell(figures.get(of)) for of in NAMES)
        print(f"{name:<32} {times:>5} {size / 1e6:7.1f}{cells}")
    for text, figure in (("nodes of a recorded step", step.nodes), ("step, predicted µs", step.total)):
        totals = "".join(f" | {'':>20} {'':>5} {round(figure(name), 1):7}" for name in NAMES)
        print(f"{text:<32} {'':>5} {'':>7}{totals}")


def parse_arguments(words=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", nargs="?", type=pathlib.Path, help="a directory with train.txt")
    parser.add_argument("--power-law", nargs=3, type=int, metavar=("USERS", "ITEMS", "EDGES"))
    parser.add_argument("--loss", choices=("bpr", "softmax"), default="bpr")
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--batch", type=int, default=2048)
    parser.add_argument("--width", type=int, default=WIDTH)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hbm", type=float, default=Gpu.hbm, help="bandwidth of the memory, GB/s")
    parser.add_argument("--l2", type=float, default=Gpu.l2, help="bandwidth of the L2, GB/s")
    parser.add_argument("--l2-size", type=float, default=Gpu.l2_size, help="MiB")
    parser.add_argument("--latency", type=float, default=Gpu.latency, help="of a gather, microseconds")
    parser.add_argument("--multiprocessors", type=int, default=Gpu.multiprocessors)
    parser.add_argument("--clock", type=float, default=Gpu.clock, help="GHz")
    parser.add_argument("--overlap", action="store_true",
                        help="gathers from the L2 and rows streamed from the memory at the same time")
    options = parser.parse_args(words)
    if (options.data is None) == (options.power_law is None):
        parser.error("give a directory with train.txt, or --power-law")
    return options


def main(words=None):
    options = parse_arguments(words)
    if options.data is not None:
        degrees = read_degrees(options.data / "train.txt")
    else:
        generator = random.Random(options.seed)
        users, items, edges = options.power_law
        degrees = [power_law_degrees(users, edges, items, generator),
                   power_law_degrees(items, edges, users, generator)]
    gpu = Gpu(*(getattr(options, field.name) for field in dataclasses.fields(Gpu)))
    print_step(Step(gpu, degrees, options), options)


if __name__ == "__main__":
    main()
