"""Configurations from Python values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np

from tern import _tern
from tern._errors import ConfigError

ConfigValue = bool | int | float | str | Sequence[int]


def plain(value: object) -> object:
    """Scalars and arrays of NumPy as Python's numbers and lists; others as they are."""
    return value.tolist() if isinstance(value, (np.generic, np.ndarray)) else value


def to_toml(value: object) -> str:
    """A value as TOML. Raises TypeError if it is none that a key can have."""
    value = plain(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, Sequence):
        return "[" + ", ".join(to_toml(item) for item in value) + "]"
    raise TypeError(f"a value of the configuration is a {type(value).__name__}, "
                    "expected a number, a string or a list of integers")


def recipe(name: str) -> dict[str, ConfigValue]:
    """The settings of a publication by its name in `tern train --recipe`, such as "bsl", by their full keys.

    For tern.train(data, {**tern.recipe("bsl"), "train.epochs": 20}). Raises ConfigError on an unknown name, with
    the known ones, and on "auto", whose search only the program does.
    """
    return {key: json.loads(value) for key, value in _tern.recipe_settings(name)}


def as_settings(config: Mapping[str, ConfigValue] | None) -> dict[str, object]:
    """The argument `config` as a dict. Raises ConfigError if it is no mapping."""
    if config is not None and not isinstance(config, Mapping):
        raise ConfigError(f"config: found {type(config).__name__}, expected a mapping such as {{'train.epochs': 20}}")
    return dict(config or {})


def make_config(settings: Mapping[str, object], base: _tern.Config | None = None) -> _tern.Config:
    """The base with these keys set, by default the configuration of all defaults. Raises ConfigError."""
    config = base if base is not None else _tern.Config()
    for key, value in settings.items():
        if not isinstance(key, str):
            raise ConfigError(f"config: found the key {key!r}, expected text such as 'train.epochs'")
        try:
            config.set(key, to_toml(value))
        except TypeError as error:
            raise ConfigError(f"{key}: {error}") from None
    return config
