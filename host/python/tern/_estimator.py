"""What all models share: parameters, fit, files."""

from __future__ import annotations

import inspect
import io
import json
import logging
import os
import threading
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import IO, Any, ClassVar, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tern import _matrix, _tern
from tern._config import as_settings, make_config, plain
from tern._errors import ConfigError, DataError, Error, ShapeError

log = logging.getLogger("tern")

Lists = tuple[NDArray[np.int32], NDArray[np.float32]]
#: callback(epoch, seconds, record): epoch from 0; the result True ends the training.
Callback = Callable[[int, float, _tern.EpochRecord], object]
Path = str | os.PathLike[str]
File = Path | IO[bytes]
_T = TypeVar("_T")


class NotFittedError(Error, AttributeError):
    """A model that is used before fit()."""


def asks_to_stop(result: object) -> bool:
    """Whether a callback returned True, also of NumPy. Other results, such as those of a progress bar, are ignored."""
    return isinstance(result, (bool, np.bool_)) and bool(result)


class ModelLock:
    """Lets one thread at a time into a model. A copy, and a forked process, begin with a free one.

    All locks are equal, so that the attributes of a copied model equal those of the model.
    """

    def __init__(self) -> None:
        self._free()

    def _free(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        if self._process != os.getpid():
            self._free()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ModelLock)

    def __hash__(self) -> int:
        return hash(ModelLock)

    def __reduce__(self) -> tuple[type[ModelLock], tuple[()]]:
        return ModelLock, ()


