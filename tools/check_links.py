#!/usr/bin/env python3
"""Checks that documents and comments point at what is there.

Looks at every tracked file, with no network:

- documents (*.md): relative links and their anchors; paths in backticks; configuration keys in
  backticks; commands in code blocks: scripts, subcommands of tern, and their options
- comments in sources: paths of source files
- README.md: at most 150 lines; its C++ example is tests/consumer/example.cpp
- every folder of sources has a README.md
"""

import argparse
import fnmatch
import functools
import pathlib
import posixpath
import re
import subprocess
import sys

README_LINES = 150
SOURCE = "hpp|cpp|cuh|cu|sh|py|cmake|md"
COMMENTED = (".hpp", ".cpp", ".cuh", ".cu", ".h", ".sh", ".py", ".cmake", "CMakeLists.txt",
             ".clang-format", ".clang-tidy")

# History: its paths and keys are those of their time.
HISTORY = {"CHANGELOG.md"}
# What people or programs make; it need not be in the tree.
MADE = ("build/", "runs/", "checkpoints/", ".dependencies/", "../lib", "bench/results/<")
FOREIGN = {"compare.py", "CONTRIBUTING.md", "CHANGELOG.md", "README.md"}  # names without a folder
# Folders of plain files, which the README.md of a folder above describes.
PLAIN = re.compile(r"\.ci$|tests/fuzz/(corpus|dictionaries|regressions)\b|tests/run/fixtures/|"
                   r"tests/simt/include/(cub|thrust)/")

PATH = re.compile(r"(?:[\w./*-]|<\w+>|\{[\w.,]+\})+")
CITED = re.compile(r"(?<![\w/.<>$}-])((?:[\w*-]+/)*(?:[\w*.-]|<\w+>)+\."
                   rf"(?:\{{[\w,]+\}}|(?:{SOURCE})\b))(?![\w/])")
KEY = re.compile(r"(?:data|model|loss|sampling|optimizer|evaluation|train|monitor|checkpoint|log)"
                 r"\.[a-z_0-9]+")


@functools.cache
def root():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=pathlib.Path, metavar="DIR",
                        default=pathlib.Path(__file__).resolve().parent.parent,
                        help="the git checkout to check (default: this one)")
    return parser.parse_args().root


@functools.cache
def tracked():
    """The files of the checkout, without what git ignores."""
    names = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"],
                           cwd=root(), check=True, capture_output=True, text=True).stdout
    return sorted(name for name in names.split("\n") if name and (root() / name).is_file())


@functools.cache
def folders():
    found = set()
    for name in tracked():
        while name := posixpath.dirname(name):
            found.add(name)
    return found


@functools.cache
def text(name):
    return (root() / name).read_text(encoding="utf-8", errors="replace")


@functools.cache
def all_text(pattern):
    """The text of all files whose path matches."""
    return "\n".join(text(name) for name in tracked() if fnmatch.fnmatch(name, pattern))


@functools.cache
def subcommands():
    return set(re.findall(r'add_subcommand\(\s*"([a-z]+)"', all_text("host/cli/*.cpp")))


@functools.cache
def config_keys():
    return set(re.findall(f'"({KEY.pattern})"', all_text("host/config/*")))


def alternatives(path):
    """a.{b,c} is a.b and a.c."""
    braces = re.search(r"\{([^}]*)\}", path)
    if not braces:
        return [path]
    return [rest for part in braces[1].split(",")
            for rest in alternatives(path[:braces.start()] + part + path[braces.end():])]


@functools.cache
def everything():
    return frozenset(tracked()) | folders()


@functools.cache
def base_names():
    return {posixpath.basename(name) for name in tracked()}


def is_there(path, folder):
    """Whether a path names a file or folder of the tree, seen from the root, from a folder, from
    include/, or, without a slash of its own, from anywhere below that folder."""
    path = re.sub(r"<\w+>", "*", path).rstrip("/")
    for base in (folder, "", "include", "tests/simt/include"):
        full = posixpath.normpath(posixpath.join(base, path))
        if full in everything() or full == ".":
            return True
        if "*" in full and any(name.count("/") == full.count("/") and
                               fnmatch.fnmatchcase(name, full) for name in everything()):
            return True
    return "/" not in path and any(
        name.startswith(folder + "/") and fnmatch.fnmatchcase(posixpath.basename(name), path)
        for name in tracked())


def anchors(name):
    """The anchors that GitHub gives to the headings of a document."""
    found = set()
    for heading in re.findall(r"^#+ +(.*)$", text(name), re.MULTILINE):
        words = re.sub(r"[^\w\- ]", "", re.sub(r"`|\[|\]\([^)]*\)", "", heading).lower())
        found.add(words.replace(" ", "-"))
    return found


def blocks(name):
    """The lines of a document, each with its number and whether it is code."""
    fenced = False
    for number, line in enumerate(text(name).split("\n"), 1):
        if line.startswith("```"):
            fenced = not fenced
            continue
        yield number, line, fenced or line.startswith("    ")


