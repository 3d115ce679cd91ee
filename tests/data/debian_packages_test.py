"""Checks tools/datasets/debian_packages.py and its snapshot.

Run from the repository root: python3 -m unittest tests/data/debian_packages_test.py
"""

import contextlib
import io
import os
import random
import shutil
import subprocess
import sys
import tempfile
import unittest
from collections import Counter
from pathlib import Path
from unittest import mock

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPT = REPOSITORY / "tools" / "datasets" / "debian_packages.py"
SNAPSHOT = REPOSITORY / "tests" / "data" / "debian"

sys.path.insert(0, str(SCRIPT.parent))
import debian_control as control  # noqa: E402
import debian_packages as debian  # noqa: E402

needs_zstd = unittest.skipUnless(shutil.which("zstd"), "the zstd command is not installed")


def read(text):
    """Packages of a piece of control text, by name."""
    data = text if isinstance(text, bytes) else text.encode()
    return control.read_packages(io.BytesIO(data), "test")[0]


def decompress(path):
    return subprocess.run(
        ["zstd", "-dcq", path], stdout=subprocess.PIPE, check=True
    ).stdout.decode()


def table(path):
    """Rows of a committed or written table, header first."""
    return [line.split("\t") for line in decompress(path).splitlines()]


class Relations(unittest.TestCase):
    def parse(self, value):
        return control.parse_relation(value, "test:1")

    def test_alternatives_each_count(self):
        self.assertEqual(self.parse("a1 | b1 | c1, d1"), {"a1", "b1", "c1", "d1"})

    def test_versions_and_qualifiers_are_dropped(self):
        self.assertEqual(
            self.parse(
                "libc6 (>= 2.34), python3:any (>= 3.9~), gcc:s390x, "
                "x1[amd64], y1 (= 1:2-3) <!nocheck>"
            ),
            {"libc6", "python3", "gcc", "x1", "y1"},
        )

    def test_one_name_under_two_constraints_counts_once(self):
        self.assertEqual(self.parse("data (>= 1), data (<= 2)"), {"data"})

    def test_names_with_every_legal_character(self):
        self.assertEqual(
            self.parse("libstdc++6,lib-x.y, g++|0ad"), {"libstdc++6", "lib-x.y", "g++", "0ad"}
        )

    def test_nothing_and_trailing_comma(self):
        self.assertEqual(self.parse(""), frozenset())
        self.assertEqual(self.parse("a1, "), {"a1"})

    def test_malformed_is_refused_with_its_place(self):
        for value in ("a1 b1", "a1 (>= 2", "a1 | | b1", "(>= 2)", "-x", "a1 (1) (2)"):
            with (
                self.subTest(value),
                self.assertRaisesRegex(control.DataError, "test:1: expected a package name"),
            ):
                self.parse(value)


class Tags(unittest.TestCase):
    def test_list(self):
        self.assertEqual(
            control.parse_tags("role::program, use::editing"), {"role::program", "use::editing"}
        )

    def test_braces_are_written_out(self):
        self.assertEqual(
            control.parse_tags("works-with::{image,text}, role::x"),
            {"works-with::image", "works-with::text", "role::x"},
        )


class Versions(unittest.TestCase):
    def test_ascending(self):
        ascending = [
            "0~beta",
            "0",
            "1.0~~",
            "1.0~rc1-1",
            "1.0-1",
            "1.0-1+b1",
            "1.0a-1",
            "1.0+dfsg-1",
            "1.2-1",
            "1.10-1",
            "1:0.1-1",
        ]
        for i, a in enumerate(ascending):
            for j, b in enumerate(ascending):
                with self.subTest(f"{a} {b}"):
                    self.assertEqual(control.compare_versions(a, b), (i > j) - (i < j))

    def test_equal_in_value(self):
        self.assertEqual(control.compare_versions("0:1.01-1", "1.1-1"), 0)


