"""Runs: trained models on disk, which the program reads too."""

from __future__ import annotations

import itertools
import json
import os
import pathlib
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from tern import _tern
from tern._config import ConfigValue, as_settings, make_config
from tern._dataset import Dataset
from tern._errors import ConfigError, DataError, Error
from tern._estimator import Callback, ModelLock, asks_to_stop, log
from tern._factors import _Progress
from tern._matrix import list_length

Path = str | os.PathLike[str]
#: An id: text, or a whole number, which stands for its digits.
Id = str | int
ScoredIds = list[tuple[str, float]]


class Run:
    """A run directory, as `tern train` writes it. Opened by open(), or made by tern.train()."""

    def __init__(self, path: pathlib.Path, device: str, threads: int) -> None:
        self.path = path
        self._lock = ModelLock()
        self._native: _tern.Recommender | None = _tern.Recommender.load(str(path), device, threads)

    @classmethod
    def open(cls, path: Path, *, device: str = "cpu", threads: int = 0) -> Run:
        """Opens a run, of the program or of tern.train(), for reading.

        device and threads are those that rank. Raises DataError if it is damaged or has no checkpoint.
        """
        return cls(pathlib.Path(path), device, threads)

    @classmethod
    def resume(cls, path: Path, config: Mapping[str, ConfigValue] | None = None, *, callback: Callback | None = None,
               show_progress: bool = True) -> Run:
        """Continues a run where it was stopped, or for more epochs, as `tern train --resume` does, bit for bit.

        path: a run of the program or of tern.train(). It is trained on its own copy of the data.
        config: keys to change by their full names, such as {"train.epochs": 200}. Those of data, model and optimiser
            that would not fit the trained parameters raise ConfigError.
        callback, show_progress: as for tern.train().

        A run that has all of its epochs is only opened. Raises as tern.train() does; Error if another process writes
        to the run; DataError if it is damaged or has lost its checkpoints.
        """
        settings = as_settings(config)
        for key in settings:
            if str(key).startswith("data."):
                raise ConfigError(f"config: {key} is a setting of the data, of which the run has its own copy")
        native = make_config(settings, _tern.run_config(os.fspath(path)))
        native.validate()
        _report(native, callback, show_progress, lambda *calls: _tern.resume_run(os.fspath(path), native, *calls))
        return cls._opened(path, native)

    @classmethod
    def _opened(cls, path: Path, native: _tern.Config) -> Run:
        """The run, ranked by the device that trained it."""
        return cls.open(path, device=json.loads(native.get("train.device")), threads=int(native.get("train.threads")))

    def close(self) -> None:
        """Frees the model. Methods that need it then raise Error."""
        self._native = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _model(self) -> _tern.Recommender:
        if self._native is None:
            raise Error(f"the run {self.path} is closed: open it again")
        return self._native

    def recommend(self, users: Sequence[Id] | None = None, N: int = 10, *,
                  history: Mapping[Any, Sequence[Id]] | None = None, filter_already_liked_items: bool = True,
                  items: Sequence[Id] | None = None, filter_items: Sequence[Id] | None = None,
                  cold: bool = False) -> list[ScoredIds]:
        """For each user the N best items as (id, score), best first, as `tern recommend` lists them.

        history: instead of users, those that training has not seen, with the items of each: {"dan": ["tea", "milk"]}. A
            lightgcn computes their embeddings by one propagation of these items, ease and graph_filter score by them, as
            `tern recommend --history` does; other models raise ConfigError. Items that the run does not know are left
            out, and logged. A user without an item that it knows gets the popular ones. The order is that of the mapping.
        filter_already_liked_items: leaves out the items that a user has for training or validation, or in the history.
        items: only these are ranked; None: all. filter_items: these are left out.
        cold: whether items without training interactions are listed.

        A list is shorter than N if fewer items are left. Raises DataError on an unknown id, and names similar ones, on a
        user in the history that the run knows, and if no item of the history is known; ConfigError if N is below 1.
        """
        candidates = [] if items is None else _texts("items", items)
        if items is not None and not candidates:
            raise DataError("items is empty, expected at least one id")
        excluded = [] if filter_items is None else _texts("filter_items", filter_items)
        options = (list_length(N), filter_already_liked_items, cold, candidates, excluded)
        if history is not None:
            if users is not None:
                raise TypeError("expected either users or history")
            new = _histories(history)
            with self._lock:
                return self._model().recommend_new(new, *options, log.info)
        names = _texts("users", users)
        with self._lock:
            return self._model().recommend(names, *options)

    def evaluate(self, split: Literal["test", "valid"] = "test", *, k: int | Sequence[int] | None = None,
                 baselines: bool = False, ease_l2: float = 200.0, cold: bool = False) -> dict[str, Any]:
        """How well the run ranks held-out interactions: the object of `tern evaluate --json`, with the same numbers.

        split: "test" or "valid". All items are ranked for every user with held-out items, without those that the user has
            for training and, if the test split is measured, for validation.
        k: a length of the lists, or several; None: those of the run.
        baselines: whether rankings without training are measured too: popularity, linear_filter, graph_filter (GF-CF) and
            ease with the penalty ease_l2. None stands for one that needs more memory than is free.
        cold: ranks only items without a training interaction, for a gcmc that reads features of items.

        {"metrics": {"recall@20": 0.18, ...}, "baselines": {"popularity": {"recall@20": ...}, ...}, "users": 29858, ...}:
        means over these users, from 0 to 1. The same bits for any number of threads. Raises ConfigError if nothing is held
        out, and on k out of range.
        """
        if split not in ("test", "valid"):
            raise ConfigError(f"split: found {split!r}, expected 'test' or 'valid'")
        ks = [list_length(length, "k") for length in ([k] if isinstance(k, (int, np.integer)) else k or [])]
        with self._lock:
            model = self._model()
            metrics, others = model.evaluate(split == "test", ks, cold, ease_l2 if baselines else None, log.info)
        users = int(metrics.pop("users"))
        found: dict[str, Any] = {
            "run": str(self.path), "model": self.config["model.kind"], "checkpoint": model.checkpoint,
            "epoch": model.epoch, "selected_on": self.config["train.select_on"], "split": split,
            "items": "cold" if cold else "all", "users": users, "metrics": metrics}
        if baselines:
            found["baselines"] = {name: _without_users(values) for name, values in others.items()}
        return found

    def export(self, path: Path, format: Literal["npy", "safetensors", "word2vec", "faiss"] = "npy") -> pathlib.Path:
        """Writes the final embeddings and the ids for other programs, as `tern export` does, and returns the directory.

        path: a directory, which is made; files of an earlier export are replaced. Row n of a table belongs to line n of
            users.tsv or items.tsv.
        format: "npy" (user_embeddings.npy, item_embeddings.npy), "safetensors" (embeddings.safetensors), "word2vec" (text,
            for gensim) or "faiss" (exact indices of the inner product, for faiss.read_index). A run of ease or
            graph_filter has its arrays as the first two.

        Raises ConfigError on another format and on the directory of the run; Error if writing fails, or if an id has a
        space that word2vec cannot hold.
        """
        folder = pathlib.Path(path)
        with self._lock:
            self._model().export_to(str(folder), format)
        return folder

    def similar_items(self, item: Id, N: int = 10) -> ScoredIds:
        """The N items most similar to one, itself left out, as `tern similar` lists them."""
        with self._lock:
            return self._model().similar_items(_text("item", item), list_length(N))

    def similar_users(self, user: Id, N: int = 10) -> ScoredIds:
        """The N users most similar to one, itself left out."""
        with self._lock:
            return self._model().similar_users(_text("user", user), list_length(N))

    def score(self, user: Id, item: Id) -> float | None:
        """The score by which recommend() ranks; None for an item without training interactions."""
        with self._lock:
            return self._model().score(_text("user", user), _text("item", item))

    def score_pairs(self, pairs: Iterable[tuple[Id, Id]]) -> list[float | None]:
        """The same for pairs of a user and an item, as `tern score` lists them, in less time than one by one.

        Raises DataError on an unknown id, and names similar ones.
        """
        wanted = [_pair(pair) for pair in pairs]
        with self._lock:
            return self._model().score_each(wanted)

    @property
    def users(self) -> list[str]:
        """Ids of users, by row of user_factors. A copy."""
        return self._model().users

    @property
    def items(self) -> list[str]:
        """Ids of items, by row of item_factors. A copy."""
        return self._model().items

    @property
    def user_factors(self) -> NDArray[np.float32]:
        """The final embeddings, (users, width): a view, read-only. Raises ConfigError for a fitted model."""
        return self._model().user_factors

    @property
    def item_factors(self) -> NDArray[np.float32]:
        """The final embeddings, (items, width): a view, read-only. Raises ConfigError for a fitted model."""
        return self._model().item_factors

    @property
    def config(self) -> dict[str, Any]:
        """All keys of the configuration by their full names, with their values: {"train.epochs": 20, ...}."""
        lines = (f'"{key}" = {value}' for key, value in self._model().settings.items())
        return tomllib.loads("\n".join(lines))

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl: a dict an epoch."""
        lines = (self.path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def report(self, file: Path | None = None, *, against: Sequence[Run | Path] = ()) -> pathlib.Path:
        """Writes a page on this run, as HTML for any browser, as `tern report` does, and returns its path.

        file: where it goes; None: report.html in the directory of the run.
        against: other runs of the same data, which are compared with this one, at most 7.

        It is written from the files of the runs, so that a closed run has a report too. Raises DataError if a run has other
        data, ConfigError on too many runs or the same one twice.
        """
        if isinstance(against, (str, os.PathLike, Run)):
            raise TypeError(f"against: found {type(against).__name__}, expected a list of runs")
        page = self.path / "report.html" if file is None else pathlib.Path(file)
        others = [run.path if isinstance(run, Run) else pathlib.Path(run) for run in against]
        _tern.write_report([str(path) for path in (self.path, *others)], str(page))
        return page

    def __repr__(self) -> str:
        return f"<tern.Run {self.path}>"


def _text(name: str, node: object) -> str:
    """An id as text. Raises TypeError if it is none."""
    if isinstance(node, (str, int, np.integer)) and not isinstance(node, bool):
        return str(node)
    raise TypeError(f"{name}: found {type(node).__name__}, expected an id, which is text or a whole number")


def _histories(history: object) -> list[tuple[str, list[str]]]:
    if not isinstance(history, Mapping):
        raise TypeError(f"history: found {type(history).__name__}, expected a mapping from new users to their items, such "
                        "as {'dan': ['tea', 'milk']}")
    return [(_text("history", user), _texts(f"history of {user!r}", items)) for user, items in history.items()]


def _without_users(metrics: dict[str, float] | None) -> dict[str, float] | None:
    return None if metrics is None else {name: value for name, value in metrics.items() if name != "users"}


def _pair(pair: object) -> tuple[str, str]:
    if isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2:
        found = type(pair).__name__ + (f" of {len(pair)}" if isinstance(pair, Sequence) and not isinstance(pair, str) else "")
        raise TypeError(f"pairs: found {found}, expected pairs of a user and an item")
    return _text("user", pair[0]), _text("item", pair[1])


def _texts(name: str, ids: object) -> list[str]:
    if isinstance(ids, str) or not isinstance(ids, Iterable):
        raise TypeError(f"{name}: found {type(ids).__name__}, expected a list of ids")
    return [_text(name, node) for node in ids]


def _free_path(kind: str) -> pathlib.Path:
    for n in itertools.count(1):
        path = pathlib.Path("runs") / f"python-{kind}-{n}"
        if not path.exists():
            return path
    raise AssertionError


def _report(config: _tern.Config, callback: Callback | None, show_progress: bool,
            job: Callable[..., BaseException | None]) -> None:
    """Calls job(on_epoch, on_note, on_warning), and raises the exception that ended it."""
    is_trained = json.loads(config.get("model.kind")) not in ("ease", "graph_filter")
    with _Progress(int(config.get("train.epochs")), show_progress and is_trained) as progress:

        def on_epoch(record: _tern.EpochRecord) -> bool:
            for sentence in record.collapse:
                log.warning("epoch %d: %s", record.epoch, sentence)
            progress.update(record)
            seconds = record.seconds + record.evaluation_seconds
            return callback is not None and asks_to_stop(callback(record.epoch - 1, seconds, record))

        error = job(on_epoch, log.info, log.warning)
    if error is not None:
        raise error


def train(dataset: Dataset, config: Mapping[str, ConfigValue] | None = None, *, out: Path | None = None,
          overwrite: bool = False, callback: Callback | None = None, show_progress: bool = True) -> Run:
    """Trains or fits a model, and writes the run that `tern train` would write.

    config: keys by their full names, such as {"model.kind": "mf", "train.epochs": 20}; see tern.config_keys().
        tern.recipe("bsl") gives those of a publication. Keys of the section data raise ConfigError: the data set
        has been built.
    out: the directory of the run; None: the first free runs/python-MODEL-n.
    overwrite: whether a run in `out` is replaced.
    callback, show_progress: as for LightGCN.fit.

    Checkpoints are written as by the program: every checkpoint.every_minutes, also within an epoch, and every
    checkpoint.every_epochs. Ctrl-C ends the current step, writes a checkpoint, and raises KeyboardInterrupt:
    Run.resume(out), or `tern train --resume RUN`, goes on from there, bit for bit. A fit of ease or graph_filter
    has nothing to go on from: Ctrl-C ends it, and nothing is written. With train.on_nan = "rollback", a training whose
    numbers are not finite goes on from the last checkpoint with half the learning rate.
    """
    if not isinstance(dataset, Dataset):
        raise TypeError(f"dataset: found {type(dataset).__name__}, expected a tern.Dataset")
    own = as_settings(config)
    for key, value in own.items():
        if str(key).startswith("data.") and dataset._settings.get(key) != value:
            raise ConfigError(f"config: {key} is a setting of the data set: give it to Dataset.from_interactions()")
    settings = {**dataset._settings, **own}
    if isinstance(dataset._source, str):
        settings["data.path"] = dataset._source
    native = make_config(settings)
    native.validate()
    kind = json.loads(native.get("model.kind"))
    path = pathlib.Path(out) if out is not None else _free_path(kind)
    if not overwrite and _tern.is_run(str(path)):
        raise Error(f"{path} holds a run already: pass overwrite=True, or another out")
    path.parent.mkdir(parents=True, exist_ok=True)
    _report(native, callback, show_progress,
            lambda *calls: _tern.train_run(dataset._native, native, str(path), overwrite, *calls))
    return Run._opened(path, native)
