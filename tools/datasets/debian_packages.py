#!/usr/bin/env python3
"""Make the Debian package graph: dependencies of packages as interactions.

Reads the package lists of a Debian machine (`apt-cache dumpavail`, or the same text from a file)
and writes a bipartite graph with features:

  user   a package
  item   a package, real or virtual, that it Depends on, Pre-Depends, Recommends or Suggests

A package that is both is two nodes. The graph is cut to its k-core: the largest part in which every
user and every item has at least k edges. The output depends on the set of packages alone, not on
their order: the same lists give the same bytes (with the same release of zstd).

  interactions.tsv.zst     user, item: one edge a line, sorted
  user_features.tsv.zst    user, log_installed_size, section, priority, tags; one user a line,
                           sorted; log_installed_size = ln(1 + KiB), tags separated by '|',
                           fields that a package does not state are empty
  item_features.tsv.zst    the same with item; a virtual package has only a name

Exit codes: 0 done, 1 failed, 2 usage, 65 bad input data.
"""

import argparse
import io
import math
import os
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from debian_control import DataError, Package, read_packages

# Only the lists are read: with the status file, an installed package from elsewhere (a backport,
# another vendor's build) would replace Debian's record of that name. The machine's caches, which
# depend on its status file, are not used.
DUMPAVAIL = (
    "apt-cache -o Dir::State::status=/dev/null -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= "
    "dumpavail"
).split()

EXIT_FAILED = 1
EXIT_BAD_DATA = 65


class ToolError(Exception):
    """A program this script calls is missing or failed."""


@dataclass
class Graph:
    edges: set  # of (user, item)
    packages: dict  # name -> Package, all that were read
    read_edges: int = 0  # before the core was taken
    tags: set = field(default_factory=set)  # tags common enough to be a feature


# The graph ----------------------


def dependency_edges(packages):
    """All (package, needed) such that another package has, or any package provides, the name needed."""
    known = set(packages).union(*(package.provides for package in packages.values()))
    return {
        (package.name, needed)
        for package in packages.values()
        for needed in package.relations
        if needed in known and needed != package.name
    }


def take_core(edges, core):
    """The largest (unique) subset in which every user and every item has at least `core` edges."""
    items_of, users_of = defaultdict(set), defaultdict(set)
    for user, item in edges:
        items_of[user].add(item)
        users_of[item].add(user)
    weak = [(items_of, users_of, user) for user, items in items_of.items() if len(items) < core]
    weak += [(users_of, items_of, item) for item, users in users_of.items() if len(users) < core]
    while weak:
        side, other, node = weak.pop()
        for neighbour in side.pop(node, ()):
            other[neighbour].discard(node)
            if len(other[neighbour]) == core - 1:  # falls below the core now; true only once
                weak.append((other, side, neighbour))
    return {(user, item) for user, items in items_of.items() for item in items}


def common_tags(names, packages, minimum):
    """The tags that at least `minimum` of the named packages carry; bounds the one-hot width."""
    counts = Counter(tag for name in names if name in packages for tag in packages[name].tags)
    return {tag for tag, count in counts.items() if count >= minimum}


def make_graph(packages, core, min_tag_count):
    edges = dependency_edges(packages)
    graph = Graph(edges=take_core(edges, core), packages=packages, read_edges=len(edges))
    nodes = {name for edge in graph.edges for name in edge}
    graph.tags = common_tags(nodes, packages, min_tag_count)
    return graph


# Writing ------------------------


def interaction_lines(graph):
    yield "user\titem"
    for user, item in sorted(graph.edges):
        yield f"{user}\t{item}"


def feature_lines(graph, side):
    """side: 'user' or 'item', also the name of the key column."""
    yield f"{side}\tlog_installed_size\tsection\tpriority\ttags"
    for name in sorted({edge[side == "item"] for edge in graph.edges}):
        package = graph.packages.get(name)
        if package is None:  # virtual
            yield f"{name}\t\t\t\t"
            continue
        size = "" if package.installed_size is None else f"{math.log1p(package.installed_size):.4f}"
        yield "\t".join(
            (
                name,
                size,
                package.section,
                package.priority,
                "|".join(sorted(package.tags & graph.tags)),
            )
        )


