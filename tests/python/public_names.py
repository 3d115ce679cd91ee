"""Every public name with its types, for mypy --strict; never executed."""

from __future__ import annotations

import io
import pathlib
from collections.abc import Sequence
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

import tern

Ids = NDArray[np.int32]
Scores = NDArray[np.float32]


def use_errors() -> None:
    errors: Sequence[type[tern.Error]] = (
        tern.ConfigError, tern.DataError, tern.DeviceError, tern.MemoryError, tern.NotFittedError,
        tern.NumericalFault, tern.ShapeError)
    value_errors: Sequence[type[ValueError]] = (tern.ConfigError, tern.DataError, tern.ShapeError)
    warning: type[Warning] = tern.ParameterWarning
    error = tern.DataError("file:3: found")
    assert_type(error.file, str)
    assert_type(error.line, int)
    print(errors, value_errors, warning)


def on_epoch(epoch: int, seconds: float, record: tern.EpochRecord) -> bool:
    assert_type(record.epoch, int)
    assert_type(record.loss, float)
    assert_type(record.contrast_loss, float | None)
    metrics = record.metrics
    return metrics is not None and metrics["ndcg@20"] > 0.1 and seconds > epoch


def use_models(user_items: Any) -> None:
    model = tern.LightGCN(width=32, layers=2, loss="softmax", config={"contrast.kind": "xsimgcl"})
    assert_type(model.fit(user_items, valid=user_items, callback=on_epoch, show_progress=False), tern.LightGCN)
    assert_type(model.recommend(0, user_items, N=5, filter_items=[1, 2]), tuple[Ids, Scores])
    assert_type(model.similar_items(np.arange(3)), tuple[Ids, Scores])
    assert_type(model.similar_users([1, 2], users=[3]), tuple[Ids, Scores])
    assert_type(model.user_factors, Scores | None)
    assert_type(model.item_factors, Scores | None)
    assert_type(model.user_factors_dlpack(), Scores)
    assert_type(model.item_factors_dlpack(), Scores)
    assert_type(model.history, list[dict[str, float]])
    assert_type(model.best_epoch, int)
    assert_type(model.get_params(), dict[str, Any])
    assert_type(model.set_params(width=3), tern.LightGCN)
    model.save("model.npz")
    model.save(io.BytesIO())
    assert_type(tern.LightGCN.load("model.npz"), tern.LightGCN)
    models = [tern.MatrixFactorization(seed=3), tern.GCMC(hidden=(32, 16)), tern.EASE(l2=100),
              tern.GraphFilter(rank=64)]
    for other in models:
        other.fit(user_items).recommend(0, user_items)


def use_data_and_runs(frame: Any) -> None:
    features = tern.Features(["tea", "milk"], np.ones((2, 3)), ["a", "b", "c"])
    data = tern.Dataset.from_interactions(frame, user="customer", item="article", rating="stars",
                                          timestamp="when", user_features=frame, item_features=features,
                                          config={"data.k_core": 5})
    assert_type(data, tern.Dataset)
    assert_type(data.split("time", test_fraction=0.1), tern.Dataset)
    assert_type(data.users + data.items + data.notes, list[str])
    print(data.train, data.valid, data.test)
    run = tern.train(data, {"model.kind": "mf"}, out="runs/first", overwrite=True, callback=on_epoch)
    assert_type(run, tern.Run)
    with tern.Run.open("runs/first", device="cpu", threads=2) as opened:
        assert_type(opened, tern.Run)
        assert_type(opened.recommend(users=["ann", 17], N=5, items=["tea"]), list[list[tuple[str, float]]])
        assert_type(opened.similar_items("tea"), list[tuple[str, float]])
        assert_type(opened.similar_users(17), list[tuple[str, float]])
        assert_type(opened.recommend(history={"dan": ["tea", 17]}), list[list[tuple[str, float]]])
        assert_type(opened.score("ann", "tea"), float | None)
        assert_type(opened.score_pairs([("ann", "tea"), (17, 4)]), list[float | None])
        assert_type(opened.evaluate("valid", k=[5, 10], baselines=True), dict[str, Any])
        assert_type(opened.evaluate(k=20, cold=True), dict[str, Any])
        assert_type(opened.export("exported", format="faiss"), pathlib.Path)
        assert_type(opened.user_factors, Scores)
        assert_type(opened.config, dict[str, Any])
        assert_type(opened.metrics, list[dict[str, Any]])
    assert_type(run.report("page.html", against=[run, "runs/second"]), pathlib.Path)
    run.close()
    assert_type(tern.Run.resume("runs/first", {"train.epochs": 200}, callback=on_epoch, show_progress=False), tern.Run)


def use_the_rest() -> None:
    assert_type(tern.__version__, str)
    assert_type(tern.recipe("bsl"), dict[str, bool | int | float | str | Sequence[int]])
    for key in tern.config_keys():
        assert_type((key.key, key.type, key.default_value, key.help), tuple[str, str, str, str])
