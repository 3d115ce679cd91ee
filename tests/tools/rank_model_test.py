"""bench/model/rank_model.py: a rank alone is the step of step_model.py, and figures computed by hand."""

import contextlib
import io
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench" / "model"))
import rank_model as model
import step_model

GRAPH = ["--power-law", "600", "400", "6000"]


def table(*words):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        model.main([*GRAPH, *map(str, words)])
    return printed.getvalue()


def rows(text):
    return [[float(cell) for cell in line.split()] for line in text.splitlines()[2:]]


class Exchange(unittest.TestCase):
    def options(self, *words):
        return model.parse_arguments([*GRAPH, *words])

    def test_scores_and_a_norm_of_each_rank(self):
        link = model.Link(latency=5.0, per_rank=2.0, bandwidth=1.0)
        self.assertEqual(model.exchange_us(link, self.options(), 1, 1000), 0.0)
        joins = 2 * (1.5 + 2 * 0.3)
        self.assertAlmostEqual(model.exchange_us(link, self.options(), 3, 1000),
                               2 * (5 + 2) + (4 * 1000 * 2 + 8 * 2) / 1e3 + joins)

    def test_rows_for_the_softmax(self):
        link = model.Link(latency=0.0, per_rank=0.0, bandwidth=1.0)
        softmax = self.options("--loss", "softmax", "--width", "32")
        joins = 2 * (1.5 + 2 * 0.3)
        self.assertAlmostEqual(model.exchange_us(link, softmax, 2, 100),
                               (2 * 100 * 32 * 4 / 2 + 8) / 1e3 + joins)


class Kernels(unittest.TestCase):
    def test_short_reads_of_the_memory_are_wasted(self):
        gpu = model.NarrowGpu(hbm=1000, l2=4000, l2_size=1, fetch=64, row=32)
        self.assertAlmostEqual(gpu.bytes_us([(4e6, 2**21)], 0), 0.5 + 2 * 2.0)
        gpu.row = 128
        self.assertAlmostEqual(gpu.bytes_us([(4e6, 2**21)], 5e5), 0.5 + 2.0 + 0.5)

    def test_bytes_of_an_edge_alone_are_those_of_the_step(self):
        options = model.parse_arguments(GRAPH)
        step = model.RankStep(model.NarrowGpu(), [[3, 2], [1, 4]], options, 1)
        whole = step_model.Step(step_model.Gpu(), [[3, 2], [1, 4]], options)
        self.assertAlmostEqual(step.edge_bytes(step_model.SHARED), whole.edge_bytes(step_model.SHARED),
                               delta=1)

    def test_more_ranks_move_fewer_bytes_each(self):
        options = model.parse_arguments(GRAPH)
        moved = [sum(size for _, _, size, _ in
                     model.RankStep(model.NarrowGpu(), [[3, 2], [1, 4]], options, ranks).kernels)
                 for ranks in (1, 2, 4, 8)]
        self.assertEqual(moved, sorted(moved, reverse=True))

    def test_a_graph_for_a_larger_one(self):
        options = model.parse_arguments([*GRAPH, "--scale", "10"])
        step = model.RankStep(model.NarrowGpu(), [[3, 2], [1, 4]], options, 2)
        launches = step.nodes(model.NAME) * step.gpu.launch
        self.assertAlmostEqual(step.scaled(10) - launches, 10 * (step.scaled(1) - launches))


class Table(unittest.TestCase):
    def test_more_ranks_exchange_more(self):
        text = table("--host", 0)
        self.assertTrue(text.startswith("predicted: LightGCN L 3 bpr, D 64, 600 users, 400 items"))
        found = rows(text)
        self.assertEqual([row[0] for row in found], [1, 2, 4, 8])
        self.assertEqual([row[2] for row in found], sorted(row[2] for row in found))
        self.assertEqual(found[0][4], 1.0)

    def test_the_message_between_hosts_is_the_least(self):
        self.assertTrue(all(row[3] >= 5000 for row in rows(table("--host", 5000))[1:]))

    def test_the_softmax_is_whole_on_every_rank(self):
        options = model.parse_arguments([*GRAPH, "--loss", "softmax"])
        found = [{name: figures for name, _, _, figures in
                  model.RankStep(model.NarrowGpu(), [[3, 2], [1, 4]], options, ranks).kernels}
                 for ranks in (1, 8)]
        self.assertEqual(*(kernels["in_batch_softmax"][model.NAME].us for kernels in found))


if __name__ == "__main__":
    unittest.main()
