"""tools/check_links.py finds faults: each test plants one in a small checkout."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "check_links.py"
EXAMPLE = "int main() {}\n"
SOUND = {
    "README.md": f"# A\n\n[b](docs/b.md#some-words)\n\n    tern train X --out Y\n    tools/go.sh --fast\n\n"
                 f"```cpp\n{EXAMPLE}```\n",
    "docs/b.md": "# Some words\n\n`docs/b.md`, `model.width = 3`, `host/cli/<name>.cpp`\n",
    "tests/consumer/example.cpp": EXAMPLE,
    "tools/go.sh": "# --fast, see docs/b.md\n",
    "host/cli/train.cpp": '// One of host/cli.\nprogram.add_subcommand("train", "--out");\n',
    "host/config/keys.cpp": 'integer("model.width")\n',
    **{folder + "/README.md": "" for folder in
       ("docs", "tests/consumer", "tools", "host/cli", "host/config")},
}


class CheckLinks(unittest.TestCase):
    def check(self, **changed):
        """Exit status and messages for the sound checkout with some files replaced."""
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["git", "init", "--quiet", folder], check=True)
            for name, text in {**SOUND, **changed.get("files", {})}.items():
                path = pathlib.Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            done = subprocess.run([sys.executable, "-B", TOOL, "--root", folder],
                                  capture_output=True, text=True)
            return done.returncode, done.stderr

    def expect(self, message, name, text):
        self.assertEqual(self.check(files={name: text}), (1, message + "\n"))

    def test_a_sound_checkout_passes(self):
        self.assertEqual(self.check(), (0, ""))

    def test_links(self):
        self.expect("docs/b.md:2: link to c.md: no such file", "docs/b.md",
                    "# Some words\n[c](c.md) [a](../README.md) [web](https://example.org/c.md)\n")
        self.expect("docs/b.md:2: link to #other: docs/b.md has no such heading", "docs/b.md",
                    "# Some words\n[o](#other)\n")

    def test_paths_in_documents(self):
        self.expect("docs/b.md:2: `host/cli/test.cpp` is not in the tree", "docs/b.md",
                    "# Some words\n`host/cli/test.cpp` `build/x.cpp`\n")
        self.expect("docs/b.md:2: `host/<op>.cpp` is not in the tree", "docs/b.md",
                    "# Some words\n`host/<op>.cpp`\n")
        self.expect("docs/b.md:2: `go.{sh,py}` is not in the tree", "docs/b.md",
                    "# Some words\n`go.{sh,py}`\n")

    def test_keys(self):
        self.expect("docs/b.md:2: `model.depth` is no key of the configuration", "docs/b.md",
                    "# Some words\n`model.depth = 3`\n")

    def test_commands(self):
        self.expect("docs/b.md:3: tern has no subcommand learn", "docs/b.md",
                    "# Some words\n\n    tern learn X\n")
        self.expect("docs/b.md:3: tern train has no option --fro", "docs/b.md",
                    "# Some words\n\n    tern train X --fro Y\n")
        self.expect("docs/b.md:3: tools/stop.sh is not in the tree", "docs/b.md",
                    "# Some words\n\n    tools/stop.sh\n")
        self.expect("docs/b.md:3: tools/go.sh --slow has no option --slow", "docs/b.md",
                    "# Some words\n\n    tools/go.sh --slow     not --there\n")

    def test_comments(self):
        self.expect("host/cli/train.cpp:1: the comment names host/cli/help.hpp, which is not in the tree",
                    "host/cli/train.cpp",
                    '// See host/cli/help.hpp and keys.cpp.\nadd_subcommand("train", "--out");\n')

    def test_folders(self):
        self.expect("host/data: no README.md", "host/data/load.cpp", "")

    def test_the_main_page(self):
        self.expect("README.md:158: more than 150 lines", "README.md",
                    SOUND["README.md"] + "\n" * 148)
        self.expect("README.md:1: its C++ example is not tests/consumer/example.cpp",
                    "tests/consumer/example.cpp", "int main() { return 0; }\n")


if __name__ == "__main__":
    unittest.main()
