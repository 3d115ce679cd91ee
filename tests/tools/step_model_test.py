"""bench/model/step_model.py: cuts that lose nothing, and figures computed by hand."""

import contextlib
import io
import pathlib
import random
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench" / "model"))
import step_model as model

LOOP = model.Loop(instructions=50, waits=1.0, mark_waits=1.0)


class Cuts(unittest.TestCase):
    def test_every_neighbour_is_in_one_group(self):
        degrees = [0, 1, 64, 65, 256, 257, 2048, 2049, 10_000, 3]
        for cut in (model.by_rows, model.by_items):
            self.assertEqual(sum(cut(degrees, range(len(degrees)))), sum(degrees))
            self.assertEqual(sum(cut(degrees, [3, 8, 9])), 65 + 10_000 + 3)

    def test_items_are_short_and_sorted(self):
        groups = model.by_items([3, 200, 64, 5000, 0, 9], range(6))
        self.assertEqual(max(groups), 71, "the root of 5000")
        self.assertEqual(groups[-4:], [64, 9, 3, 0])
        self.assertEqual(groups[:-4], sorted(groups[:-4], reverse=True))
        self.assertEqual(len(groups), 71 + 4 + 4)

    def test_parts_of_a_shared_launch_begin_with_a_block(self):
        self.assertEqual(model.in_whole_blocks([5] * 17, LOOP), [5] * 17 + [0] * 15)
        self.assertEqual(model.in_whole_blocks([5] * 16, LOOP), [5] * 16)
        degrees = [3, 200, 64]
        self.assertEqual(model.segment_groups(degrees, range(3)) + model.row_groups(degrees, range(3)),
                         model.by_items(degrees, range(3)))

    def test_segments_cover_a_long_row(self):
        self.assertEqual(model.segments_of(64), [])
        self.assertEqual(model.segments_of(65), [64, 1])
        self.assertEqual(sum(model.segments_of(5000)), 5000)

    def test_heavy_rows_go_to_whole_blocks(self):
        groups = model.by_rows([10, 300], range(2))
        self.assertEqual(groups, [19] * 15 + [15] + [10, 0])


class Figures(unittest.TestCase):
    def test_groups_of_a_warp_wait_for_the_longer(self):
        work = model.every_neighbour([4, 5, 1, 0], LOOP)
        self.assertEqual((work.ideal, work.lockstep), (1 + 2 + 1, 4 + 2))
        self.assertEqual(work.blocks, [2.0])

    def test_works_of_both_directions_follow_each_other(self):
        both = model.every_neighbour([4, 5], LOOP) + model.every_neighbour([9], LOOP)
        self.assertEqual((both.ideal, both.lockstep, both.blocks), (1 + 2 + 3, 4 + 6, [2.0, 3.0]))

    def test_bf16_has_twice_the_groups_and_half_of_the_bytes(self):
        loop = model.Loop(instructions=80, waits=1.0, mark_waits=1.0, lanes=8, element=2)
        work = model.every_neighbour([4, 5, 1, 0], loop)
        self.assertEqual((work.ideal, work.lockstep), (1 + 2 + 1, 4 * 2))
        gpu = model.Gpu(hbm=1000, l2=1000)
        both = [model.propagation_us(gpu, of, work, [(of.element * 1e6, 1)], 0.0) - gpu.launch
                for of in (LOOP, loop)]
        self.assertAlmostEqual(both[0], 2 * both[1])

    def test_marks_of_all_and_of_none(self):
        generator = random.Random(1)
        groups = [20, 33, 0, 16]
        every = model.marked_neighbours(groups, LOOP, 1.0, generator)
        self.assertEqual((every.ideal, every.lockstep), (5 + 9 + 4, 18 + 8))
        self.assertEqual(every.blocks, [9 + 3.0])
        none = model.marked_neighbours(groups, LOOP, 0.0, generator)
        self.assertEqual((none.ideal, none.blocks), (0, [3.0]))

    def test_blocks_take_the_place_that_is_free_first(self):
        gpu = model.Gpu(latency=1.0, multiprocessors=1)
        self.assertEqual(model.waiting_us(gpu, [7, 1, 1, 1, 2]), 10.0)
        self.assertEqual(model.waiting_us(gpu, [1, 1, 1, 1, 7]), 14.0)
        self.assertEqual(model.waiting_us(gpu, []), 0.0)

    def test_tables_beyond_the_cache_are_read_from_memory(self):
        gpu = model.Gpu(hbm=1000, l2=4000, l2_size=1)
        self.assertAlmostEqual(gpu.bytes_us([(4e6, 2**20)], 0), 1.0)
        self.assertAlmostEqual(gpu.bytes_us([(4e6, 2**21)], 0), 2.5)
        self.assertAlmostEqual(gpu.bytes_us([(4e6, 2**20), (4e6, 2**21)], 5e5), 4.0)

    def test_overlap_waits_for_the_slower_of_cache_and_memory(self):
        gpu = model.Gpu(hbm=1000, l2=4000, l2_size=1, overlap=True)
        self.assertAlmostEqual(gpu.bytes_us([(4e6, 2**20)], 4e5), 1.1, msg="the L2 passes all bytes")
        self.assertAlmostEqual(gpu.bytes_us([(4e6, 2**21)], 4e5), 2.4, msg="half are missed")

    def test_power_law_has_its_edges(self):
        degrees = model.power_law_degrees(1000, 20_000, 1500, random.Random(1))
        self.assertEqual(max(degrees), 1500)
        self.assertEqual(sum(degrees), 20_000 - 500, "the first of 2000 is cut")
        self.assertGreaterEqual(min(degrees), 6)


class Table(unittest.TestCase):
    def table(self, *words):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            model.main([str(word) for word in words])
        return printed.getvalue()

    def total(self, table):
        return [float(cells.split()[-1]) for cells in table.splitlines()[-1].split("|")[1:]]

    def nodes(self, table):
        return [int(cells.split()[-1]) for cells in table.splitlines()[-2].split("|")[1:]]

    def test_a_generated_graph(self):
        table = self.table("--power-law", 3000, 2000, 60_000)
        self.assertTrue(table.startswith("predicted: LightGCN L 3 bpr, D 64, B 2048, 3000 users"))
        before, loop, items, bf16, together, both = self.total(table)
        self.assertGreater(before, loop)
        self.assertGreater(loop, items)
        self.assertNotEqual(items, bf16)
        self.assertGreater(items, together)
        self.assertGreater(bf16, both)
        self.assertEqual(self.nodes(table), [27, 27, 33, 33, 10, 10],
                         "some items have more than 2048 users")
        self.assertEqual(table, self.table("--power-law", 3000, 2000, 60_000), "the same every time")
        overlapped = self.total(self.table("--power-law", 3000, 2000, 60_000, "--overlap"))
        self.assertTrue(all(a <= b for a, b in zip(overlapped, self.total(table))))

    def test_a_file_and_one_layer_of_softmax(self):
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "train.txt").write_text("0 1 2\n2 1\n\n", encoding="utf-8")
            self.assertEqual(model.read_degrees(pathlib.Path(folder, "train.txt")), [[2, 0, 1], [0, 2, 1]])
            table = self.table(folder, "--loss", "softmax", "--layers", 1)
        self.assertIn("3 users, 3 items, 3 edges", table)
        self.assertIn("in_batch_softmax", table)
        self.assertNotIn("propagate to users", table)
        _, loop, items, *_ = self.total(table)
        self.assertEqual(loop, items, "without long rows nothing is joined")
        self.assertEqual(self.nodes(table), [16, 16, 16, 16, 9, 9])


if __name__ == "__main__":
    unittest.main()
