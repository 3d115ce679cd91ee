"""Data sets with the user's own ids."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tern import _matrix, _tern
from tern._config import ConfigValue, as_settings, make_config
from tern._errors import ConfigError, DataError, ShapeError

Path = str | os.PathLike[str]
_FeatureRows = tuple[list[str], list[str], NDArray[np.float32]]
#: Or the text of a table, whose first column holds ids.
_FeatureSource = _FeatureRows | bytes
#: The name of the table of interactions in messages.
_TABLE = "interactions"


@dataclass(frozen=True)
class Features:
    """Features of one side: row r of values, (ids, columns), dense or scipy.sparse, belongs to ids[r].

    columns: names; None: "0", "1", ... Rows of ids that the data lacks are left out, and nodes without a row get
    zeros. Kept dense, in float32.
    """

    ids: Sequence[object]
    values: Any
    columns: Sequence[str] | None = None

    def _rows(self, name: str) -> _FeatureRows:
        values = self.values.toarray() if hasattr(self.values, "toarray") else np.asarray(self.values)
        if values.ndim != 2 or len(values) != len(self.ids):
            raise ShapeError(f"{name}: the values have the shape {values.shape} for {len(self.ids)} ids, expected "
                             "a row for each")
        columns = self.columns if self.columns is not None else range(values.shape[1])
        if values.dtype.kind not in "biuf":
            raise DataError(f"{name}: found values of type {values.dtype}, expected numbers")
        return ([str(node) for node in self.ids], [str(column) for column in columns],
                np.ascontiguousarray(values, dtype=np.float32))


@dataclass(frozen=True)
class _Columns:
    """Interactions in memory, by the codes of their ids."""

    user_names: _tern.Names
    item_names: _tern.Names
    users: NDArray[np.int32]
    items: NDArray[np.int32]
    ratings: NDArray[np.float64] | None
    times: NDArray[np.float64] | None
    user_features: _FeatureSource | None = None
    item_features: _FeatureSource | None = None

    def build(self, config: _tern.Config) -> _tern.Dataset:
        return _tern.build_dataset(config, self.user_names, self.item_names, self.users, self.items,
                                   self.ratings, self.times, self.user_features, self.item_features)


class Dataset:
    """Interactions in three splits, with ids. Made by from_interactions()."""

    def __init__(self, native: _tern.Dataset, source: _Columns | str, config: Mapping[str, object]) -> None:
        self._native = native
        self._source = source
        self._settings = config

    @classmethod
    def from_interactions(cls, interactions: Any, user: str | None = None, item: str | None = None,
                          rating: str | None = None, timestamp: str | None = None, *,
                          user_features: Any = None, item_features: Any = None,
                          config: Mapping[str, ConfigValue] | None = None) -> Dataset:
        """Interactions from a table, a mapping of columns, a sparse matrix, or a path.

        interactions: an object with `__arrow_c_stream__` (a data frame of pandas or polars, a table of pyarrow),
            or a mapping from names to arrays or lists: user, item, rating and timestamp name its columns, by
            default "user", "item", and none of the others. Ids are integers or text. Or a scipy.sparse matrix
            of (users, items), whose ids are the numbers of rows and columns and whose values are the
            ratings, stored zeros among them. Or the path of a file or directory that the program reads.
        user_features, item_features: for "gcmc". A table or mapping as for interactions, keyed by the same column
            of ids: numbers, times and truth values stay numbers, and missing ones count as the mean of their
            column; text becomes columns of 0 and 1, one for each value, and "a|b" has two. Or tern.Features; or a
            matrix, scipy.sparse or dense, whose row r belongs to the id r, a number. Beside a path, features are
            files of the directory.
        config: keys of the section data, such as {"data.split": "time", "data.k_core": 5}; no others.

        Users and items are numbered in the order of their first appearance. Ratings serve data.min_rating alone, which
        drops interactions without one. Raises ConfigError, ShapeError, and DataError, which names the row of a
        missing id.
        """
        settings = as_settings(config)
        for key in settings:
            if "." in str(key) and not str(key).startswith("data."):
                raise ConfigError(f"config: found the key {key!r}, expected one of the section data, such as "
                                  "'data.k_core'")
        names = {"user": user, "item": item, "rating": rating, "timestamp": timestamp}
        if isinstance(interactions, (str, os.PathLike)):
            path = os.path.abspath(interactions)
            if user_features is not None or item_features is not None:
                raise ConfigError("user_features and item_features are for interactions in memory: beside a path, the "
                                  "features are files")
            settings.update({f"data.{side}_column": name for side, name in names.items() if name})
            return cls(_tern.Dataset.load(path, make_config(settings)), path, settings)
        for side, name in names.items():
            if name is not None and not isinstance(name, str):
                raise TypeError(f"{side}: found {type(name).__name__}, expected the name of a column")
        if hasattr(interactions, "__arrow_c_stream__"):
            source = _from_arrow(interactions, user or "user", item or "item", rating, timestamp)
        elif isinstance(interactions, Mapping) or _is_pandas(interactions):
            source = _from_mapping(interactions, user or "user", item or "item", rating, timestamp)
        elif hasattr(interactions, "tocoo"):
            source = _from_sparse(interactions)
        else:
            raise DataError(f"interactions: found {type(interactions).__name__}, expected a table, a mapping of "
                            "columns such as {'user': [...], 'item': [...]}, a sparse matrix or a path")
        if hasattr(interactions, "tocoo"):
            _expect_a_row_for_each("user_features", user_features, interactions.shape[0])
            _expect_a_row_for_each("item_features", item_features, interactions.shape[1])
        features = [_feature_source("user_features", user_features, user or "user"),
                    _feature_source("item_features", item_features, item or "item")]
        source = _Columns(source.user_names, source.item_names, source.users, source.items,
                          source.ratings, source.times, features[0], features[1])
        return cls(source.build(make_config(settings)), source, settings)

    def split(self, method: str = "random", *, test_fraction: float = 0.2,
              valid_fraction: float | None = None, seed: int = 0) -> Dataset:
        """The same interactions, split anew.

        method: "random" (per user), "leave-one-out", "cold-items" or "time", which needs timestamps.
        test_fraction, valid_fraction: shares of the test split, and of the validation split in the rest; None: as
            before. seed: of the random methods. Raises ConfigError.
        """
        settings = {**self._settings, "data.split": method, "data.test_fraction": test_fraction,
                    "data.split_seed": seed}
        if valid_fraction is not None:
            settings["data.valid_fraction"] = valid_fraction
        config = make_config(settings)
        if isinstance(self._source, str):
            return Dataset(_tern.Dataset.load(self._source, config), self._source, settings)
        return Dataset(self._source.build(config), self._source, settings)

    @property
    def users(self) -> list[str]:
        """Ids of users: users[n] is row n of train, valid and test. A copy."""
        return self._native.users

    @property
    def items(self) -> list[str]:
        """Ids of items: items[n] is column n of train, valid and test. A copy."""
        return self._native.items

    @property
    def train(self) -> Any:
        """The interactions to train on: a scipy.sparse.csr_matrix, (users, items), of ones in float32.

        Its indices and offsets are views of the data set, and read-only; so are those of valid and test.
        """
        return self._matrix(self._native.train)

    @property
    def valid(self) -> Any:
        """The interactions that choose the best epoch."""
        return self._matrix(self._native.valid)

    @property
    def test(self) -> Any:
        """The interactions that measure the result."""
        return self._matrix(self._native.test)

    @property
    def notes(self) -> list[str]:
        """Sentences on columns, filters and unusual findings."""
        return self._native.notes

    def _matrix(self, csr: tuple[Any, Any]) -> Any:
        from scipy.sparse import csr_matrix  # type: ignore[import-untyped]

        offsets, items = csr
        shape = (self._native.num_users, self._native.num_items)
        return csr_matrix((np.ones(len(items), dtype=np.float32), items, offsets), shape=shape)

    def __repr__(self) -> str:
        sizes = (len(split[1]) for split in (self._native.train, self._native.valid, self._native.test))
        return (f"<tern.Dataset of {self._native.num_users} users and {self._native.num_items} items: "
                + " + ".join(f"{size} {name}" for size, name in zip(sizes, ("train", "valid", "test"))) + ">")


def _is_matrix(features: Any) -> bool:
    return isinstance(features, np.ndarray) or hasattr(features, "tocoo")


def _expect_a_row_for_each(name: str, features: Any, nodes: int) -> None:
    if _is_matrix(features) and features.shape[0] != nodes:
        raise ShapeError(f"{name}: found {features.shape[0]} rows, expected {nodes}, as the matrix of interactions has "
                         "(tern.Features(ids, values) gives rows to some)")


def _feature_source(name: str, features: Any, key: str) -> _FeatureSource | None:
    if features is None or isinstance(features, Features):
        return None if features is None else features._rows(name)
    if _is_matrix(features):
        return Features(range(features.shape[0]), features)._rows(name)
    if hasattr(features, "__arrow_c_stream__"):
        try:
            return _tern.read_arrow_features(features.__arrow_c_stream__(), name, key)
        except ImportError:  # pandas needs pyarrow for it
            if not _is_pandas(features):
                raise
    if isinstance(features, Mapping) or _is_pandas(features):
        return _feature_text(name, features, key)
    raise TypeError(f"{name}: found {type(features).__name__}, expected a table keyed by the column {key!r}, "
                    "tern.Features(ids, values) or a matrix")


def _feature_text(name: str, table: Any, key: str) -> bytes:
    """The table as _tern.read_arrow_features() writes it."""
    ids = _column_of(name, table, key)
    _encode(_tern.Names(), name, key, ids)  # checks them
    columns: list[list[object]] = [[str(node) for node in ids]]
    header = [key]
    for column in table:
        if column == key:
            continue
        values = [_field(name, column, row, value) for row, value in enumerate(_plain_values(table[column]), 1)]
        columns.append(values)
        header.append(f"{column}:token" if any(isinstance(value, str) for value in values) else str(column))
    if len({len(column) for column in columns}) > 1:
        raise ShapeError(f"{name}: the columns have different lengths")
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerows([header, *zip(*columns)])
    try:
        return text.getvalue().encode()
    except UnicodeEncodeError:  # a lone surrogate
        raise DataError(f"{name}: found text that UTF-8 cannot encode") from None


def _plain_values(column: Any) -> list[object]:
    if not hasattr(column, "__array__"):
        return list(column)
    array = np.asarray(column)
    if array.dtype.kind == "M":
        return [None if missing else int(time) for time, missing in zip(array.astype(np.int64), np.isnat(array))]
    return list(array.tolist())


def _field(table: str, column: object, row: int, value: object) -> object:
    """A value of a feature as a number, text, or None if it is missing."""
    if isinstance(value, (bool, np.bool_)):
        return int(value)
    if value is None or str(value) in ("<NA>", "NaT"):  # of pandas
        return None
    if not isinstance(value, (int, float, str)):
        raise DataError(f"{table}:{row}: column {column!r} holds {value!r}, expected numbers, times, truth values or text")
    return value


def _is_pandas(table: object) -> bool:
    """Whether this is a data frame of pandas, which is a mapping of columns for reading."""
    return hasattr(table, "columns") and hasattr(table, "iloc")


def _holds_floats(column: Any) -> bool:
    """What pandas makes of integers among which some are missing."""
    return getattr(getattr(column, "dtype", None), "kind", "") == "f"


def _from_arrow(table: Any, user: str, item: str, rating: str | None, timestamp: str | None) -> _Columns:
    if _is_pandas(table) and any(_holds_floats(table.get(name)) for name in (user, item)):
        return _from_mapping(table, user, item, rating, timestamp)  # to name the row of a missing id
    try:
        stream = table.__arrow_c_stream__()
    except Exception:
        # For this, pandas needs pyarrow, which also refuses columns of mixed types, even those that nobody needs.
        if not _is_pandas(table):
            raise
        return _from_mapping(table, user, item, rating, timestamp)
    users, items = _tern.Names(), _tern.Names()
    return _Columns(users, items, *_tern.read_arrow(stream, users, items, user, item,
                                                    rating, timestamp))


def _from_mapping(table: Any, user: str, item: str, rating: str | None,
                  timestamp: str | None) -> _Columns:
    names = (_tern.Names(), _tern.Names())
    return _Columns(*names, _encode(names[0], _TABLE, user, _column_of(_TABLE, table, user)),
                    _encode(names[1], _TABLE, item, _column_of(_TABLE, table, item)),
                    _numbers(rating, _column_of(_TABLE, table, rating)) if rating else None,
                    _numbers(timestamp, _column_of(_TABLE, table, timestamp)) if timestamp else None)


def _column_of(table_name: str, table: Any, name: str) -> Any:
    if name not in table:
        raise DataError(f"{table_name}: there is no column {name!r}; found {', '.join(map(repr, table))}")
    return table[name]


def _from_sparse(matrix: Any) -> _Columns:
    values = matrix.tocoo()
    names = (_tern.Names(), _tern.Names())
    return _Columns(*names, _encode(names[0], _TABLE, "users", values.row), _encode(names[1], _TABLE, "items", values.col),
                    _numbers("values", values.data), None)


def _numbers(column: str, values: Any) -> NDArray[np.float64]:
    """Of times too: seconds or finer, as they are stored. Raises DataError, ShapeError."""
    array = np.asarray(values)
    _expect_column(_TABLE, column, array)
    if array.dtype.kind == "M":
        array = np.where(np.isnat(array), np.nan, array.astype(np.int64))
    try:
        return np.ascontiguousarray(array, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{_TABLE}: column {column!r}: expected numbers or times: {error}") from error


def _expect_column(table: str, column: str, array: NDArray[Any]) -> None:
    if array.ndim != 1:
        raise ShapeError(f"{table}: column {column!r} has {array.ndim} dimensions, expected 1")


def _encode(names: _tern.Names, table: str, column: str, values: Any) -> NDArray[np.int32]:
    # A list keeps its integers beside text.
    array = np.asarray(values) if hasattr(values, "__array__") else np.asarray(values, dtype=object)
    _expect_column(table, column, array)
    if array.dtype.kind in "iu":
        if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
            raise DataError(f"{table}: column {column!r} has the id {array.max()}, expected at most 2^63 - 1")
        return names.encode_numbers(table, column, np.ascontiguousarray(array, dtype=np.int64))
    if array.dtype.kind == "f" and np.isnan(array).any():
        row = int(np.isnan(array).argmax()) + 1
        raise DataError(f"{table}:{row}: column {column!r}: found nan, expected an integer or text as id")
    if array.dtype.kind not in "UO":
        raise DataError(f"{table}: column {column!r} holds {array.dtype}, expected integers or text as ids")
    texts = array.tolist()
    for row, value in enumerate(texts):
        if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
            texts[row] = str(value)
        elif not isinstance(value, str):
            raise DataError(f"{table}:{row + 1}: column {column!r}: found {value!r}, expected an integer or text "
                            "as id")
    try:
        return names.encode_texts(table, column, texts)
    except TypeError:  # a lone surrogate
        raise DataError(f"{table}: column {column!r}: found text that UTF-8 cannot encode") from None
