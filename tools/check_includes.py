#!/usr/bin/env python3
"""Checks that includes between folders go down the list of CONTRIBUTING.md, and never in a circle."""

import collections
import pathlib
import re
import subprocess
import sys

# From the top to the bottom. Folders on one line may include each other's headers as long as no
# circle results.
LEVELS = (
    ("host/cli", "host/python"),
    ("host/report",),
    ("host/serve",),
    ("host/run",),
    ("host/train", "host/gradcheck"),
    ("host/loss",),
    ("host/model",),
    ("host/distributed",),
    ("cuda/ops", "host/cpu", "host/reference"),
    ("cuda",),
    ("cuda/support",),
    ("host/data", "host/config", "host/backend"),
    ("host/support",),
    ("include/tern",),
)
LEVEL = {folder: level for level, folders in enumerate(LEVELS) for folder in folders}
INCLUDE = re.compile(r'^#include "((?:host|cuda|tern)/[^"]+)"', re.MULTILINE)


def folder_edges(root):
    """{(from, to): "file includes header"} over all sources of the product."""
    edges = {}
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "cuda", "host", "include"],
                            cwd=root, check=True, capture_output=True, text=True).stdout
    for file in sorted(listed.split()):
        path = root / file
        if path.suffix not in (".hpp", ".cpp", ".cuh", ".cu") or not path.is_file():
            continue
        for header in INCLUDE.findall(path.read_text()):
            target = "include/" + header if header.startswith("tern/") else header
            here, there = str(pathlib.PurePath(file).parent), str(pathlib.PurePath(target).parent)
            if here != there:
                edges.setdefault((here, there), f"{file} includes {header}")
    return edges


def find_circle(edges):
    """Folders on a circle, or none: folders without an arrow out are removed until none is left."""
    arrows = collections.defaultdict(set)
    for here, there in edges:
        arrows[here].add(there)
    removed = True
    while removed:
        removed = [folder for folder, targets in arrows.items() if not targets & set(arrows)]
        for folder in removed:
            del arrows[folder]
    return sorted(arrows)


def find_findings(edges):
    findings = []
    for (here, there), example in edges.items():
        unknown = [folder for folder in (here, there) if folder not in LEVEL]
        if unknown:
            findings.append(f"{unknown[0]} is no folder of the list in tools/check_includes.py: {example}")
        elif LEVEL[here] > LEVEL[there]:
            findings.append(f"{example}, upwards from {here} to {there}")
    circle = find_circle(edges)
    if circle:
        findings.append("these folders include each other in a circle: " + ", ".join(circle))
    return findings


def main():
    edges = folder_edges(pathlib.Path(__file__).resolve().parent.parent)
    findings = find_findings(edges)
    for finding in findings:
        print(f"check_includes: {finding}", file=sys.stderr)
    if not findings:
        print(f"check_includes: {len(edges)} arrows between folders, all downwards")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
