#!/usr/bin/env python3
"""Predicts what a propagation gathers from the L2, if each multiprocessor has an L1 of a given size.

A neighbour costs its row of x and its scale, 4 bytes of a sector of 32. Both may be found in the L1. This
replays the gathers of a whole propagation, in the order of cuda/ops/propagate.cu, in caches of lines of
128 bytes that drop the line used longest ago, and prints the shares that are found and the bytes that
the L2 must deliver for an edge: with rows kept in the L1, and with rows that pass it by (no_allocate), so
that it keeps scales alone. Nothing here has been measured on a GPU. Blocks go to multiprocessors in turn,
four at a time, and their groups take turns in lockstep.
Standard library only.
"""

import argparse
import collections
import dataclasses
import pathlib

import step_model

LINE, SECTOR, SCALE = 128, 32, 4
EVERY_SECTOR = (1 << LINE // SECTOR) - 1


class Cache:
    """Lines by name, each with the sectors that it holds."""

    def __init__(self, kibibytes):
        self.lines = collections.OrderedDict()
        self.capacity = kibibytes * 1024 // LINE

    def find(self, line, sectors, keep=True):
        """Whether the sectors of a line are there; if not and `keep`, they are from now on."""
        held = self.lines.get(line, 0)
        if held & sectors == sectors:
            self.lines.move_to_end(line)
            return True
        if keep:
            self.lines[line] = held | sectors
            self.lines.move_to_end(line)
            if len(self.lines) > self.capacity:
                self.lines.popitem(last=False)
        return False


@dataclasses.dataclass
class Gathers:
    """Of a propagation: edges, scales and rows that were found in an L1, bytes of a row."""

    row_bytes: int
    edges: int = 0
    scales: int = 0
    rows: float = 0.0

    @property
    def bytes_of_edge(self):
        missing = self.edges - self.rows, self.edges - self.scales
        return (missing[0] * self.row_bytes + missing[1] * SECTOR) / max(1, self.edges)


def read_rows(path):
    """Neighbours of users and of items, ascending, from train.txt."""
    users, items = {}, {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip():
            continue
        user, *row = map(int, line.split())
        users[user] = sorted(row)
        for item in row:
            items.setdefault(item, []).append(user)
    return [[sorted(of.get(i, [])) for i in range(max(of, default=-1) + 1)] for of in (users, items)]


def groups_of(rows):
    """The neighbours of each group: segments, then short rows, the longest first."""
    segments = []
    for row in rows:
        begin = 0
        for size in step_model.segments_of(len(row)):
            segments.append(row[begin:begin + size])
            begin += size
    short = [row for row in rows if len(row) <= 64]
    return sorted(segments, key=len, reverse=True) + sorted(short, key=len, reverse=True)


def read_turns(groups, loop, cache, keep_rows, found):
    """The gathers of groups that run at the same time: scales of a step, then rows turn by turn."""
    lines = found.row_bytes // LINE
    for step in range(0, max(map(len, groups), default=0), loop.lanes):
        for group in groups:
            for node in group[step:step + loop.lanes]:
                line, byte = divmod(node * SCALE, LINE)
                found.edges += 1
                found.scales += cache.find(("scales", line), 1 << byte // SECTOR)
        for turn in range(step, step + loop.lanes, step_model.AT_ONCE):
            for group in groups:
                for node in group[turn:turn + step_model.AT_ONCE]:
                    for line in range(node * lines, (node + 1) * lines):
                        found.rows += cache.find(("rows", line), EVERY_SECTOR, keep_rows) / lines


def propagation(rows, loop, kibibytes, multiprocessors, keep_rows):
    """What one propagation to these rows finds in the caches, which are empty before."""
    found = Gathers(loop.element * step_model.WIDTH)
    groups, size = groups_of(rows), loop.groups_of_block
    blocks = [groups[begin:begin + size] for begin in range(0, len(groups), size)]
    for place in range(multiprocessors):
        cache, own = Cache(kibibytes), blocks[place::multiprocessors]
        for begin in range(0, len(own), step_model.BLOCKS_OF_MULTIPROCESSOR):
            together = own[begin:begin + step_model.BLOCKS_OF_MULTIPROCESSOR]
            read_turns(sum(together, []), loop, cache, keep_rows, found)
    return found


def main(words=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=pathlib.Path, help="a directory with train.txt")
    parser.add_argument("--l1-size", type=int, default=224, help="KiB (default: %(default)s, of an H200's 256)")
    parser.add_argument("--multiprocessors", type=int, default=step_model.Gpu.multiprocessors)
    options = parser.parse_args(words)
    sides = read_rows(options.data / "train.txt")
    print(f"{'propagation':<24} {'scales found':>12} {'rows found':>10} {'bytes an edge':>13}")
    for name, loop in (("f32", step_model.NOW), ("bf16", step_model.BF16)):
        for kept in (True, False):
            for side, to in enumerate(("users", "items")):
                found = propagation(sides[side], loop, options.l1_size, options.multiprocessors, kept)
                edges = max(1, found.edges)
                text = f"{name} to {to}" + ("" if kept else ", no rows")
                print(f"{text:<24} {found.scales / edges:>12.3f} {found.rows / edges:>10.3f} "
                      f"{found.bytes_of_edge:>13.1f}")


if __name__ == "__main__":
    main()
