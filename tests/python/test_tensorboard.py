"""TensorBoard's own reader finds what a run logs for it."""

from __future__ import annotations

import subprocess
import warnings

import numpy as np
import pytest
from test_program import PROGRAM

import tern

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of TensorBoard about itself
    from google.protobuf import text_format
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import plugin_data_pb2
    from tensorboard.plugins.projector import projector_config_pb2, projector_plugin

CONFIG = {"model.kind": "lightgcn", "model.width": 8, "train.epochs": 4, "train.batch_size": 64,
          "train.evaluate_every": 2, "train.device": "cpu", "evaluation.ks": [5], "train.metric": "ndcg@5",
          "log.tensorboard": True}


@pytest.fixture(scope="module")
def data():
    users, items = np.nonzero(np.add.outer(np.arange(30), np.arange(20)) % 2 == 0)
    return tern.Dataset.from_interactions({"user": [f"user {user}" for user in users],
                                           "item": [f"item {item}" for item in items]})


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    return tern.train(data, CONFIG, out=tmp_path_factory.mktemp("runs") / "first", show_progress=False)


def accumulated(run):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return EventAccumulator(str(run.path / "tensorboard")).Reload()


def expect_curves(run, events):
    """Each number of metrics.jsonl is a point of the curve of its name, and there are no others."""
    points = {}
    for line in run.metrics:
        for key, value in line.items():
            if isinstance(value, (int, float)) and not isinstance(value, bool) and key != "epoch":
                points.setdefault(key, {})[line["epoch"]] = np.float32(value)
    curves = {tag.split("/")[1]: {point.step: np.float32(point.value) for point in events.Scalars(tag)}
              for tag in events.Tags()["scalars"]}
    assert curves == points


def test_curves(run):
    events = accumulated(run)
    expect_curves(run, events)
    assert {"loss/loss", "loss/bpr_loss", "metrics/ndcg@5", "monitors/item_effective_rank",
            "speed/triplets_per_second"} <= set(events.Tags()["scalars"])
    assert events.Tensors("configuration")[0].tensor_proto.string_val[0].startswith(b"```toml\n")


def test_hyperparameters(run):
    content = accumulated(run).SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    start = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info
    found = {key: getattr(value, value.WhichOneof("kind")) for key, value in start.hparams.items()}
    assert found.keys() == run.config.keys()
    for key, value in run.config.items():
        assert found[key] == (str(value) if isinstance(value, list) else value), key


def test_projector(run):
    folder = run.path / "tensorboard"
    config = text_format.Parse((folder / "projector_config.pbtxt").read_text(), projector_config_pb2.ProjectorConfig())
    assert [table.tensor_name for table in config.embeddings] == ["users", "items"]
    for table, ids, factors in zip(config.embeddings, (run.users, run.items), (run.user_factors, run.item_factors)):
        shown = projector_plugin._read_tensor_tsv_file(str(folder / table.tensor_path))
        header, *rows = (folder / table.metadata_path).read_text().splitlines()
        assert header == "id\tinteractions"
        names = [row.split("\t")[0] for row in rows]
        assert sorted(names) == sorted(ids)
        assert shown.tobytes() == factors[[ids.index(name) for name in names]].tobytes()


def test_a_resumed_run_replaces_later_epochs(data, tmp_path):
    path = tmp_path / "run"
    tern.train(data, {**CONFIG, "checkpoint.every_epochs": 2}, out=path, show_progress=False)
    # As if it had been killed after the second epoch's checkpoint, and two more epochs.
    for state in (path / "checkpoints").glob("epoch-000004*"):
        state.unlink()
    subprocess.run([str(PROGRAM), "train", "--resume", str(path), "--epochs", "6", "--quiet"], check=True,
                   stdout=subprocess.DEVNULL)
    resumed = tern.Run.open(path)
    assert len(list((path / "tensorboard").glob("events.out.tfevents.*"))) == 2
    events = accumulated(resumed)
    assert [point.step for point in events.Scalars("loss/loss")] == [1, 2, 3, 4, 5, 6]
    expect_curves(resumed, events)
