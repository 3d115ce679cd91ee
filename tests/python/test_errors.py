"""Bad input: the classes and the messages of exceptions."""

from __future__ import annotations

import json

import numpy as np
import pytest
from conftest import checkerboard
from scipy.sparse import coo_array, csr_matrix

import tern


@pytest.fixture(scope="module")
def fitted():
    return tern.LightGCN(width=4, epochs=1, device="cpu").fit(checkerboard(20), show_progress=False)


def fit(matrix, **parameters):
    return tern.LightGCN(epochs=1, device="cpu", **parameters).fit(matrix, show_progress=False)


def test_hierarchy():
    for name in ("ConfigError", "DataError", "ShapeError"):
        assert issubclass(getattr(tern, name), tern.Error) and issubclass(getattr(tern, name), ValueError)
    assert issubclass(tern.DeviceError, RuntimeError) and issubclass(tern.NumericalFault, ArithmeticError)
    assert issubclass(tern.MemoryError, MemoryError) and issubclass(tern.MemoryError, tern.DeviceError)


def board_with(value):
    matrix = checkerboard(6)
    matrix.data[3] = value
    return matrix


def board_of(**changes):
    """With one number of an array changed, which SciPy does not check."""
    matrix = checkerboard(6)
    for name, (place, value) in changes.items():
        array = getattr(matrix, name).astype(np.int64)
        array[place] = value
        setattr(matrix, name, array)
    return matrix


@pytest.mark.parametrize("matrix, error, message", [
    (board_with(-1), tern.DataError, r"user_items: the element \(1, 5\) is -1.0, expected no negative number"),
    (board_with(np.nan), tern.DataError, r"the element \(1, 5\) is nan"),
    (csr_matrix((5, 5)), tern.DataError, "no interaction to train on"),
    (csr_matrix((0, 5)), tern.DataError, "no interaction to train on"),
    (csr_matrix(np.zeros((3, 3))), tern.DataError, "no interaction to train on"),
    ([1, 2, 3], tern.ShapeError, "user_items: found list, expected a matrix"),
    (None, tern.ShapeError, "user_items: found NoneType, expected a matrix"),
    (np.ones((2, 2, 2)), tern.ShapeError, r"found ndarray of the shape \(2, 2, 2\)"),
    (coo_array(np.ones(4)), tern.ShapeError, r"found coo_array of the shape \(4,\)"),
    (board_with(1).astype(complex), tern.DataError, "elements of type complex128, expected numbers"),
    (np.array([["a"]]), tern.DataError, "elements of type <U1, expected numbers"),
    (board_of(indices=(3, 6)), tern.ShapeError, "found the column 6, expected 0 to 5"),
    (board_of(indices=(3, -1)), tern.ShapeError, "found the column -1"),
    (board_of(indices=(3, 2**32)), tern.ShapeError, "found the column 4294967296"),
    (board_of(indptr=(2, 1000)), tern.ShapeError, "indptr does not ascend"),
    (board_of(indptr=(0, 1)), tern.ShapeError, "indptr does not ascend"),
    (board_of(indptr=(6, 1000)), tern.ShapeError, "indptr does not ascend"),
    (csr_matrix((1, 2**31)), tern.ShapeError, "expected at most 2147483646"),
])
def test_matrix(matrix, error, message):
    with pytest.raises(error, match=message):
        fit(matrix)


def test_validation_matrix():
    with pytest.raises(tern.ShapeError, match=r"valid has the shape \(5, 5\), expected \(6, 6\)"):
        tern.LightGCN(epochs=1).fit(checkerboard(6), valid=checkerboard(5))


@pytest.mark.parametrize("parameters, message", [
    ({"width": 0}, "model.width: found the integer 0, expected an integer from 1 to 65536"),
    ({"width": "wide"}, 'model.width: found the string "wide"'),
    ({"width": None}, "model.width: a value of the configuration is a NoneType"),
    ({"loss": "bprr"}, "loss.kind"),
    ({"learning_rate": float("nan")}, "optimizer.learning_rate"),
    ({"config": {"train.epoch": 3}}, "did you mean train.epochs"),
    ({"config": {"model.kind": "mf"}}, "model.kind: found 'mf' for a LightGCN"),
    ({"config": {"train.epochs": 3}}, "train.epochs is set by the parameter epochs="),
    ({"config": {"data.k_core": 3}}, "data.k_core has no effect on LightGCN.fit"),
    ({"config": {"train.on_nan": "rollback"}}, r"checkpoints of a run: use tern.train\(\)"),
    ({"config": {3: 4}}, "config: found the key 3"),
    ({"config": "train.epochs=3"}, "config: found str, expected a mapping"),
    ({"device": "gpu"}, "train.device"),
])
def test_parameters(parameters, message):
    with pytest.raises(tern.ConfigError, match=message):
        model = tern.LightGCN(**{"epochs": 1, "device": "cpu", **parameters})
        model.fit(checkerboard(6), show_progress=False)