class Reading(unittest.TestCase):
    def test_fields(self):
        package = read(
            "Package: a1\nVersion: 2\nArchitecture: all\nSection: contrib/net\n"
            "Priority: optional\nInstalled-Size: 7\n"
            "Depends: b1\nPre-Depends: c1\nRecommends: d1\nSuggests: e1\nBreaks: f1\n"
            "Provides: v1 (= 2)\nTag: x::y\n"
        )["a1"]
        self.assertEqual(
            package,
            control.Package(
                "a1",
                "2",
                "all",
                frozenset({"b1", "c1", "d1", "e1"}),
                frozenset({"v1"}),
                "contrib/net",
                "optional",
                frozenset({"x::y"}),
                7,
            ),
        )

    def test_continuation_lines(self):
        package = read(
            "Package: a1\nDepends: b1,\n c1 (>=\n\t 2), d1\n"
            "Description: line\n .\n Package: not a field\nTag: x::y,\n z::w\n"
        )["a1"]
        self.assertEqual(package.relations, {"b1", "c1", "d1"})
        self.assertEqual(package.tags, {"x::y", "z::w"})

    def test_no_newline_at_the_end_and_crlf_and_several_empty_lines(self):
        self.assertEqual(
            set(read("\n\nPackage: a1\r\nDepends: b1\r\n\r\n\n\nPackage: b1")), {"a1", "b1"}
        )

    def test_newest_of_several_versions_in_any_order(self):
        stanzas = [
            "Package: a1\nVersion: 1.9\nDepends: old\n",
            "Package: a1\nVersion: 1.10\nArchitecture: i386\nDepends: foreign\n",
            "Package: a1\nVersion: 1.10\nArchitecture: amd64\nDepends: new\n",
        ]
        kept = {
            str(sorted(read("\n".join(order))["a1"].relations))
            for order in (stanzas, stanzas[::-1], stanzas[1:] + stanzas[:1])
        }
        # 1.10 is newer than 1.9; between equals the choice is arbitrary but fixed.
        self.assertEqual(kept, {"['foreign']"})

    def test_broken_input(self):
        for text, message in (
            ("", "test: no packages"),
            ("\n\n", "test: no packages"),
            ("hello world\n", "test:1: expected 'Field: value'"),
            (": x\n", "test:1: expected 'Field: value'"),
            (" x\n", "test:1: a continuation line"),
            ("Package: a1\n\n x\n", "test:3: a continuation line"),
            (
                "Package: a1\n\nVersion: 1\nDepends: b1\n",
                "test:3: a paragraph without a Package field",
            ),
            ("Package: a1\nPackage: a1\n", "test:2: a second Package field"),
            ("Package: a 1\n", "test:1: not a package name"),
            ("Package:\n", "test:1: not a package name"),
            ("Package: a1\nInstalled-Size: 1.5\n", "test:2: Installed-Size: expected a number"),
            ("Package: a1\nInstalled-Size: -1\n", "test:2: Installed-Size: expected a number"),
            (
                "Package: a1\nDescription: x\nDepends: b1,\n c1 d1\n",
                "test:3: Depends: expected a package name",
            ),
            ("Package: a1\nSection: a|b\n", "test:2: Section: expected one word"),
            ("Package: a1\nTag: a b\n", "test:2: Tag: expected facet::value"),
            (b"Package: a1\nVersion: \xff\n", "test:2: not UTF-8"),
            (b"Package: a1\nVersion: \0\n", "test:2: a NUL byte"),
            (b"\x1f\x8b\x08\x00", "test:1: not UTF-8"),
        ):
            with self.subTest(text), self.assertRaises(control.DataError) as caught:
                read(text)
            self.assertIn(message, str(caught.exception))