class Estimator(ABC):
    """Base of all models. Its parameters are the arguments of __init__, as in scikit-learn.

    Parameters have the names of the last parts of the program's configuration keys; `config` sets any
    other key by its full name, such as {"contrast.kind": "xsimgcl"}. They are checked by fit().
    """

    _kind: ClassVar[str]
    #: Parameters, and the keys that they set.
    _keys: ClassVar[dict[str, str]] = {}
    #: Attributes of a fitted model that are arrays.
    _arrays: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def _parameter_names(cls) -> list[str]:
        return list(inspect.signature(cls).parameters)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name."""
        return {name: getattr(self, name) for name in self._parameter_names()}

    def set_params(self, **parameters: Any) -> Self:
        """Sets parameters by name. Raises ConfigError on an unknown one."""
        names = self._parameter_names()
        for name, value in parameters.items():
            if name not in names:
                raise ConfigError(f"{type(self).__name__} has no parameter {name!r}; "
                                  f"it has {', '.join(names)}")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        default = inspect.signature(type(self)).parameters
        changed = [f"{name}={value!r}" for name, value in self.get_params().items()
                   if repr(value) != repr(default[name].default)]
        return f"{type(self).__name__}({', '.join(changed)})"

    def _settings(self) -> dict[str, object]:
        """Keys of the configuration with their values."""
        settings: dict[str, object] = {"model.kind": self._kind}
        for name, key in self._keys.items():
            settings[key] = getattr(self, name)
        extra = as_settings(getattr(self, "config", None))
        self._check_extra(extra)
        return {**settings, **extra}

    def _check_extra(self, extra: Mapping[str, object]) -> None:
        """Raises ConfigError on a key of `config` that would be overruled or have no effect."""
        name = type(self).__name__
        if extra.get("model.kind", self._kind) != self._kind:
            raise ConfigError(f"model.kind: found {extra['model.kind']!r} for a {name}, expected {self._kind!r}")
        for parameter, key in self._keys.items():
            if key in extra:
                raise ConfigError(f"config: {key} is set by the parameter {parameter}= of {name}: leave it out of config")
        for key in extra:
            if str(key).startswith(("data.", "checkpoint.")):
                raise ConfigError(f"config: {key} has no effect on {name}.fit(); use tern.Dataset and tern.train()")
        if extra.get("train.on_nan") == "rollback":
            raise ConfigError("train.on_nan: found rollback, which needs the checkpoints of a run: use tern.train()")

    def _config(self) -> _tern.Config:
        config = make_config(self._settings())
        config.validate()
        return config

    @abstractmethod
    def fit(self, user_items: Any, valid: Any = None, callback: Callback | None = None,
            show_progress: bool = True) -> Self: ...

    @abstractmethod
    def recommend(self, userid: ArrayLike, user_items: Any, N: int = 10,
                  filter_already_liked_items: bool = True, filter_items: ArrayLike | None = None,
                  recalculate_user: bool = False, items: ArrayLike | None = None) -> Lists: ...

    @abstractmethod
    def _state(self) -> dict[str, NDArray[Any]]:
        """The arrays of a fitted model for a file; empty before fit()."""

    @abstractmethod
    def _restore(self, arrays: Mapping[str, NDArray[Any]]) -> None: ...

    def save(self, file: File) -> None:
        """Writes parameters and arrays, but no history, as NumPy's npz for load().

        file: a path, to which ".npz" is added if it lacks it, or a file that is open for writing bytes.
        """
        described = {"class": type(self).__name__, "parameters": self.get_params()}
        parameters = json.dumps(described, default=plain)
        arrays: dict[str, Any] = {"parameters": np.array(parameters), **self._state()}
        np.savez(_path_or_file(file), **arrays)

    @classmethod
    def load(cls, file: File) -> Self:
        """A model that save() wrote. Raises DataError if the file is damaged or another one, and OSError."""
        target = _path_or_file(file)
        if isinstance(target, str) and not target.endswith(".npz"):
            target += ".npz"
        try:
            arrays = _read_arrays(target)
            described = json.loads(str(arrays.pop("parameters")))
            if described["class"] != cls.__name__:
                raise ValueError(f"found a model of the class {described['class']}, expected {cls.__name__}")
            model = cls(**{name: tuple(value) if isinstance(value, list) else value
                           for name, value in described["parameters"].items()})
            if arrays:
                model._restore(arrays)
        except KeyError as error:
            raise DataError(f"{target}: no model can be read: {error} is missing") from error
        except (ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise DataError(f"{target}: no model can be read: {error}") from error
        return model


def _path_or_file(file: File) -> Any:
    return file if isinstance(file, io.IOBase) or hasattr(file, "write") else os.fspath(file)


def _read_arrays(target: Any) -> dict[str, NDArray[Any]]:
    if not hasattr(target, "read"):
        with open(target, "rb") as file:  # NumPy does not close a damaged one
            return _read_arrays(file)
    stored = np.load(target, allow_pickle=False)
    if isinstance(stored, np.ndarray):
        raise ValueError("found one array, expected an archive of several")
    with stored:
        return dict(stored.items())


def training_data(user_items: Any, valid: Any) -> _tern.Dataset:
    """The data of fit(). Raises ShapeError, DataError."""
    user_items = _matrix.as_csr("user_items", user_items)
    train = _matrix.interactions("user_items", user_items)
    held_out = None
    if valid is not None:
        valid = _matrix.as_csr("valid", valid)
        if valid.shape != user_items.shape:
            raise ShapeError(f"valid has the shape {valid.shape}, expected {user_items.shape} as "
                             "user_items has")
        held_out = _matrix.interactions("valid", valid)
    return _tern.Dataset.from_csr(int(user_items.shape[1]), train, held_out)


class Request:
    """The arguments of recommend(), checked: see Estimator.recommend."""

    def __init__(self, userid: ArrayLike, N: int, num_items: int, filter_items: ArrayLike | None,
                 items: ArrayLike | None, name: str = "items") -> None:
        self.scalar = np.ndim(userid) == 0
        self.length = _matrix.list_length(N)
        self.candidates: NDArray[np.int32] | None = None
        self.excluded: NDArray[np.int32] | None = None
        if items is not None:
            if filter_items is not None and np.size(filter_items):
                raise ConfigError(f"{name} and filter_{name} exclude each other: leave one of them out")
            self.candidates = _matrix.unique_ids(name, items, num_items)
            if not len(self.candidates):
                raise DataError(f"{name} is empty, expected at least one id")
        elif filter_items is not None:
            self.excluded = _matrix.unique_ids(f"filter_{name}", filter_items, num_items)

    def result(self, lists: Lists) -> Lists:
        """One list if the id was a scalar."""
        return (lists[0][0], lists[1][0]) if self.scalar else lists


def rows_of(user_items: Any, queries: int, num_items: int) -> _matrix.Csr:
    """The interactions of user_items, a row a query. Raises ShapeError."""
    if hasattr(user_items, "tocsr") and len(user_items.shape) == 1:  # a row of a csr_array
        user_items = user_items.reshape(1, -1).tocsr()
    if not _matrix.is_csr(user_items):
        raise ShapeError(f"user_items: found {_matrix.kind_of(user_items)}, expected a CSR matrix, a row for each "
                         "user")
    if user_items.shape != (queries, num_items):
        raise ShapeError(f"user_items has the shape {user_items.shape}, expected "
                         f"{(queries, num_items)}: a row for each user that is asked for")
    return _matrix.interactions("user_items", user_items)
