"""The exceptions of Tern. Their messages are those of the program."""

from __future__ import annotations

import builtins


class Error(Exception):
    """Base of all exceptions that Tern raises."""


class ConfigError(Error, ValueError):
    """An unknown option, a value out of range, or options that exclude each other."""


class ShapeError(Error, ValueError):
    """Arrays or matrices whose shapes do not fit together."""


class DataError(Error, ValueError):
    """Input data that cannot be used. The message begins with the file and, if it is known, the line."""

    file: str = ""
    line: int = 0


class NumericalFault(Error, ArithmeticError):
    """A loss, gradient or parameter is not finite: training has diverged."""


class DeviceError(Error, RuntimeError):
    """A device that is absent or that reported a failure."""


class MemoryError(DeviceError, builtins.MemoryError):
    """Not enough memory on a device or the host."""


class ParameterWarning(UserWarning):
    """An argument that had to be converted first, which takes time and memory."""
