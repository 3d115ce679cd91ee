"""The package and the program compute the same bits."""

from __future__ import annotations

import json
import pathlib
import subprocess
import tomllib

import numpy as np
import pytest
from conftest import checkerboard
from scipy.sparse import csr_matrix, random_array

import tern

PROGRAM = pathlib.Path(__file__).resolve().parents[2] / "build/release/bin/tern"


def read_safetensors(path):
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    body = content[8 + length :]
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        dtype = {"F32": np.float32, "I64": np.int64, "I32": np.int32}[entry["dtype"]]
        tensors[name] = np.frombuffer(body[begin:end], dtype=dtype).reshape(entry["shape"])
    return tensors


def train_by_program(folder, matrix, *options):
    """The run that the program makes of the rows of the matrix, as an adjacency list."""
    assert PROGRAM.exists(), f"{PROGRAM} is missing: build the preset release"
    (folder / "data").mkdir()
    rows = (" ".join(map(str, [user, *matrix[[user]].indices])) for user in range(matrix.shape[0]))
    (folder / "data/train.txt").write_text("\n".join(rows) + "\n")
    (folder / "data/test.txt").write_text("0 0\n")
    command = [PROGRAM, "train", folder / "data", "--out", folder / "run", "--quiet", "--device", "cpu"]
    subprocess.run([*map(str, command), *options], check=True)
    return folder / "run"


@pytest.fixture(scope="module")
def matrix():
    rng = np.random.default_rng(5)
    found = csr_matrix(random_array((300, 200), density=0.05, rng=rng))
    found[:, :] = found  # canonical
    return found


MODELS = {
    "lightgcn": (tern.LightGCN(width=24, layers=2, epochs=3, batch_size=300, seed=7, learning_rate=0.01,
                               device="cpu", threads=1),
                 ["--set", "model.layers=2"]),
    "mf": (tern.MatrixFactorization(width=24, epochs=3, batch_size=300, seed=7, learning_rate=0.01,
                                    loss="softmax", device="cpu", threads=2),
           ["--set", "loss.kind=softmax"]),
    "gcmc": (tern.GCMC(width=24, hidden=(16,), epochs=3, batch_size=300, seed=7, learning_rate=0.01,
                       device="cpu"),
             ["--set", "model.hidden=16"]),
}


@pytest.mark.parametrize("kind", MODELS)
def test_factors_have_the_bits_of_the_program(kind, matrix, tmp_path):
    model, options = MODELS[kind]
    model.fit(matrix, show_progress=False)
    run = train_by_program(tmp_path, matrix, "--model", kind, "--epochs", "3", "--seed", "7", "--set",
                           "model.width=24", "--set", "train.batch_size=300", "--set",
                           "optimizer.learning_rate=0.01", *options)
    stored = read_safetensors(run / "embeddings.safetensors")
    by_shape = {array.shape: array for array in stored.values()}
    assert by_shape[(300, 24)].tobytes() == model.user_factors.tobytes()
    assert by_shape[(200, 24)].tobytes() == model.item_factors.tobytes()


def test_ease_has_the_bits_of_the_program(matrix, tmp_path):
    model = tern.EASE(l2=10.0).fit(matrix)
    run = train_by_program(tmp_path, matrix, "--model", "ease", "--set", "ease.l2=10")
    stored = read_safetensors(run / "fitted.safetensors")
    own = {name: array for name, array in model._state().items() if not name.startswith("data.")}
    assert own.keys() == stored.keys()
    for name, array in own.items():
        assert array.tobytes() == stored[name].tobytes(), name


def test_seed_and_threads(matrix):
    def factors(**parameters):
        model = tern.LightGCN(width=8, epochs=2, batch_size=512, device="cpu", **parameters)
        return model.fit(matrix, show_progress=False).user_factors.tobytes()

    assert factors(threads=1) == factors(threads=3) != factors(seed=1)


def test_small_catalogue():
    model = tern.LightGCN(epochs=1, device="cpu").fit(checkerboard(5), valid=csr_matrix(np.eye(5)), show_progress=False)
    assert "ndcg@5" in model.history[0]


@pytest.mark.parametrize("name", ["lightgcn", "softmax", "bsl", "ccl", "sl@k", "xsimgcl", "lightgcn++"])
def test_recipes_are_those_of_the_program(name):
    printed = subprocess.run([PROGRAM, "inspect", "--recipe", name], check=True, capture_output=True, text=True).stdout
    sections = tomllib.loads(printed)
    expected = {f"{section}.{key}": value for section, keys in sections.items() for key, value in keys.items()}
    assert tern.recipe(name) == expected and expected


def test_recipes_that_there_are_not():
    with pytest.raises(tern.ConfigError, match="bsl"):
        tern.recipe("bls")
    with pytest.raises(tern.ConfigError, match="recipe auto: .*only the program"):
        tern.recipe("auto")


def test_train_with_a_recipe(tmp_path):
    data = tern.Dataset.from_interactions(checkerboard(20), config={"data.test_fraction": 0})
    config = {**tern.recipe("softmax"), "train.epochs": 2, "train.device": "cpu"}
    run = tern.train(data, config, out=tmp_path / "run", show_progress=False)
    assert run.config["loss.kind"] == "softmax" and len(run.metrics) == 2
