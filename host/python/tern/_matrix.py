"""Checks of sparse matrices and ids, and their conversion to what the native part takes."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tern._errors import DataError, ParameterWarning, ShapeError

Csr = tuple[NDArray[np.int64], NDArray[np.int32]]

_MAX_NODES = 2**31 - 2


def is_csr(matrix: object) -> bool:
    """Whether this is a SciPy matrix or array in CSR."""
    return getattr(matrix, "format", None) == "csr" and hasattr(matrix, "indptr")


def as_csr(name: str, matrix: Any) -> Any:
    """A SciPy matrix of any format, or a dense one, in CSR."""
    if is_csr(matrix):
        return matrix
    if not hasattr(matrix, "tocsr"):
        array = np.asarray(matrix)
        if array.ndim != 2 or array.dtype.kind not in "biuf":
            raise ShapeError(f"{name} is a {type(matrix).__name__}, expected a matrix of (users, items), "
                             "best a scipy.sparse.csr_matrix")
        from scipy.sparse import csr_matrix  # type: ignore[import-untyped]

        matrix = csr_matrix(array)
        found = "a dense matrix"
    else:
        found = f"a {type(matrix).__name__}"
        matrix = matrix.tocsr()
    warnings.warn(f"{name} is {found}; converting it to CSR takes time and memory",
                  ParameterWarning, stacklevel=4)
    return matrix


def interactions(name: str, matrix: Any) -> Csr:
    """(offsets, items) of the interactions of a CSR matrix: its stored elements that are not 0.

    Arrays of the right type and order are not copied. Raises DataError on negative numbers and NaN.
    """
    if matrix.shape[0] > _MAX_NODES or matrix.shape[1] > _MAX_NODES:
        raise ShapeError(f"{name} has the shape {matrix.shape}, expected at most {_MAX_NODES} of each")
    values = matrix.data[: matrix.indptr[-1]]
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
