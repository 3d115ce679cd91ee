"""Checks of sparse matrices and ids, and their conversion to what the native part takes."""

from __future__ import annotations

import operator
import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tern._errors import ConfigError, DataError, ParameterWarning, ShapeError

Csr = tuple[NDArray[np.int64], NDArray[np.int32]]

_MAX_NODES = 2**31 - 2


def list_length(n: int, name: str = "N") -> int:
    """The argument N, or one of this name. Raises ConfigError below 1, TypeError unless it is a whole number."""
    try:
        length = operator.index(n)
    except TypeError:
        raise TypeError(f"{name}: found {type(n).__name__}, expected a whole number") from None
    if length < 1:
        raise ConfigError(f"{name}: found {length}, expected at least 1")
    return min(length, _MAX_NODES)  # no list is longer


def is_csr(matrix: object) -> bool:
    """Whether this is a SciPy matrix or array in CSR."""
    return getattr(matrix, "format", None) == "csr" and hasattr(matrix, "indptr")


def as_csr(name: str, matrix: Any) -> Any:
    """A SciPy matrix of any format, or a dense one, in CSR."""
    if is_csr(matrix):
        return matrix
    if len(np.shape(matrix)) != 2:
        raise ShapeError(f"{name}: found {kind_of(matrix)}, expected a matrix of (users, items), best a "
                         "scipy.sparse.csr_matrix")
    if not hasattr(matrix, "tocsr"):
        array = np.asarray(matrix)
        _check_numbers(name, array)
        from scipy.sparse import csr_matrix  # type: ignore[import-untyped]

        matrix = csr_matrix(array)
        found = "dense matrix"
    else:
        found = type(matrix).__name__
        matrix = matrix.tocsr()
    warnings.warn(f"{name} is a {found}; converting it to CSR takes time and memory",
                  ParameterWarning, stacklevel=4)
    return matrix


def kind_of(value: object) -> str:
    """The type of a value, and its shape if it has one, for messages."""
    shape = np.shape(value) if hasattr(value, "shape") else ()
    return type(value).__name__ + (f" of the shape {shape}" if shape else "")


def _check_numbers(name: str, values: NDArray[Any]) -> None:
    if values.dtype.kind not in "biuf":
        raise DataError(f"{name}: found elements of type {values.dtype}, expected numbers")


def _check_csr(name: str, matrix: Any) -> None:
    """Raises ShapeError on arrays that SciPy's own functions would follow out of bounds."""
    offsets, columns = matrix.indptr, matrix.indices
    if (len(offsets) != matrix.shape[0] + 1 or offsets[0] != 0 or np.any(offsets[1:] < offsets[:-1])
            or offsets[-1] > min(len(columns), len(matrix.data))):
        raise ShapeError(f"{name}: indptr does not ascend from 0 to at most the number of elements")
    used = columns[: offsets[-1]]
    if len(used) and (used.min() < 0 or used.max() >= matrix.shape[1]):
        wrong = used[(used < 0) | (used >= matrix.shape[1])][0]
        raise ShapeError(f"{name}: found the column {wrong}, expected 0 to {matrix.shape[1] - 1}")


def interactions(name: str, matrix: Any) -> Csr:
    """(offsets, items) of the interactions of a CSR matrix: its stored elements that are not 0.

    Arrays of the right type and order are not copied. Raises DataError on negative numbers and NaN, ShapeError on
    offsets and columns that make no matrix.
    """
    if matrix.shape[0] > _MAX_NODES or matrix.shape[1] > _MAX_NODES:
        raise ShapeError(f"{name} has the shape {matrix.shape}, expected at most {_MAX_NODES} of each")
    _check_csr(name, matrix)
    values = matrix.data[: matrix.indptr[-1]]
    _check_numbers(name, values)
    if len(values) and values.dtype.kind in "fi" and not values.min() >= 0:  # also of NaN
        place = int(np.flatnonzero(~(values >= 0))[0])
        row = int(np.searchsorted(matrix.indptr, place, side="right")) - 1
        raise DataError(f"{name}: the element ({row}, {int(matrix.indices[place])}) is {values[place]}, "
                        "expected no negative number and no NaN")
    if not np.all(values):
        matrix = matrix.copy()
        matrix.eliminate_zeros()
    if not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    offsets = np.ascontiguousarray(matrix.indptr, dtype=np.int64)
    return offsets, np.ascontiguousarray(matrix.indices[: offsets[-1]], dtype=np.int32)


def ids(name: str, values: ArrayLike, size: int) -> NDArray[np.int32]:
    """Ids of rows or columns. Raises IndexError outside of [0, size), TypeError unless integers."""
    array = np.atleast_1d(np.asarray(values))
    if array.ndim != 1:
        raise ShapeError(f"{name} has {array.ndim} dimensions, expected 1")
    if array.size == 0:
        return np.empty(0, dtype=np.int32)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} holds {array.dtype}, expected integers")
    if array.min() < 0 or array.max() >= size:
        wrong = array[(array < 0) | (array >= size)][0]
        raise IndexError(f"{name}: there is no {wrong}, expected 0 to {size - 1}")
    return np.ascontiguousarray(array, dtype=np.int32)


def unique_ids(name: str, values: ArrayLike, size: int) -> NDArray[np.int32]:
    """The same, ascending and without repeats."""
    return np.unique(ids(name, values, size))