def test_no_device():
    with pytest.raises(tern.DeviceError, match="cuda:77"):
        tern.LightGCN(epochs=1, device="cuda:77").fit(checkerboard(6), show_progress=False)


def test_divergence():
    model = tern.MatrixFactorization(epochs=50, learning_rate=1e30, device="cpu",
                                     config={"optimizer.kind": "sgd"})
    with pytest.raises(tern.NumericalFault, match="epoch"):
        model.fit(checkerboard(20), show_progress=False)


@pytest.mark.parametrize("model", [tern.LightGCN(), tern.EASE()])
def test_before_fit(model):
    for call in (lambda: model.recommend(0, checkerboard(3)[0]), lambda: model.similar_items(0)):
        with pytest.raises(tern.NotFittedError, match="call fit"):
            call()


@pytest.mark.parametrize("user, error", [(20, IndexError), (-1, IndexError), (2**40, IndexError),
                                         (0.5, TypeError), ([[0]], ValueError)])
def test_unknown_user(fitted, user, error):
    with pytest.raises(error):
        fitted.recommend(user, checkerboard(20)[0])


def test_wrong_arguments(fitted):
    board = checkerboard(20)
    with pytest.raises(tern.ConfigError, match="N: found 0"):
        fitted.recommend(0, board[0], N=0)
    with pytest.raises(TypeError, match="N: found float, expected a whole number"):
        fitted.recommend(0, board[0], N=3.5)
    assert fitted.recommend(0, board[0], N=2**70)[0].shape == (20,)
    with pytest.raises(tern.ShapeError, match="expected a CSR matrix"):
        fitted.recommend(0, board[[0]].tocoo())
    with pytest.raises(tern.ShapeError, match=r"\(2, 20\), expected \(1, 20\)"):
        fitted.recommend(0, board[[0, 1]])
    with pytest.raises(tern.ShapeError, match=r"expected \(1, 20\)"):
        fitted.recommend(0, checkerboard(6)[0])
    with pytest.raises(IndexError, match="there is no 20, expected 0 to 19"):
        fitted.recommend(0, board[0], items=[1, 20])
    with pytest.raises(IndexError, match="filter_items: there is no -1"):
        fitted.recommend(0, board[0], filter_items=[-1])
    with pytest.raises(tern.ConfigError, match="exclude each other"):
        fitted.recommend(0, board[0], items=[1], filter_items=[2])
    with pytest.raises(tern.DataError, match="items is empty"):
        fitted.recommend(0, board[0], items=[])
    for call in (lambda: fitted.recommend(0, board[0], recalculate_user=True),
                 lambda: fitted.similar_items(0, recalculate_item=True),
                 lambda: tern.EASE().similar_users(0)):
        with pytest.raises(NotImplementedError):
            call()


def test_files(fitted, tmp_path):
    fitted.save(tmp_path / "model.npz")
    with pytest.raises(tern.DataError, match="found a model of the class LightGCN, expected EASE"):
        tern.EASE.load(tmp_path / "model.npz")
    (tmp_path / "other.npz").write_bytes(b"no zip")
    with pytest.raises(tern.DataError, match="other.npz"):
        tern.LightGCN.load(tmp_path / "other.npz")
    np.savez(tmp_path / "arrays.npz", a=np.ones(3))
    with pytest.raises(tern.DataError, match="arrays.npz"):
        tern.LightGCN.load(tmp_path / "arrays.npz")
    with pytest.raises(FileNotFoundError):
        tern.LightGCN.load(tmp_path / "none.npz")


def test_damaged_files(fitted, tmp_path):
    place = tmp_path / "model.npz"
    fitted.save(place)
    stored = place.read_bytes()
    place_of_width = stored.index("width".encode("utf-32-le"))
    flipped = bytes(byte ^ 1 if at == place_of_width else byte for at, byte in enumerate(stored))
    for content in (b"", stored[: len(stored) // 2], stored[:-1], flipped):
        place.write_bytes(content)
        with pytest.raises(tern.DataError, match="model.npz: no model can be read"):
            tern.LightGCN.load(place)
    with place.open("wb") as file:
        np.save(file, np.ones(3))
    with pytest.raises(tern.DataError, match="found one array"):
        tern.LightGCN.load(place)
    for described, message in (([1], "indices"), ({"class": "LightGCN"}, "'parameters' is missing"),
                               ({"class": "LightGCN", "parameters": {"factors": 3}}, "'factors'"),
                               ({"class": "LightGCN", "parameters": {}}, "'item_factors' is missing")):
        np.savez(place, parameters=np.array(json.dumps(described)), user_factors=np.ones((3, 4)))
        with pytest.raises(tern.DataError, match=message):
            tern.LightGCN.load(place)
