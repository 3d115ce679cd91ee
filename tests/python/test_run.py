"""Runs of tern.train(), which the program reads, and runs of the program, which Python opens."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
from test_program import PROGRAM

import tern

CONFIG = {"model.kind": "lightgcn", "model.width": 16, "train.epochs": 4, "train.batch_size": 64,
          "train.evaluate_every": 2, "train.device": "cpu", "train.seed": 9}


def program(*arguments):
    run = subprocess.run([str(PROGRAM), *map(str, arguments)], check=True, capture_output=True, text=True)
    return run.stdout


@pytest.fixture(scope="module")
def table():
    users, items = np.nonzero((np.add.outer(np.arange(40), np.arange(30)) % 2 == 0)
                              & (np.add.outer(7 * np.arange(40), 3 * np.arange(30)) % 5 != 0))
    return {"user": [f"user {user}" for user in users], "item": [f"item {item}" for item in items]}


@pytest.fixture(scope="module")
def data(table):
    return tern.Dataset.from_interactions(table)


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "deep" / "first"
    return tern.train(data, CONFIG, out=out, show_progress=False)


def lists_of(run, users):
    """What the program recommends."""
    lines = program("recommend", run.path, *[word for user in users for word in ("--user", user)], "-k", "5")
    return [line.split("\t") for line in lines.splitlines()]


def test_run(run, data):
    assert run.users == data.users and run.items == data.items
    assert run.user_factors.shape == (40, 16) and run.item_factors.shape == (30, 16)
    assert [line["epoch"] for line in run.metrics] == [1, 2, 3, 4]
    assert run.config.items() >= CONFIG.items() and run.config["evaluation.ks"] == [10, 20]
    lists = run.recommend(["user 3", "user 4"], N=5)
    assert [len(found) for found in lists] == [5, 5] and lists[0] == run.recommend(["user 3"], N=5)[0]
    item, score = lists[0][0]
    assert run.score("user 3", item) == pytest.approx(score)
    assert item not in dict(run.recommend(["user 3"], N=30, filter_items=[item])[0])
    assert [found[0] for found in run.recommend(["user 3"], items=[item, lists[0][1][0]])[0]] == [
        item, lists[0][1][0]]
    assert len(run.similar_items("item 3", N=4)) == len(run.similar_users("user 3", N=4)) == 4
    assert repr(run) == f"<tern.Run {run.path}>"


def test_program_reads_the_run(run):
    found = lists_of(run, ["user 3"])
    expected = run.recommend(["user 3"], N=5)[0]
    text = "\n".join(" ".join(fields) for fields in found)
    for item, score in expected:
        assert item in text and f"{score:.4f}"[:5] in text, (text, expected)


def test_program_makes_the_same_run(run, table, tmp_path):
    program("train", write_pairs(table, tmp_path), "--out", tmp_path / "run", "--quiet", *options(CONFIG))
    with tern.Run.open(tmp_path / "run") as other:
        assert other.user_factors.tobytes() == run.user_factors.tobytes()
        assert other.recommend(["user 3"]) == run.recommend(["user 3"])
        losses = [line["loss"] for line in other.metrics]
        assert losses == [line["loss"] for line in run.metrics]


def test_program_resumes_the_run(run, data, tmp_path):
    class Stop(Exception):
        pass

    def stop(epoch, seconds, record):
        if epoch == 1:
            raise Stop

    with pytest.raises(Stop):
        tern.train(data, CONFIG, out=tmp_path / "run", callback=stop, show_progress=False)
    program("train", "--resume", tmp_path / "run", "--quiet")
    assert tern.Run.open(tmp_path / "run").user_factors.tobytes() == run.user_factors.tobytes()


def test_report(run, data, tmp_path):
    page = run.report()
    assert page == run.path / "report.html"
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>") and "item 3" in text and "given in memory" in text
    program("report", run.path, "--quiet", "-o", tmp_path / "page.html")
    assert (tmp_path / "page.html").read_bytes() == page.read_bytes()
    other = tern.train(data, {**CONFIG, "model.kind": "mf"}, out=tmp_path / "other", show_progress=False)
    other.close()
    both = other.report(tmp_path / "both.html", against=[run])
    assert "<bdi>first</bdi> minus <bdi>other</bdi>" in both.read_text(encoding="utf-8")
    assert run.report(tmp_path / "both.html", against=[str(other.path)]) == both
    with pytest.raises(tern.ConfigError, match="named twice"):
        run.report(against=[run])
    with pytest.raises(TypeError, match="against: found str, expected a list"):
        run.report(against="runs/other")
    with pytest.raises(tern.DataError, match="none"):
        run.report(against=[tmp_path / "none"])


def write_pairs(table, folder):
    lines = [f"{user}\t{item}" for user, item in zip(table["user"], table["item"])]
    (folder / "pairs.tsv").write_text("user\titem\n" + "\n".join(lines) + "\n")
    return folder / "pairs.tsv"


def options(config):
    return [word for key, value in config.items() for word in ("--set", f"{key}={value}")]


def stop_after(epochs):
    return lambda epoch, *_: epoch + 1 == epochs


def test_resume(run, data, tmp_path):
    tern.train(data, CONFIG, out=tmp_path / "run", callback=stop_after(2), show_progress=False)
    epochs = []
    resumed = tern.Run.resume(tmp_path / "run", callback=lambda epoch, *_: epochs.append(epoch), show_progress=False)
    assert epochs == [2, 3] and [line["epoch"] for line in resumed.metrics] == [1, 2, 3, 4]
    assert resumed.user_factors.tobytes() == run.user_factors.tobytes()
    # A run with all of its epochs is opened as it is, and goes on for more.
    same = tern.Run.resume(tmp_path / "run", show_progress=False)
    assert same.item_factors.tobytes() == run.item_factors.tobytes() and len(same.metrics) == 4
    longer = tern.Run.resume(tmp_path / "run", {"train.epochs": 6}, show_progress=False)
    whole = tern.train(data, {**CONFIG, "train.epochs": 6}, out=tmp_path / "whole", show_progress=False)
    assert longer.config["train.epochs"] == 6 and longer.user_factors.tobytes() == whole.user_factors.tobytes()


def test_resume_a_run_of_the_program(run, table, tmp_path):
    pairs = write_pairs(table, tmp_path)
    program("train", pairs, "--out", tmp_path / "run", "--quiet", *options({**CONFIG, "train.epochs": 2}))
    pairs.unlink()  # the run has its own copy
    resumed = tern.Run.resume(tmp_path / "run", {"train.epochs": 4}, show_progress=False)
    assert resumed.user_factors.tobytes() == run.user_factors.tobytes()


def test_checkpoints_within_an_epoch(data, tmp_path):
    seen = []

    def look(epoch, *_):
        seen.extend(path.name for path in (tmp_path / "run/checkpoints").iterdir())

    config = {**CONFIG, "train.epochs": 1, "checkpoint.every_minutes": 1e-9}
    tern.train(data, config, out=tmp_path / "run", callback=look, show_progress=False)
    assert any("-step-" in name for name in seen), seen


def test_rollback(data, table, tmp_path, caplog):
    config = {**CONFIG, "optimizer.learning_rate": 1e38, "train.on_nan": "rollback", "train.max_rollbacks": 100,
              "train.epochs": 2}
    run = tern.train(data, config, out=tmp_path / "run", show_progress=False)
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert any("rolled back to 0 epochs" in text for text in warnings) and len(run.metrics) == 2
    program("train", write_pairs(table, tmp_path), "--out", tmp_path / "other", "--quiet", *options(config))
    assert tern.Run.open(tmp_path / "other").user_factors.tobytes() == run.user_factors.tobytes()
    with pytest.raises(tern.NumericalFault, match="after 1 rollbacks"):
        tern.train(data, {**config, "train.max_rollbacks": 1}, out=tmp_path / "few", show_progress=False)


def test_resume_of_fitted_models(data, tmp_path):
    config = {"model.kind": "ease", "ease.l2": 5}
    run = tern.train(data, config, out=tmp_path / "run")
    expected = run.recommend(["user 3"])
    assert tern.Run.resume(tmp_path / "run").recommend(["user 3"]) == expected
    (tmp_path / "run/fitted.safetensors").unlink()
    assert tern.Run.resume(tmp_path / "run").recommend(["user 3"]) == expected
    assert len(run.metrics) == 1


def test_errors_of_resume(run, tmp_path):
    with pytest.raises(tern.ConfigError, match="resume: the run was trained with model.width = 16, found 8: .* another "
                                               "directory$"):
        tern.Run.resume(run.path, {"model.width": 8})
    with pytest.raises(tern.ConfigError, match="data.k_core is a setting of the data"):
        tern.Run.resume(run.path, {"data.k_core": 2})
    with pytest.raises(tern.ConfigError, match="did you mean train.epochs"):
        tern.Run.resume(run.path, {"train.epoch": 2})
    with pytest.raises(tern.DataError, match="none"):
        tern.Run.resume(tmp_path / "none")
    assert len(tern.Run.open(run.path).metrics) == 4


def test_factors_are_views(run):
    opened = tern.Run.open(run.path)
    factors = opened.user_factors
    expected = factors.tobytes()
    assert not factors.flags.writeable and np.shares_memory(factors, opened.user_factors)
    opened.close()  # the view keeps its numbers
    del opened
    assert factors.tobytes() == expected


def test_true_callback_ends_the_training(data, tmp_path):
    short = tern.train(data, CONFIG, out=tmp_path / "run", show_progress=False, callback=lambda epoch, *_: epoch == 1)
    assert len(short.metrics) == 2


@pytest.mark.parametrize("kind", ["ease", "graph_filter"])
def test_fitted_models(kind, data, tmp_path):
    run = tern.train(data, {"model.kind": kind, "ease.l2": 5, "graph_filter.rank": 8}, out=tmp_path / "run")
    assert len(run.recommend(["user 3"], N=4)[0]) == 4 and run.metrics[0]["epoch"] == 0
    assert lists_of(run, ["user 3"])
    with pytest.raises(tern.ConfigError, match="embeddings"):
        run.user_factors


def test_ids_may_be_numbers(tmp_path):
    data = tern.Dataset.from_interactions({"user": [1, 1, 1, 2, 2, 2] * 2, "item": [7, 8, 9, 7, 8, 5] * 2},
                                          config={"data.valid_fraction": 0.0})
    run = tern.train(data, {**CONFIG, "train.epochs": 1}, out=tmp_path / "run", show_progress=False)
    assert run.recommend([1]) == run.recommend(["1"])


def test_errors(run, data, tmp_path, monkeypatch):
    with pytest.raises(tern.DataError, match="there is no user \"user 333\"; the most similar"):
        run.recommend(["user 333"])
    with pytest.raises(tern.ConfigError, match="N: found 0"):
        run.recommend(["user 3"], N=0)
    with pytest.raises(TypeError, match="N: found str, expected a whole number"):
        run.similar_items("item 3", N="3")
    for users in ("user 3", 3, None):
        with pytest.raises(TypeError, match="users: found .*, expected a list of ids"):
            run.recommend(users)
    with pytest.raises(TypeError, match="filter_items: found str, expected a list"):
        run.recommend(["user 3"], filter_items="item 3")
    with pytest.raises(TypeError, match="users: found NoneType, expected an id"):
        run.recommend([None])
    with pytest.raises(TypeError, match="item: found list, expected an id"):
        run.similar_items(["item 3"])
    with pytest.raises(tern.DataError, match="items is empty"):
        run.recommend(["user 3"], items=[])
    assert run.recommend(np.array(["user 3"]), N=2**70) == run.recommend(["user 3"], N=30)
    with pytest.raises(tern.Error, match="holds a run already: pass overwrite=True"):
        tern.train(data, CONFIG, out=run.path, show_progress=False)
    with pytest.raises(tern.ConfigError, match="did you mean train.epochs"):
        tern.train(data, {"train.epoch": 3}, out=tmp_path / "run")
    with pytest.raises(tern.ConfigError, match="data.k_core is a setting of the data set"):
        tern.train(data, {**CONFIG, "data.k_core": 2}, out=tmp_path / "run")
    with pytest.raises(tern.ConfigError, match="found str, expected a mapping"):
        tern.train(data, "lightgcn", out=tmp_path / "run")
    with pytest.raises(TypeError, match="found dict, expected a tern.Dataset"):
        tern.train(CONFIG, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(tern.DataError, match="none"):
        tern.Run.open(tmp_path / "none")
    monkeypatch.chdir(tmp_path)
    made = tern.train(data, CONFIG, show_progress=False)
    assert str(made.path) == "runs/python-lightgcn-1"
    made.close()
    with pytest.raises(tern.Error, match="is closed"):
        made.recommend(["user 3"])
    again = tern.train(data, {**CONFIG, "train.epochs": 1}, out=made.path, overwrite=True, show_progress=False)
    assert len(again.metrics) == 1