class Edges(unittest.TestCase):
    def test_only_known_names_and_no_self_edges(self):
        packages = read(
            "Package: a1\nDepends: b1, a1, ghost, virtual\n\n"
            "Package: b1\nProvides: virtual (= 3), unused\nSuggests: virtual\n"
        )
        self.assertEqual(
            debian.dependency_edges(packages), {("a1", "b1"), ("a1", "virtual"), ("b1", "virtual")}
        )

    def test_core_by_hand(self):
        block = {(user, item) for user in "abc" for item in "xyz"} - {("c", "z")}
        tail = {("d", "x"), ("d", "w"), ("e", "w")}  # e falls, so w does, so d does
        self.assertEqual(debian.take_core(block | tail, 2), block)
        self.assertEqual(debian.take_core(block | tail, 1), block | tail)
        self.assertEqual(debian.take_core(block | tail, 3), set())

    def test_one_name_is_two_nodes(self):
        edges = {("a", "b"), ("b", "a"), ("a", "c"), ("b", "c")}
        # As items, a and b have one user each; without them users a and b keep one edge: none stay.
        self.assertEqual(debian.take_core(edges, 2), set())

    def test_core_against_repeated_filtering(self):
        for seed in range(20):
            rng = random.Random(seed)
            edges = {(rng.randrange(30), rng.randrange(25)) for _ in range(110)}
            for core in (2, 3, 4):
                kept = set(edges)
                while True:
                    users, items = Counter(user for user, _ in kept), Counter(
                        item for _, item in kept
                    )
                    smaller = {
                        (user, item)
                        for user, item in kept
                        if users[user] >= core and items[item] >= core
                    }
                    if smaller == kept:
                        break
                    kept = smaller
                self.assertEqual(debian.take_core(edges, core), kept)

    def test_tag_threshold_counts_packages_of_the_graph(self):
        packages = read(
            "Package: a1\nTag: x::y, x::z\n\nPackage: b1\nTag: x::y\n\nPackage: c1\nTag: x::z\n"
        )
        self.assertEqual(debian.common_tags({"a1", "b1", "virtual"}, packages, 2), {"x::y"})


SMALL = """\
Package: app
Installed-Size: 99
Section: net
Priority: optional
Depends: lib1 (>= 2) | lib2, mail-agent
Tag: role::program, rare::tag

Package: tool
Section: contrib/utils
Depends: lib1, lib2:any, mail-agent
Tag: role::program

Package: lib1
Installed-Size: 0
Section: libs

Package: lib2
Provides: mail-agent
"""


