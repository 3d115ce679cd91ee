"""Tern: a training engine for graph recommenders.

    model = tern.LightGCN(epochs=20)
    model.fit(user_items)                                    # a scipy.sparse matrix of users and items
    ids, scores = model.recommend(0, user_items[0], N=10)

Models: LightGCN, MatrixFactorization and GCMC are trained and have factors; EASE and GraphFilter are fitted in
one go. Their methods are those of the package implicit. The same seed gives the same factors, bit for bit,
as the program `tern train`.

With the ids of a data frame, and a run directory that the program reads too:

    data = tern.Dataset.from_interactions(frame, user="customer", item="article")
    run = tern.train(data, {"model.kind": "lightgcn", "train.epochs": 20}, out="runs/first")
    run.recommend(users=["ann"], N=10)                       # [[("tea", 0.93), ...]]

All exceptions are tern.Errors, and of a class of Python's own: ConfigError, DataError and ShapeError are ValueErrors,
DeviceError is a RuntimeError, MemoryError a MemoryError, NumericalFault an ArithmeticError, NotFittedError an
AttributeError. Unknown numbers of users and items are IndexErrors, arguments of a wrong type TypeErrors.
Messages are logged by the logger "tern".
"""

from tern._config import recipe
from tern._dataset import Dataset, Features
from tern._errors import (
    ConfigError,
    DataError,
    DeviceError,
    Error,
    NumericalFault,
    ParameterWarning,
    ShapeError,
)
from tern._errors import MemoryError as MemoryError  # not in __all__: `import *` leaves Python's own
from tern._estimator import NotFittedError
from tern._factors import GCMC, LightGCN, MatrixFactorization
from tern._items import EASE, GraphFilter
from tern._run import Run, train
from tern._tern import EpochRecord, config_keys
from tern._tern import version as __version__

__all__ = [
    "EASE",
    "GCMC",
    "ConfigError",
    "DataError",
    "Dataset",
    "DeviceError",
    "EpochRecord",
    "Error",
    "Features",
    "GraphFilter",
    "LightGCN",
    "MatrixFactorization",
    "NotFittedError",
    "NumericalFault",
    "ParameterWarning",
    "Run",
    "ShapeError",
    "__version__",
    "config_keys",
    "recipe",
    "train",
]
