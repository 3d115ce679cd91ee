"""mypy --strict over the package and over a file that uses every public name."""

from __future__ import annotations

import ast
import pathlib

import tern
from mypy import api

HERE = pathlib.Path(__file__).parent


def run_mypy(*arguments: str) -> None:
    cache = HERE.parents[1] / "build/mypy"
    output, problems, status = api.run(["--strict", "--no-error-summary", f"--cache-dir={cache}", *arguments])
    assert status == 0, output + problems


def test_package():
    run_mypy("--package", "tern")


def test_every_public_name():
    run_mypy(str(HERE / "public_names.py"))
    tree = ast.parse((HERE / "public_names.py").read_text())
    used = {node.attr for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "tern"}
    assert set(tern.__all__) <= used, set(tern.__all__) - used


def test_public_names_have_a_docstring():
    for name in tern.__all__:
        public = getattr(tern, name)
        if name == "__version__":
            continue
        assert public.__doc__, name
        for member, value in vars(public).items() if isinstance(public, type) else ():
            if not member.startswith("_") and callable(value):
                assert getattr(public, member).__doc__, f"{name}.{member}"


def test_nothing_else_is_public():
    """Submodules begin with an underscore, and __init__.py imports no name for its own use."""
    public = {name for name in vars(tern) if not name.startswith("_")}
    assert public == set(tern.__all__) - {"__version__"} | {"MemoryError"}
