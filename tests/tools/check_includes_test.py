"""tools/check_includes.py sees an include upwards, a circle, and a folder that it does not know."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import check_includes  # noqa: E402


class CheckIncludes(unittest.TestCase):
    def edges_of(self, files):
        with tempfile.TemporaryDirectory() as name:
            root = pathlib.Path(name)
            subprocess.run(["git", "init", "-q"], cwd=root, check=True)
            for path, text in files.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text)
            return check_includes.folder_edges(root)

    def test_downwards_is_fine(self):
        edges = self.edges_of({"host/cpu/adam.cpp": '#include "host/backend/checks.hpp"\n',
                               "host/backend/checks.hpp": '#include "tern/backend.hpp"\n'})
        self.assertEqual(check_includes.find_findings(edges), [])

    def test_upwards_is_found(self):
        edges = self.edges_of({"host/cpu/adam.cpp": '#include "host/train/memory.hpp"\n'})
        self.assertEqual(check_includes.find_findings(edges),
                         ["host/cpu/adam.cpp includes host/train/memory.hpp, upwards from host/cpu to host/train"])

    def test_a_circle_is_found(self):
        edges = self.edges_of({"host/data/load.cpp": '#include "host/config/keys.hpp"\n',
                               "host/config/keys.cpp": '#include "host/data/text.hpp"\n'})
        self.assertEqual(check_includes.find_findings(edges),
                         ["these folders include each other in a circle: host/config, host/data"])

    def test_an_unknown_folder_is_found(self):
        edges = self.edges_of({"host/novel/new.cpp": '#include "tern/types.hpp"\n'})
        self.assertIn("host/novel is no folder of the list", check_includes.find_findings(edges)[0])


if __name__ == "__main__":
    unittest.main()
