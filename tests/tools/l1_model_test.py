"""bench/model/l1_model.py: caches and gathers computed by hand."""

import contextlib
import io
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench" / "model"))
import l1_model as model
import step_model


class Caches(unittest.TestCase):
    def test_drops_the_line_that_was_used_longest_ago(self):
        cache = model.Cache(1)
        for line in range(8):
            self.assertFalse(cache.find(line, 1))
        self.assertTrue(cache.find(0, 1))
        self.assertFalse(cache.find(8, 1))
        self.assertTrue(cache.find(0, 1))
        self.assertFalse(cache.find(1, 1))

    def test_has_the_sectors_that_were_read(self):
        cache = model.Cache(1)
        self.assertFalse(cache.find(0, 1))
        self.assertFalse(cache.find(0, 2))
        self.assertTrue(cache.find(0, 3))
        self.assertFalse(cache.find(1, 1, keep=False))
        self.assertFalse(cache.find(1, 1))


class Gathers(unittest.TestCase):
    def test_groups_have_every_neighbour(self):
        rows = [[1], list(range(200)), [], list(range(5))]
        groups = model.groups_of(rows)
        self.assertEqual([len(group) for group in groups], [64, 64, 64, 8, 5, 1, 0])
        self.assertEqual(sum(groups[:4], []), rows[1])

    def test_a_row_and_a_scale_are_read_once(self):
        # Ids 0, 1: two rows, and scales in one sector; id 8: the next sector.
        found = model.propagation([[0, 1, 8], [0]], step_model.NOW, 64, 1, keep_rows=True)
        self.assertEqual((found.edges, found.scales, found.rows), (4, 2, 1.0))
        self.assertEqual(found.bytes_of_edge, (3 * 256 + 2 * 32) / 4)
        found = model.propagation([[0, 1, 8], [0]], step_model.BF16, 64, 1, keep_rows=False)
        self.assertEqual((found.edges, found.scales, found.rows), (4, 2, 0.0))
        self.assertEqual(found.bytes_of_edge, (4 * 128 + 2 * 32) / 4)

    def test_multiprocessors_share_nothing(self):
        rows = [[0]] * 32  # two blocks
        self.assertEqual(model.propagation(rows, step_model.NOW, 64, 1, True).rows, 31.0)
        self.assertEqual(model.propagation(rows, step_model.NOW, 64, 2, True).rows, 30.0)

    def test_prints_a_table(self):
        printed = io.StringIO()
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(printed):
            pathlib.Path(folder, "train.txt").write_text("0 1 2\n2 1\n\n", encoding="utf-8")
            model.main([folder])
        lines = printed.getvalue().splitlines()
        self.assertEqual(len(lines), 9)
        self.assertEqual(lines[1].split(), ["f32", "to", "users", "0.667", "0.333", "181.3"])


if __name__ == "__main__":
    unittest.main()