def write_zstd(path, lines, level):
    """Compresses beside the target, then renames: no half-written file gets the final name."""
    beside = path.with_name(path.name + ".part")
    try:
        with open(beside, "wb") as out:
            # One thread: the bytes must not depend on the number of cores.
            result = subprocess.run(
                ["zstd", "-q", "-c", "--single-thread", f"-{level}"],
                input="".join(line + "\n" for line in lines).encode(),
                stdout=out,
                stderr=subprocess.PIPE,
                check=False,
            )
            if result.returncode != 0:
                raise ToolError(f"zstd failed: {result.stderr.decode(errors='replace').strip()}")
            out.flush()
            os.fsync(out.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def degree_summary(name, degrees):
    ordered = sorted(degrees)
    return (
        f"  {name} degree: min {ordered[0]}, median {ordered[len(ordered) // 2]}, "
        f"mean {sum(ordered) / len(ordered):.2f}, max {ordered[-1]}"
    )


def summary(graph, paragraphs, core):
    users, items = Counter(user for user, _ in graph.edges), Counter(
        item for _, item in graph.edges
    )
    hub, hub_degree = min(items.items(), key=lambda entry: (-entry[1], entry[0]))
    virtual = sum(item not in graph.packages for item in items)
    nodes = set(users) | set(items)
    real = [graph.packages[name] for name in nodes if name in graph.packages]
    tagged = sum(bool(package.tags & graph.tags) for package in real)
    return "\n".join(
        (
            f"packages read: {len(graph.packages)} "
            f"({paragraphs - len(graph.packages)} other versions or architectures set aside)",
            f"edges: {graph.read_edges} read, {len(graph.edges)} in the {core}-core",
            f"users: {len(users)}, items: {len(items)} ({virtual} virtual)",
            degree_summary("user", users.values()),
            degree_summary("item", items.values()) + f" ({hub}: {hub_degree})",
            f"features: {len({package.section for package in real} - {''})} sections, "
            f"{len({package.priority for package in real} - {''})} priorities, "
            f"{len(graph.tags)} tags (on {tagged} of {len(real)} packages)",
        )
    )


# The program --------------------


def open_packages(source):
    """Reads a file, stdin ('-'), or, without a source, the output of apt-cache."""
    if source == "-":
        return read_packages(sys.stdin.buffer, "stdin")
    if source is not None:
        with open(source, "rb") as lines:
            return read_packages(lines, source)
    if shutil.which("apt-cache") is None:
        raise ToolError(
            "apt-cache not found: this is not a Debian machine; "
            "save `apt-cache dumpavail` on one and pass --input"
        )
    apt = subprocess.run(DUMPAVAIL, stdout=subprocess.PIPE, check=False)
    if apt.returncode != 0:
        raise ToolError(f"apt-cache dumpavail failed with exit code {apt.returncode}")
    return read_packages(io.BytesIO(apt.stdout), "apt-cache dumpavail")


def positive(text):
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def compression_level(text):
    number = int(text)
    if not 1 <= number <= 19:
        raise ValueError
    return number


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--input",
        metavar="FILE",
        help="text of `apt-cache dumpavail`, '-' for stdin (default: run it, "
        "ignoring installed packages)",
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        type=Path,
        required=True,
        help="directory to write into; created if missing",
    )
    parser.add_argument(
        "--core",
        metavar="N",
        type=positive,
        default=5,
        help="least number of edges of every user and every item (default: %(default)s)",
    )
    parser.add_argument(
        "--min-tag-count",
        metavar="N",
        type=positive,
        default=20,
        help="keep debtags that at least N packages of the graph carry (default: %(default)s)",
    )
    parser.add_argument(
        "--level",
        metavar="N",
        type=compression_level,
        default=19,
        help="zstd compression level, 1 to 19 (default: %(default)s)",
    )
    return parser.parse_args(arguments)


def run(options):
    if shutil.which("zstd") is None:
        raise ToolError(
            "zstd not found: writing the tables needs the zstd command "
            "(Debian: apt-get install zstd)"
        )
    packages, paragraphs = open_packages(options.input)
    graph = make_graph(packages, options.core, options.min_tag_count)
    if not graph.edges:
        raise DataError(
            f"nothing is left in the {options.core}-core of {graph.read_edges} edges "
            f"among {len(packages)} packages; "
            "try a smaller --core"
        )
    options.output.mkdir(parents=True, exist_ok=True)
    for name, lines in (
        ("interactions", interaction_lines(graph)),
        ("user_features", feature_lines(graph, "user")),
        ("item_features", feature_lines(graph, "item")),
    ):
        write_zstd(options.output / f"{name}.tsv.zst", lines, options.level)
    print(summary(graph, paragraphs, options.core))


def main(arguments=None):
    options = parse_arguments(arguments)
    try:
        run(options)
    except DataError as error:
        print(f"debian_packages.py: {error}", file=sys.stderr)
        return EXIT_BAD_DATA
    except (ToolError, OSError) as error:
        print(f"debian_packages.py: {error}", file=sys.stderr)
        return EXIT_FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