def check_link(name, target):
    if re.match(r"[a-z]+:", target):
        return None
    path, _, anchor = target.partition("#")
    full = posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if path else name
    if full not in everything():
        return f"link to {target}: no such file"
    if anchor and anchor not in anchors(full):
        return f"link to {target}: {full} has no such heading"
    return None


def check_quoted(name, quoted):
    folder = posixpath.dirname(name)
    key = quoted.split(" ")[0]
    if KEY.fullmatch(key) and not re.search(rf"\.({SOURCE}|txt|tsv|csv)$", key):
        return None if key in config_keys() else f"`{key}` is no key of the configuration"
    if " " in quoted or not PATH.fullmatch(quoted) or quoted.startswith(MADE):
        return None
    is_source = re.search(rf"[^/]\.(\{{[\w,]+\}}|{SOURCE})$", quoted) and quoted not in FOREIGN
    first = quoted.split("/")[0]
    if not is_source and not ("/" in quoted and (first in folders() or first == "..")):
        return None
    for path in alternatives(quoted):
        if not is_there(path, folder):
            return f"`{quoted}` is not in the tree"
    return None


def options_of(words):
    return [word.split("=")[0] for word in words if re.match(r"--[a-z]", word)]


def check_command(line):
    """A command line in a code block; what follows three blanks is a comment."""
    words = re.split(r" {3,}|\t", line.strip().removeprefix("$ ").removeprefix("srun "))[0].split()
    if not words:
        return None
    program = words[0]
    if re.fullmatch(r"(tools|bench)/[\w/]+\.(sh|py)", program):
        if program not in tracked():
            return f"{program} is not in the tree"
        stem = program.rsplit(".", 1)[0]
        sources = text(program) + all_text(stem + "/*.py") + all_text("bench/end_to_end/*.py")
        known = lambda option: re.search(re.escape(option) + r"\b", sources)
    elif program == "tern":
        if len(words) < 2 or words[1] == "--help":
            return None
        if words[1] not in subcommands():
            return f"tern has no subcommand {words[1]}"
        # Options such as --epochs are made from the names of keys.
        short = {"--" + key.split(".")[1].replace("_", "-") for key in config_keys()}
        known = lambda option: option in short or re.search(
            re.escape(option) + r'[",]', all_text("host/cli/*.cpp"))
    elif program == "tern-bench":
        known = lambda option: f'"{option}"' in text("bench/main.cpp")
    else:
        return None
    for option in options_of(words):
        if option != "--help" and not known(option):
            return f"{' '.join(words[:2])} has no option {option}"
    return None


def check_document(name):
    for number, line, code in blocks(name):
        if code:
            for command in line.split(" && "):
                yield number, check_command(command)
            continue
        for target in re.findall(r"\]\(([^)\s]+)\)", line):
            yield number, check_link(name, target)
        if name in HISTORY:
            continue
        for quoted in re.findall(r"`([^`]+)`", line):
            yield number, check_quoted(name, quoted)
            if quoted.split(" ")[0].split("/")[0] in ("tern", "tern-bench", "tools", "bench"):
                yield number, check_command(quoted)


def comment_of(name, line):
    if name.endswith((".hpp", ".cpp", ".cuh", ".cu", ".h")):
        return "" if line.startswith("#include") else "".join(re.findall(r"//(.*)", line))
    return "".join(re.findall(r"(?:^|\s)#+ (.*)", line))


def check_comments(name):
    folder = posixpath.dirname(name)
    for number, line in enumerate(text(name).split("\n"), 1):
        for cited in CITED.findall(comment_of(name, line)):
            if cited in FOREIGN:
                continue
            for path in alternatives(cited):
                if path not in base_names() and not is_there(path, folder):
                    yield number, f"the comment names {cited}, which is not in the tree"


def check_readme():
    lines = text("README.md").split("\n")
    if len(lines) - 1 > README_LINES:
        yield len(lines) - 1, f"more than {README_LINES} lines"
    examples = re.findall(r"```cpp\n(.*?)```", text("README.md"), re.DOTALL)
    if examples != [text("tests/consumer/example.cpp")]:
        yield 1, "its C++ example is not tests/consumer/example.cpp"


def check_folders():
    for folder in sorted({posixpath.dirname(name) for name in tracked()} - {""}):
        if not PLAIN.match(folder) and folder + "/README.md" not in tracked():
            yield f"{folder}: no README.md"


def problems():
    for name in tracked():
        if name.endswith(".md"):
            found = check_document(name)
        elif name.endswith(COMMENTED):
            found = check_comments(name)
        else:
            continue
        for number, problem in found:
            if problem:
                yield f"{name}:{number}: {problem}"
    for number, problem in check_readme():
        yield f"README.md:{number}: {problem}"
    yield from check_folders()


def main():
    root()
    found = list(problems())
    for problem in found:
        print(problem, file=sys.stderr)
    if found:
        sys.exit(1)
    print(f"check_links: {sum(name.endswith('.md') for name in tracked())} documents in order")


if __name__ == "__main__":
    main()
