"""Models that are fitted without training, and score users by their items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tern import _matrix, _tern
from tern._config import ConfigValue
from tern._errors import DataError
from tern._estimator import (
    Callback,
    Estimator,
    Lists,
    ModelLock,
    NotFittedError,
    Request,
    log,
    rows_of,
    training_data,
)


class ItemModel(Estimator):
    """A model without numbers of users: it scores any row of items, also of users that it was not fitted to.

    Fitted on the CPU, in f32 with the bits of the program's.
    """

    def _begin(self) -> None:
        self._lock = ModelLock()
        self._data: _tern.Dataset | None = None
        self._model: _tern.ItemModel | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_data": None, "_model": None, "_arrays_": self._state()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        arrays = state.pop("_arrays_")
        self.__dict__.update(state)
        if arrays:
            self._restore(arrays)

    def fit(self, user_items: Any, valid: Any = None, callback: Callback | None = None,
            show_progress: bool = True) -> Self:
        """Fits the elements of a sparse matrix that are not 0; see LightGCN.fit.

        valid, callback and show_progress have no effect: there are no epochs. Ctrl-C ends the fit: KeyboardInterrupt is
        raised, and the model is as it was before.
        """
        config = self._config()
        data = training_data(user_items, None)
        model = _tern.fit_items(data, config, log.debug)
        self._begin()
        self._model, self._data = model, data
        return self

    def _fitted(self) -> tuple[_tern.ItemModel, _tern.Dataset]:
        if self._model is None or self._data is None:
            raise NotFittedError(f"the {type(self).__name__} is not fitted: call fit() first")
        return self._model, self._data

    def recommend(self, userid: ArrayLike, user_items: Any, N: int = 10,
                  filter_already_liked_items: bool = True, filter_items: ArrayLike | None = None,
                  recalculate_user: bool = False, items: ArrayLike | None = None) -> Lists:
        """The N best items for the users with these rows of items; see LightGCN.recommend.

        Scores come from user_items alone: userid only says how many rows there are, and recalculate_user has
        no effect.
        """
        model, data = self._fitted()
        request = Request(userid, N, data.num_items, filter_items, items)
        histories = rows_of(user_items, int(np.size(userid)), data.num_items)
        with self._lock:
            lists = model.rank(histories, filter_already_liked_items, request.candidates, request.excluded,
                               request.length)
        return request.result(lists)

    def similar_items(self, itemid: ArrayLike, N: int = 10, recalculate_item: bool = False,
                      item_users: Any = None, filter_items: ArrayLike | None = None,
                      items: ArrayLike | None = None) -> Lists:
        """The N best items for a user who has this item alone, which is left out.

        Arguments, results and errors are as those of recommend(). recalculate_item raises
        NotImplementedError.
        """
        model, data = self._fitted()
        if recalculate_item:
            raise NotImplementedError(f"{type(self).__name__} has no recalculate_item")
        request = Request(itemid, N, data.num_items, filter_items, items)
        queries = _matrix.ids("itemid", itemid, data.num_items)
        histories = (np.arange(len(queries) + 1, dtype=np.int64), queries)
        with self._lock:
            lists = model.rank(histories, True, request.candidates, request.excluded, request.length)
        return request.result(lists)

    def similar_users(self, userid: ArrayLike, N: int = 10, filter_users: ArrayLike | None = None,
                      users: ArrayLike | None = None) -> Lists:
        """Not supported: raises NotImplementedError, because the model keeps no numbers of users."""
        raise NotImplementedError(f"{type(self).__name__} has no similar_users: it keeps no numbers of users")

    def _state(self) -> dict[str, NDArray[Any]]:
        if self._model is None or self._data is None:
            return {}
        offsets, items = self._data.train
        shape = np.array([self._data.num_users, self._data.num_items])
        with self._lock:  # the arrays are moved out of the model and back
            computed = self._model.arrays()
        return {"data.offsets": offsets, "data.items": items, "data.shape": shape, **computed}

    def _restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        own = {name: array for name, array in arrays.items() if not name.startswith("data.")}
        if len(own) == len(arrays):
            raise DataError(f"the file has no data of a {type(self).__name__}")
        data = _tern.Dataset.from_csr(int(arrays["data.shape"][1]),
                                      (arrays["data.offsets"], arrays["data.items"]), None)
        self._model = _tern.restore_items(data, self._config(), own)
        self._data = data


class EASE(ItemModel):
    """EASE (Steck 2019): a ridge regression of each item on the others, in closed form.

    l2: the penalty of the weights: more for denser data. config: other keys, as for LightGCN.
    The weights take 4 bytes for each pair of items. At most 60,000 items.
    """

    _kind = "ease"
    _keys = {"l2": "ease.l2"}

    def __init__(self, *, l2: float = 200.0, config: Mapping[str, ConfigValue] | None = None) -> None:
        self.l2 = l2
        self.config = config
        self._begin()


class GraphFilter(ItemModel):
    """GF-CF (Shen et al. 2021): a linear filter of the graph beside its leading singular vectors.

    rank: singular vectors of the low-pass filter. alpha: its weight. seed: of the first vectors. config: other keys, as
    for LightGCN.
    """

    _kind = "graph_filter"
    _keys = {"rank": "graph_filter.rank", "alpha": "graph_filter.alpha", "seed": "train.seed"}

    def __init__(self, *, rank: int = 256, alpha: float = 0.3, seed: int = 0,
                 config: Mapping[str, ConfigValue] | None = None) -> None:
        self.rank = rank
        self.alpha = alpha
        self.seed = seed
        self.config = config
        self._begin()
