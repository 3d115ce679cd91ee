"""Metrics, new users, scores and exports of a run: the numbers of the program."""

from __future__ import annotations

import json
import subprocess

import numpy as np
import pytest
from test_program import PROGRAM

import tern

CONFIG = {"model.width": 16, "model.layers": 2, "train.epochs": 4, "train.batch_size": 64, "train.evaluate_every": 2,
          "train.device": "cpu", "train.seed": 9}


def program(*arguments):
    done = subprocess.run([str(PROGRAM), *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def data():
    users, items = np.nonzero((np.add.outer(np.arange(40), np.arange(30)) % 2 == 0)
                              & (np.add.outer(7 * np.arange(40), 3 * np.arange(30)) % 5 != 0))
    return tern.Dataset.from_interactions({"user": [f"u{user}" for user in users], "item": [f"i{item}" for item in items]})


@pytest.fixture(scope="module", params=["lightgcn", "ease", "graph_filter"])
def run(request, data, tmp_path_factory):
    config = {**CONFIG, "model.kind": request.param, "ease.l2": 5, "graph_filter.rank": 8}
    return tern.train(data, config, out=tmp_path_factory.mktemp("runs") / request.param, show_progress=False)


@pytest.fixture(scope="module")
def mf(data, tmp_path_factory):
    return tern.train(data, {**CONFIG, "model.kind": "mf"}, out=tmp_path_factory.mktemp("runs") / "mf", show_progress=False)


@pytest.mark.parametrize("split", ["test", "valid"])
def test_evaluate(run, split):
    found = run.evaluate(split, baselines=True)
    assert found == json.loads(program("evaluate", run.path, "--split", split, "--json", "--baselines"))
    assert run.evaluate(split) == json.loads(program("evaluate", run.path, "--split", split, "--json"))


def test_lists_of_evaluate(run):
    expected = json.loads(program("evaluate", run.path, "--json", "-k", "3,5", "--baselines", "--ease-l2", "0.5"))
    assert run.evaluate(k=[3, 5], baselines=True, ease_l2=0.5) == expected
    assert run.evaluate(k=3)["metrics"].items() <= expected["metrics"].items()


def test_errors_of_evaluate(mf, data, tmp_path):
    with pytest.raises(tern.ConfigError, match="split: found 'train', expected 'test' or 'valid'"):
        mf.evaluate("train")
    with pytest.raises(tern.ConfigError, match="k: found 31, but the run has only 30 items"):
        mf.evaluate(k=31)
    with pytest.raises(tern.ConfigError, match="k: found 0, expected at least 1"):
        mf.evaluate(k=[10, 0])
    with pytest.raises(tern.ConfigError, match="penalty of ease is -1, expected a number above 0"):
        mf.evaluate(baselines=True, ease_l2=-1)
    with pytest.raises(tern.ConfigError, match="cold needs a gcmc with item features, but the run's model is mf"):
        mf.evaluate(cold=True)
    whole = tern.Dataset.from_interactions({"user": ["a", "a", "b"], "item": ["x", "y", "z"]},
                                           config={"data.test_fraction": 0.0, "data.valid_fraction": 0.0})
    run = tern.train(whole, {**CONFIG, "train.epochs": 1, "evaluation.ks": [2], "train.metric": "ndcg@2"},
                     out=tmp_path / "whole", show_progress=False)
    with pytest.raises(tern.ConfigError, match="this run's data has no test interactions"):
        run.evaluate()


HISTORY = {"new b": ["i1", "i3", "i5"], "new a": ["i0", "i2", "no such item"], "new c": ["nothing known"]}


def lists_of_program(run, folder, *options):
    (folder / "new.tsv").write_text("user\titem\n" + "".join(
        f"{user}\t{item}\n" for user, items in HISTORY.items() for item in items))
    lines = program("recommend", run.path, "--history", folder / "new.tsv", "--format", "jsonl", *options).splitlines()
    found = {line["user"]: [(entry["item"], np.float32(entry["score"])) for entry in line["items"]]
             for line in map(json.loads, lines)}
    return [found[user] for user in HISTORY]


def as_f32(lists):
    return [[(item, np.float32(score)) for item, score in found] for found in lists]


def test_recommend_by_history(run, tmp_path, caplog):
    caplog.set_level("INFO", logger="tern")
    found = run.recommend(history=HISTORY, N=5)
    assert as_f32(found) == lists_of_program(run, tmp_path, "-k", "5")
    assert "items that are unknown to the run, left out: 2 of 7, for example \"no such item\"" in caplog.text
    assert not {"i1", "i3", "i5"} & set(dict(found[0]))
    with_own = run.recommend(history=HISTORY, N=30, filter_already_liked_items=False, items=["i1", "i2", "i3", "i4"])
    (tmp_path / "some.txt").write_text("i1\ni2\ni3\ni4\n")
    assert as_f32(with_own) == lists_of_program(run, tmp_path, "-k", "30", "--include-observed", "--candidates",
                                                tmp_path / "some.txt")
    assert run.recommend(history={}) == []


def test_errors_of_histories(run, mf, tmp_path, data):
    with pytest.raises(tern.DataError, match='the run knows the user "u3", expected new users only'):
        run.recommend(history={"u3": ["i1"]})
    with pytest.raises(tern.DataError, match='the run knows none of its 1 items, for example "x"'):
        run.recommend(history={"new": ["x"]})
    with pytest.raises(tern.DataError, match='the user "1" is given twice'):
        run.recommend(history={1: ["i1"], "1": ["i1"]})
    with pytest.raises(TypeError, match="expected either users or history"):
        run.recommend(["u3"], history=HISTORY)
    with pytest.raises(TypeError, match="history: found list, expected a mapping"):
        run.recommend(history=["i1"])
    with pytest.raises(TypeError, match="history of 'new': found str, expected a list of ids"):
        run.recommend(history={"new": "i1"})
    with pytest.raises(tern.ConfigError, match="history: the run's model is mf, expected a lightgcn"):
        mf.recommend(history=HISTORY)


@pytest.mark.parametrize("format", ["npy", "safetensors", "word2vec", "faiss"])
def test_export(run, format, tmp_path):
    if run.config["model.kind"] != "lightgcn" and format in ("word2vec", "faiss"):
        with pytest.raises(tern.ConfigError, match=f"format: {format} is for embeddings, but the run's model is"):
            run.export(tmp_path / "python", format)
        assert not (tmp_path / "python").exists()
        return
    assert run.export(tmp_path / "python", format) == tmp_path / "python"
    program("export", run.path, "--to", tmp_path / "program", "--format", format, "--quiet")
    names = sorted(path.name for path in (tmp_path / "program").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "python").iterdir()) and "items.tsv" in names
    for name in names:
        assert (tmp_path / "python" / name).read_bytes() == (tmp_path / "program" / name).read_bytes(), name
    assert run.recommend(["u3"]) == tern.Run.open(run.path).recommend(["u3"])  # the model is still whole


def test_errors_of_export(mf):
    with pytest.raises(tern.ConfigError, match='format: found "csv", expected npy, safetensors, word2vec or faiss'):
        mf.export("there", "csv")
    with pytest.raises(tern.ConfigError, match="this is the directory of the run"):
        mf.export(mf.path)


def test_scores_of_pairs(run, tmp_path):
    pairs = [("u3", "i1"), ("u4", "i2"), ("u3", "i5"), ("u3", "i1")]
    scores = run.score_pairs(pairs)
    assert scores == [run.score(user, item) for user, item in pairs]
    (tmp_path / "pairs.tsv").write_text("user\titem\n" + "".join(f"{user}\t{item}\n" for user, item in pairs))
    lines = program("score", run.path, "--pairs", tmp_path / "pairs.tsv", "--format", "jsonl").splitlines()
    assert [np.float32(score) for score in scores] == [np.float32(json.loads(line)["score"]) for line in lines]
    assert run.score_pairs([]) == []
    with pytest.raises(tern.DataError, match='there is no item "i99"'):
        run.score_pairs([("u3", "i99")])
    with pytest.raises(TypeError, match="pairs: found str, expected pairs"):
        run.score_pairs(["u3"])


def test_a_closed_run_answers_nothing(data, tmp_path):
    run = tern.train(data, {**CONFIG, "train.epochs": 1}, out=tmp_path / "run", show_progress=False)
    run.close()
    for ask in (run.evaluate, lambda: run.export(tmp_path / "there"), lambda: run.score_pairs([("u3", "i1")])):
        with pytest.raises(tern.Error, match="is closed"):
            ask()


def test_the_log_names_the_device_as_the_program_does(data, run, tmp_path):
    """A report reads the device from it."""
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("user\titem\n" + "".join(
        f"{user}\t{item}\n" for user, row in zip(data.users, data.train.toarray()) for item in np.array(data.items)[row > 0]))
    kind = run.config["model.kind"]
    settings = [word for key, value in {**CONFIG, "model.kind": kind, "ease.l2": 5, "graph_filter.rank": 8}.items()
                for word in ("--set", f"{key}={value}")]
    program("train", pairs, "--out", tmp_path / "program", "--quiet", *settings)

    def device_line(path):
        return next(line.split("    ", 1)[1] for line in (path / "log.txt").read_text().splitlines() if " on cpu: " in line)

    assert device_line(run.path) == device_line(tmp_path / "program")
    assert "not recorded" not in run.report(tmp_path / "page.html").read_text(encoding="utf-8")
