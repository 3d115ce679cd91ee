"""Models with an embedding for each user and item."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tern import _matrix, _tern
from tern._config import ConfigValue
from tern._errors import ConfigError, ShapeError
from tern._estimator import (
    Callback,
    Estimator,
    Lists,
    ModelLock,
    NotFittedError,
    Request,
    asks_to_stop,
    log,
    rows_of,
    training_data,
)

_COMMON = {
    "width": "model.width",
    "init": "model.init",
    "init_std": "model.init_std",
    "loss": "loss.kind",
    "l2": "loss.l2",
    "temperature": "loss.temperature",
    "negative_weight": "loss.negative_weight",
    "positives": "sampling.positives",
    "negatives_per_positive": "sampling.negatives_per_positive",
    "learning_rate": "optimizer.learning_rate",
    "weight_decay": "optimizer.weight_decay",
    "epochs": "train.epochs",
    "batch_size": "train.batch_size",
    "seed": "train.seed",
    "evaluate_every": "train.evaluate_every",
    "patience": "train.patience",
    "metric": "train.metric",
    "score": "evaluation.score",
    "device": "train.device",
    "threads": "train.threads",
}


class FactorModel(Estimator):
    """A model that is trained, and ranks by products of embeddings ("factors").

    user_factors: (users, width), item_factors: (items, width), float32, or None before fit(): the bits
    of the program's final embeddings for the same data, keys and seed. Other arrays may be assigned. A change in
    place is not noticed by recommend(): assign a changed copy instead.

    history: a dict an epoch, with epoch (from 1), loss, seconds, and metrics if they were measured.
    """

    _arrays: ClassVar[tuple[str, ...]] = ("user_factors", "item_factors")

    device: str
    threads: int
    epochs: int

    def _begin(self) -> None:
        self.user_factors: NDArray[np.float32] | None = None
        self.item_factors: NDArray[np.float32] | None = None
        self.history: list[dict[str, float]] = []
        self.best_epoch = 0
        self._lock = ModelLock()
        self._rankers: dict[str, tuple[tuple[Any, ...], tuple[Any, ...], _tern.FactorRanker]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_rankers": {}}

    def fit(self, user_items: Any, valid: Any = None, callback: Callback | None = None,
            show_progress: bool = True) -> Self:
        """Trains on the elements of a sparse matrix that are not 0.

        user_items: (users, items), a scipy.sparse CSR matrix; other formats are converted with a
            ParameterWarning. Values only tell 0 from others; negative ones and NaN raise DataError.
        valid: a matrix of the same shape; the epoch with the best `metric` on it counts, and training stops
            after `patience` evaluations without a better one. None: the last epoch counts.
        callback: called after each epoch as callback(epoch, seconds, record), epoch from 0;
            the result True ends the training.
        show_progress: a bar of tqdm, if that is installed.

        The engine owns its copy of the matrix: 4 bytes an interaction and 8 a user, freed when fit() returns. Arrays
        of other types than int64 offsets and int32 columns are converted first.
        Ctrl-C ends the current step: the model then has the factors so far, and KeyboardInterrupt is
        raised. The interpreter's lock is free while the model trains. Raises ConfigError, DataError,
        ShapeError, DeviceError, MemoryError, NumericalFault.
        """
        config = self._config()
        data = training_data(user_items, valid)
        self._begin()
        with _Progress(self.epochs, show_progress) as progress:
            trained, error = _tern.train_factors(data, config, self._listener(callback, progress), log.info)
        self.user_factors = trained.user_factors
        self.item_factors = trained.item_factors
        self.best_epoch = trained.best_epoch
        if error is not None:
            raise error
        return self

    def _listener(self, callback: Callback | None,
                  progress: _Progress) -> Callable[[_tern.EpochRecord], bool]:
        def on_epoch(record: _tern.EpochRecord) -> bool:
            self.history.append({"epoch": record.epoch, "loss": record.loss, "seconds": record.seconds,
                                 **(record.metrics or {})})
            for sentence in record.collapse:
                log.warning("epoch %d: %s", record.epoch, sentence)
            progress.update(record)
            seconds = record.seconds + record.evaluation_seconds
            return callback is not None and asks_to_stop(callback(record.epoch - 1, seconds, record))

        return on_epoch

    def user_factors_dlpack(self) -> NDArray[np.float32]:
        """The same numbers for torch.from_dlpack(), numpy.from_dlpack() and others, without a copy.

        The result shares its memory with user_factors, and keeps it alive. It is in the memory of the host on every device
        (__dlpack_device__() is (1, 0), the CPU): fit() on a GPU copies the final factors from it once, at its end, and
        torch.from_dlpack(...).to("cuda") copies them there again.
        """
        return _host_table(self._tables()[0])

    def item_factors_dlpack(self) -> NDArray[np.float32]:
        """The same of item_factors."""
        return _host_table(self._tables()[1])

    def _tables(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        if self.user_factors is None or self.item_factors is None:
            raise NotFittedError(f"the {type(self).__name__} has no factors: call fit() first")
        users, items = self.user_factors, self.item_factors
        if users.ndim != 2 or items.ndim != 2 or users.shape[1] != items.shape[1]:
            raise ShapeError(f"user_factors and item_factors have the shapes {users.shape} and "
                             f"{items.shape}, expected as many columns")
        return users, items

    def _ranker(self, name: str, queries: NDArray[np.float32],
                items: NDArray[np.float32], unit: bool) -> _tern.FactorRanker:
        """The tables on the device, which are uploaded once for the same tables and parameters."""
        source = (queries, items)
        settings = (unit, self.device, self.threads)
        made = self._rankers.get(name)
        if made is None or made[0][0] is not queries or made[0][1] is not items or made[1] != settings:
            table = _table(items, unit)
            rows = table if queries is items else _table(queries, unit)
            made = (source, settings, _tern.FactorRanker(rows, table, self.device, self.threads))
            self._rankers[name] = made
        return made[2]

    def recommend(self, userid: ArrayLike, user_items: Any, N: int = 10,
                  filter_already_liked_items: bool = True, filter_items: ArrayLike | None = None,
                  recalculate_user: bool = False, items: ArrayLike | None = None) -> Lists:
        """The N best items for a user, or for each of several.

        userid: a row of the matrix that the model was fitted to, or an array of rows.
        user_items: CSR, (number of ids, items): row r has the items of userid[r]. Not used without
            filter_already_liked_items.
        filter_items: ids that are left out for all. items: only these ids are ranked.
        recalculate_user: not supported: raises NotImplementedError.

        Returns (ids, scores), int32 and float32, (N) or (number of ids, N), best first, ties by ascending
        id; fewer than N only if fewer items are ranked. As in implicit, a list that is too short goes on
        with items that were left out, with the score -3.4e38. Raises IndexError on an unknown id.
        """
        users, table = self._tables()
        if recalculate_user:
            raise NotImplementedError(f"{type(self).__name__} has no recalculate_user: users are placed by fit()")
        request = Request(userid, N, len(table), filter_items, items)
        queries = _matrix.ids("userid", userid, len(users))
        observed = rows_of(user_items, len(queries), len(table)) if filter_already_liked_items else None
        with self._lock:
            ranker = self._ranker("recommend", users, table, getattr(self, "score", "dot") == "cosine")
            lists = ranker.rank(queries, observed, request.candidates, request.excluded, request.length)
        return request.result(lists)

    def _similar(self, side: str, table: NDArray[np.float32], name: str, ids: ArrayLike, N: int,
                 without: ArrayLike | None, among: ArrayLike | None) -> Lists:
        request = Request(ids, N, len(table), without, among, side)
        queries = _matrix.ids(name, ids, len(table))
        with self._lock:
            ranker = self._ranker(side, table, table, True)
            lists = ranker.rank(queries, None, request.candidates, request.excluded, request.length)
        return request.result(lists)

    def similar_items(self, itemid: ArrayLike, N: int = 10, recalculate_item: bool = False,
                      item_users: Any = None, filter_items: ArrayLike | None = None,
                      items: ArrayLike | None = None) -> Lists:
        """The N items whose factors have the greatest cosine with that of an item, itself among them.

        Arguments, results and errors are as those of recommend(). recalculate_item raises
        NotImplementedError; item_users is not used.
        """
        if recalculate_item:
            raise NotImplementedError(f"{type(self).__name__} has no recalculate_item: items are placed by fit()")
        return self._similar("items", self._tables()[1], "itemid", itemid, N, filter_items, items)

    def similar_users(self, userid: ArrayLike, N: int = 10, filter_users: ArrayLike | None = None,
                      users: ArrayLike | None = None) -> Lists:
        """The same for users."""
        return self._similar("users", self._tables()[0], "userid", userid, N, filter_users, users)

    def _state(self) -> dict[str, NDArray[Any]]:
        if self.user_factors is None or self.item_factors is None:
            return {}
        return {"user_factors": self.user_factors, "item_factors": self.item_factors}

    def _restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.user_factors = arrays["user_factors"]
        self.item_factors = arrays["item_factors"]


def _host_table(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(values, dtype=np.float32)


def _table(values: NDArray[np.float32], unit: bool) -> NDArray[np.float32]:
    """As the native part takes it; if asked for, with rows of length 1, but rows of zeros stay."""
    if unit:
        norms = np.linalg.norm(values, axis=1, keepdims=True)
        values = values / np.maximum(norms, 1e-12)
    return np.ascontiguousarray(values, dtype=np.float32)


class _Progress:
    """A bar of tqdm, if that is installed."""

    def __init__(self, epochs: int, shows: bool) -> None:
        self._bar: Any = None
        self._epoch = 0
        if not shows:
            return
        try:
            from tqdm.auto import tqdm  # type: ignore[import-untyped]
        except ImportError:
            return
        self._bar = tqdm(total=epochs, unit="epoch")

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def update(self, record: _tern.EpochRecord) -> None:
        if self._bar is not None:
            self._bar.update(record.epoch - self._epoch)  # a resumed training begins later, a rollback goes back
            self._epoch = record.epoch
            self._bar.set_postfix(loss=f"{record.loss:.4f}")


class LightGCN(FactorModel):
    """LightGCN (He et al. 2020): embeddings propagated over the graph, trained by a ranking loss.

    width: numbers per embedding. layers: propagations.
    init, init_std: "normal" with this standard deviation, or "xavier".
    loss: "bpr", "softmax", "directau", "ccl" or "sl@k".
    l2: weight of the squared norms of a batch's rows. weight_decay: this times a parameter is added to its gradient.
    temperature: softmax, sl@k: cosines are divided by it. negative_weight: softmax, sl@k, ccl: weight of the negatives.
    positives: "user": a random user, then one of its items; "interaction": each interaction once per epoch.
    negatives_per_positive: items that are drawn for each positive pair.
    learning_rate: step size of Adam. batch_size: triplets or pairs per step.
    epochs: how many to train. seed: the same seed gives the same factors, bit for bit.
    evaluate_every, metric, patience: with valid= of fit(), the metric is measured every so many epochs, the epoch with
        the best value counts, and training ends after so many evaluations without a better one (0: never).
    score: "dot" or "cosine", by which items are ranked.
    device: "auto" (a GPU if there is one), "cpu", "cuda" or "cuda:N". threads: on a CPU; 0: all that it may use.
    config: any other key by its full name, such as {"contrast.kind": "xsimgcl"}: `tern train --help` lists them, and
        so does tern.config_keys().

    Values are checked by fit().
    """

    _kind = "lightgcn"
    _keys = {**_COMMON, "layers": "model.layers"}

    def __init__(self, *, width: int = 64, layers: int = 3, init: str = "normal", init_std: float = 0.1,
                 loss: str = "bpr", l2: float = 1e-4, temperature: float = 0.1,
                 negative_weight: float = 1.0, positives: str = "user", negatives_per_positive: int = 1,
                 learning_rate: float = 0.001, weight_decay: float = 0.0, epochs: int = 100,
                 batch_size: int = 2048, seed: int = 0, evaluate_every: int = 5, patience: int = 10,
                 metric: str = "ndcg@20", score: str = "dot", device: str = "auto", threads: int = 0,
                 config: Mapping[str, ConfigValue] | None = None) -> None:
        _assign(self, locals())


class MatrixFactorization(FactorModel):
    """Matrix factorisation: an embedding for each node, trained by a ranking loss.

    Parameters are those of LightGCN without layers.
    """

    _kind = "mf"
    _keys = _COMMON

    def __init__(self, *, width: int = 64, init: str = "normal", init_std: float = 0.1,
                 loss: str = "bpr", l2: float = 1e-4, temperature: float = 0.1,
                 negative_weight: float = 1.0, positives: str = "user", negatives_per_positive: int = 1,
                 learning_rate: float = 0.001, weight_decay: float = 0.0, epochs: int = 100,
                 batch_size: int = 2048, seed: int = 0, evaluate_every: int = 5, patience: int = 10,
                 metric: str = "ndcg@20", score: str = "dot", device: str = "auto", threads: int = 0,
                 config: Mapping[str, ConfigValue] | None = None) -> None:
        _assign(self, locals())


class GCMC(FactorModel):
    """The encoder of GC-MC (van den Berg et al. 2017) over ids, trained by a ranking loss.

    hidden: widths of the layers but the last; dropout: share of the elements of messages that a training step
    drops; message_dropout: share of nodes without a message. Other parameters are those of LightGCN.
    Features of nodes need tern.Dataset.from_interactions(user_features=, item_features=) and tern.train().
    """

    _kind = "gcmc"
    _keys = {**_COMMON, "hidden": "model.hidden", "dropout": "model.dropout",
             "message_dropout": "model.message_dropout"}

    def __init__(self, *, width: int = 64, hidden: Sequence[int] = (), dropout: float = 0.0,
                 message_dropout: float = 0.0, init: str = "normal", init_std: float = 0.1,
                 loss: str = "bpr", l2: float = 1e-4, temperature: float = 0.1,
                 negative_weight: float = 1.0, positives: str = "user", negatives_per_positive: int = 1,
                 learning_rate: float = 0.001, weight_decay: float = 0.0, epochs: int = 100,
                 batch_size: int = 2048, seed: int = 0, evaluate_every: int = 5, patience: int = 10,
                 metric: str = "ndcg@20", score: str = "dot", device: str = "auto", threads: int = 0,
                 config: Mapping[str, ConfigValue] | None = None) -> None:
        _assign(self, locals())


def _assign(model: FactorModel, values: dict[str, Any]) -> None:
    """Keeps the arguments of __init__ as they are, which scikit-learn's clone() expects."""
    for name, value in values.items():
        if name != "self" and not name.startswith("__"):
            setattr(model, name, value)
    model._begin()