@needs_zstd
class Program(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def run_main(self, text, *options, output="out"):
        """Runs main on the text; returns (exit code, stdout, stderr)."""
        path = self.directory / "dumpavail"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = debian.main(
                ["--input", str(path), "--output", str(self.directory / output), *options]
            )
        return code, out.getvalue(), err.getvalue()

    def test_tables(self):
        code, out, err = self.run_main(SMALL, "--core", "2", "--min-tag-count", "2")
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(
            decompress(self.directory / "out/interactions.tsv.zst"),
            "user\titem\napp\tlib1\napp\tlib2\napp\tmail-agent\n"
            "tool\tlib1\ntool\tlib2\ntool\tmail-agent\n",
        )
        self.assertEqual(
            decompress(self.directory / "out/user_features.tsv.zst"),
            "user\tlog_installed_size\tsection\tpriority\ttags\n"
            "app\t4.6052\tnet\toptional\trole::program\n"
            "tool\t\tcontrib/utils\t\trole::program\n",
        )
        self.assertEqual(
            decompress(self.directory / "out/item_features.tsv.zst"),
            "item\tlog_installed_size\tsection\tpriority\ttags\n"
            "lib1\t0.0000\tlibs\t\t\nlib2\t\t\t\t\nmail-agent\t\t\t\t\n",
        )
        self.assertIn("packages read: 4 ", out)
        self.assertIn("edges: 6 read, 6 in the 2-core", out)
        self.assertIn("users: 2, items: 3 (1 virtual)", out)

    def test_same_packages_same_bytes(self):
        stanzas = SMALL.split("\n\n")
        self.run_main(SMALL, "--core", "1", output="first")
        self.run_main("\n\n".join(stanzas[::-1]), "--core", "1", output="second")
        # Another process hashes strings with another seed, so its sets iterate in another order.
        subprocess.run(
            [
                sys.executable,
                SCRIPT,
                "--input",
                "-",
                "--output",
                self.directory / "third",
                "--core",
                "1",
            ],
            input=SMALL.encode(),
            env={**os.environ, "PYTHONHASHSEED": "7"},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        for name in ("interactions", "user_features", "item_features"):
            first, second, third = (
                (self.directory / run / f"{name}.tsv.zst").read_bytes()
                for run in ("first", "second", "third")
            )
            self.assertEqual(first, second)
            self.assertEqual(first, third)

    def test_bad_data_exits_65_and_writes_nothing(self):
        for text, message in (
            ("", "no packages"),
            ("junk\n", ":1: expected 'Field: value'"),
            (SMALL, "nothing is left in the 5-core"),
        ):
            with self.subTest(message):
                code, out, err = self.run_main(text)
                self.assertEqual((code, out), (65, ""))
                self.assertIn(message, err)
                self.assertFalse((self.directory / "out").exists())

    def test_missing_file_and_missing_zstd(self):
        err = io.StringIO()
        with contextlib.redirect_stderr(err):
            self.assertEqual(
                debian.main(
                    ["--input", str(self.directory / "none"), "--output", str(self.directory)]
                ),
                1,
            )
        self.assertIn("No such file", err.getvalue())
        with mock.patch.object(debian.shutil, "which", return_value=None):
            code, _, err = self.run_main(SMALL, "--core", "1")
        self.assertEqual(code, 1)
        self.assertIn("apt-get install zstd", err)

    def test_apt_cache_missing_failing_and_empty(self):
        with mock.patch.object(debian.shutil, "which", return_value=None):
            with self.assertRaisesRegex(debian.ToolError, "not a Debian machine"):
                debian.open_packages(None)
        with mock.patch.object(debian.shutil, "which", return_value="found"):
            with mock.patch.object(
                debian, "DUMPAVAIL", [sys.executable, "-c", "raise SystemExit(3)"]
            ):
                with self.assertRaisesRegex(debian.ToolError, "exit code 3"):
                    debian.open_packages(None)
            with mock.patch.object(debian, "DUMPAVAIL", [sys.executable, "-c", ""]):
                with self.assertRaisesRegex(control.DataError, "apt-get update"):
                    debian.open_packages(None)

    def test_failing_zstd_leaves_the_old_file(self):
        target = self.directory / "old.zst"
        target.write_bytes(b"old")
        with mock.patch.object(
            debian.subprocess, "run", return_value=mock.Mock(returncode=1, stderr=b"disk full")
        ):
            with self.assertRaisesRegex(debian.ToolError, "disk full"):
                debian.write_zstd(target, ["x"], 1)
        self.assertEqual(target.read_bytes(), b"old")
        self.assertEqual([path.name for path in self.directory.iterdir()], ["old.zst"])

    def test_usage_exits_2(self):
        for options in (
            [],
            ["--output", "x", "--core", "0"],
            ["--output", "x", "--level", "20"],
            ["--output", "x", "--min", "3"],
        ):
            with (
                self.subTest(options),
                contextlib.redirect_stderr(io.StringIO()),
                self.assertRaises(SystemExit) as caught,
            ):
                debian.main(options)
            self.assertEqual(caught.exception.code, 2)


@needs_zstd
class Snapshot(unittest.TestCase):
    """The committed tables: sizes as documented, a 5-core, features for every node, and small."""

    @classmethod
    def setUpClass(cls):
        cls.edges = table(SNAPSHOT / "interactions.tsv.zst")
        cls.features = {
            side: table(SNAPSHOT / f"{side}_features.tsv.zst") for side in ("user", "item")
        }

    def test_interactions(self):
        self.assertEqual(self.edges[0], ["user", "item"])
        edges = self.edges[1:]
        self.assertEqual(edges, sorted(edges))
        users, items = Counter(user for user, _ in edges), Counter(item for _, item in edges)
        self.assertEqual(
            (len(users), len(items), len(edges), len(set(map(tuple, edges)))),
            (18_330, 6_041, 184_265, 184_265),
        )
        self.assertEqual((min(users.values()), min(items.values())), (5, 5))
        self.assertFalse([edge for edge in edges if edge[0] == edge[1]])

    def test_features(self):
        for column, side in enumerate(("user", "item")):
            header, *rows = self.features[side]
            self.assertEqual(header, [side, "log_installed_size", "section", "priority", "tags"])
            self.assertEqual(
                [row[0] for row in rows], sorted({edge[column] for edge in self.edges[1:]})
            )
            for row in rows:
                self.assertEqual(len(row), 5)
                if row[1]:
                    self.assertGreater(float(row[1]), 0)
        virtual = [row for row in self.features["item"][1:] if row[1:] == ["", "", "", ""]]
        self.assertEqual(len(virtual), 745)
        for row in self.features["user"][1:]:  # every user is a real package
            self.assertNotIn("", row[1:4])

    def test_size(self):
        self.assertLess(sum(path.stat().st_size for path in SNAPSHOT.iterdir()), 1_500_000)


if __name__ == "__main__":
    unittest.main()
