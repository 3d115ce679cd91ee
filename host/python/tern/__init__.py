"""Tern: a training engine for graph recommenders."""

from __future__ import annotations

from tern._errors import (
    ConfigError,
    DataError,
    DeviceError,
    Error,
    MemoryError,
    NumericalFault,
    ParameterWarning,
    ShapeError,
)
from tern._tern import version as __version__

__all__ = [
    "ConfigError",
    "DataError",
    "DeviceError",
    "Error",
    "MemoryError",
    "NumericalFault",
    "ParameterWarning",
    "ShapeError",
    "__version__",
]
