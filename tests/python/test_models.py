"""The methods of models: rankings, shapes, edge cases, copies and files."""

from __future__ import annotations

import copy
import io
import pickle
import subprocess
import sys
import types

import numpy as np
import pytest
from conftest import MODELS
from scipy.sparse import coo_matrix, csr_array, csr_matrix

import tern
from tern._config import to_toml

LOWEST = np.finfo(np.float32).min


def with_factors(users, items, **parameters):
    """A model with these factors."""
    model = tern.MatrixFactorization(device="cpu", **parameters)
    model.user_factors = np.array(users, dtype=np.float32)
    model.item_factors = np.array(items, dtype=np.float32)
    return model


# By hand: scores of user 0 are 3, 1, 2, 0; of user 1 0, 2, 1, 3.
USERS = [[1, 0], [0, 1]]
ITEMS = [[3, 0], [1, 2], [2, 1], [0, 3]]
HAVE = csr_matrix([[1, 0, 0, 0], [0, 1, 0, 1]], dtype=np.float32)


def test_recommend_by_hand():
    model = with_factors(USERS, ITEMS)
    ids, scores = model.recommend(0, HAVE[0], N=2)
    assert ids.tolist() == [2, 1] and scores.tolist() == [2, 1]
    assert ids.dtype == np.int32 and scores.dtype == np.float32 and ids.shape == (2,)
    ids, scores = model.recommend([1, 0], HAVE[[1, 0]], N=2)
    assert ids.tolist() == [[2, 0], [2, 1]] and scores.tolist() == [[1, 0], [2, 1]]
    ids, scores = model.recommend(0, None, N=2, filter_already_liked_items=False)
    assert ids.tolist() == [0, 2] and scores.tolist() == [3, 2]
    ids, _ = model.recommend([0, 0, 1], HAVE[[0, 0, 1]], N=1)
    assert ids.tolist() == [[2], [2], [2]]


def test_a_row_of_a_csr_array():
    model = with_factors(USERS, ITEMS)
    assert model.recommend(0, csr_array(HAVE)[0], N=2)[0].tolist() == [2, 1]
    assert model.recommend([0], csr_array(HAVE)[[0]], N=2)[0].tolist() == [[2, 1]]


def test_filter_items_and_items():
    model = with_factors(USERS, ITEMS)
    ids, scores = model.recommend(0, HAVE[0], N=2, filter_items=[2])
    assert ids.tolist() == [1, 3] and scores.tolist() == [1, 0]
    ids, scores = model.recommend([0, 1], HAVE, N=9, items=[3, 0, 3])
    assert ids.tolist() == [[3, 0], [0, 3]]
    assert scores.tolist() == [[0, LOWEST], [0, LOWEST]]
    ids, _ = model.recommend(0, HAVE[0], N=2, filter_items=[])
    assert ids.tolist() == [2, 1]


def test_lists_go_on_with_what_was_left_out():
    model = with_factors(USERS, ITEMS)
    ids, scores = model.recommend([0, 1], HAVE, N=100, filter_items=[2])
    assert ids.tolist() == [[1, 3, 0, 2], [0, 1, 2, 3]]
    assert scores.tolist() == [[1, 0, LOWEST, LOWEST], [0, LOWEST, LOWEST, LOWEST]]


def test_similar_by_hand():
    model = with_factors(USERS, [[2, 0], [0, 5], [3, 3], [0, 0]])
    ids, scores = model.similar_items(0, N=3)
    assert ids.tolist() == [0, 2, 1]
    np.testing.assert_allclose(scores, [1, 0.5**0.5, 0], rtol=1e-6)
    ids, _ = model.similar_items([0, 1], N=1, filter_items=[0, 1])
    assert ids.tolist() == [[2], [2]]
    ids, _ = model.similar_users(1, users=[0])
    assert ids.tolist() == [0]


def test_cosine_score():
    model = with_factors([[2, 0]], [[3, 3], [1, 0]], score="cosine")
    ids, scores = model.recommend(0, None, N=2, filter_already_liked_items=False)
    assert ids.tolist() == [1, 0]
    np.testing.assert_allclose(scores, [1, 0.5**0.5], rtol=1e-6)


def test_ties_go_by_id():
    model = with_factors([[1.0]], [[1.0]] * 5)
    assert model.recommend(0, None, N=3, filter_already_liked_items=False)[0].tolist() == [0, 1, 2]


def test_new_factors_are_ranked_by():
    model = with_factors(USERS, ITEMS)
    model.recommend(0, HAVE[0])
    model.item_factors = model.item_factors[::-1]  # not contiguous
    assert model.recommend(0, HAVE[0], N=2)[0].tolist() == [3, 1]


def test_new_parameters_are_ranked_by():
    model = with_factors([[2, 0]], [[3, 3], [1, 0]])
    assert model.recommend(0, None, N=2, filter_already_liked_items=False)[0].tolist() == [0, 1]
    model.set_params(score="cosine")
    assert model.recommend(0, None, N=2, filter_already_liked_items=False)[0].tolist() == [1, 0]
    model.set_params(device="cuda:77")
    with pytest.raises(tern.DeviceError, match="cuda:77"):
        model.recommend(0, None, filter_already_liked_items=False)


def test_top_item_is_the_one_that_is_missing(model, board):
    ids, scores = model.recommend(np.arange(40), board, N=3)
    assert ids.shape == scores.shape == (40, 3)
    assert ids[:, 0].tolist() == list(range(40))
    assert (np.diff(scores, axis=1) <= 0).all()
    for user in (0, 7):
        alone = model.recommend(user, board[user], N=3)
        assert alone[0].tolist() == ids[user].tolist() and alone[1].tobytes() == scores[user].tobytes()


def test_similar_items_are_of_a_kind(model):
    ids, _ = model.similar_items([4, 5], N=6)
    assert (ids % 2 == [[0], [1]]).all()


def test_factors_are_views_of_the_trained_tables(factor_model):
    assert factor_model.user_factors.shape == factor_model.item_factors.shape == (40, 16)
    for factors in (factor_model.user_factors, factor_model.item_factors):
        assert factors.dtype == np.float32 and factors.flags.c_contiguous and factors.flags.writeable


def test_dlpack_shares_the_memory(factor_model):
    for factors, exported in ((factor_model.user_factors, factor_model.user_factors_dlpack()),
                              (factor_model.item_factors, factor_model.item_factors_dlpack())):
        view = np.from_dlpack(exported)
        assert np.shares_memory(view, factors) and view.shape == factors.shape and view.dtype == np.float32
        assert exported.__dlpack_device__() == (1, 0)  # the CPU's memory, as the docstring says of every device
    expected = factor_model.item_factors.tobytes()
    factor_model.item_factors = None
    assert view.tobytes() == expected  # it keeps its memory
    with pytest.raises(tern.NotFittedError):
        factor_model.item_factors_dlpack()


def test_dlpack_of_torch(factor_model, monkeypatch):
    # After all others: Debian's package, which tools/setup.sh installs.
    monkeypatch.setattr(sys, "path", [*sys.path, "/usr/lib/python3/dist-packages"])
    torch = pytest.importorskip("torch")
    tensor = torch.from_dlpack(factor_model.item_factors_dlpack())
    assert tensor.data_ptr() == factor_model.item_factors.ctypes.data


def test_star_import_leaves_names_of_python():
    code = "from tern import *; import builtins; assert MemoryError is builtins.MemoryError; EASE, train"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_history_callback_and_validation(board):
    calls = []
    valid = csr_matrix(np.eye(40))
    model = tern.LightGCN(width=8, epochs=6, evaluate_every=2, device="cpu")
    model.fit(board, valid=valid, show_progress=False,
              callback=lambda epoch, seconds, record: calls.append((epoch, seconds, record)))
    assert [epoch for epoch, _, _ in calls] == [0, 1, 2, 3, 4, 5]
    assert all(seconds > 0 for _, seconds, _ in calls)
    assert [record.metrics is not None for _, _, record in calls] == [False, True] * 3
    assert [entry["epoch"] for entry in model.history] == [1, 2, 3, 4, 5, 6]
    assert "ndcg@20" in model.history[1] and model.best_epoch in (2, 4, 6)


def test_callback_ends_the_training(board):
    one = tern.MatrixFactorization(epochs=2, device="cpu").fit(board, show_progress=False)
    model = tern.MatrixFactorization(epochs=9, device="cpu")
    model.fit(board, show_progress=False, callback=lambda epoch, *_: epoch == 1)
    assert len(model.history) == 2
    for result, epochs in ((np.True_, 1), (np.False_, 9), (None, 9), (1, 9)):
        model.fit(board, show_progress=False, callback=lambda *_, result=result: result)
        assert len(model.history) == epochs
    model.fit(board, show_progress=False, callback=lambda epoch, *_: epoch == 1)
    assert model.user_factors.tobytes() == one.user_factors.tobytes()


def test_progress_is_shown_by_tqdm(board, monkeypatch):
    bars = []

    class Bar:
        def __init__(self, total, unit):
            self.total, self.unit, self.updates, self.losses, self.closed = total, unit, 0, [], False
            bars.append(self)

        def update(self, count):
            self.updates += count

        def set_postfix(self, loss):
            self.losses.append(loss)

        def close(self):
            self.closed = True

    module = types.ModuleType("tqdm.auto")
    module.tqdm = Bar
    monkeypatch.setitem(sys.modules, "tqdm", types.ModuleType("tqdm"))
    monkeypatch.setitem(sys.modules, "tqdm.auto", module)
    model = tern.LightGCN(width=4, epochs=3, device="cpu").fit(board)
    assert [(bar.total, bar.unit, bar.updates, bar.closed) for bar in bars] == [(3, "epoch", 3, True)]
    assert bars[0].losses == [f"{entry['loss']:.4f}" for entry in model.history]
    model.fit(board, show_progress=False)
    assert len(bars) == 1


def test_error_of_a_callback_ends_the_training(board):
    model = tern.LightGCN(epochs=9, device="cpu")
    with pytest.raises(ZeroDivisionError):
        model.fit(board, show_progress=False, callback=lambda epoch, *_: 1 / epoch)
    assert len(model.history) == 1 and model.user_factors is not None


def test_formats_of_the_matrix(board):
    def factors(matrix):
        model = tern.LightGCN(width=8, epochs=2, device="cpu").fit(matrix, show_progress=False)
        return model.user_factors.tobytes()

    expected = factors(board)
    assert factors(board.astype(np.float64)) == factors(board.astype(bool)) == expected
    assert factors(csr_array(board)) == expected
    with pytest.warns(tern.ParameterWarning, match="coo"):
        assert factors(board.tocoo()) == expected
    with pytest.warns(tern.ParameterWarning, match="dense"):
        assert factors(board.toarray()) == expected
    # Unsorted rows, repeated elements, explicit zeros, read-only arrays.
    coo = board.tocoo()
    order = np.random.default_rng(0).permutation(coo.nnz)
    rows, columns = coo.row[order], coo.col[order]
    jumbled = csr_matrix((np.ones(coo.nnz), (rows, columns)), shape=board.shape)
    assert factors(jumbled) == expected
    zeros = coo_matrix((np.r_[coo.data, 0, 0], (np.r_[coo.row, 0, 1], np.r_[coo.col, 0, 1])), board.shape)
    assert factors(zeros.tocsr()) == expected
    repeated = csr_matrix((np.ones(2 * coo.nnz), np.repeat(board.indices, 2), 2 * board.indptr), board.shape)
    assert factors(repeated) == expected
    frozen = board.copy()
    for array in (frozen.data, frozen.indices, frozen.indptr):
        array.flags.writeable = False
    assert factors(frozen) == expected
    assert (repeated.nnz, zeros.nnz) == (2 * coo.nnz, coo.nnz + 2)  # the caller's are as they were


@pytest.mark.parametrize("name", MODELS)
def test_copies_and_files(name, board, tmp_path):
    model = MODELS[name]().fit(board, show_progress=False)
    expected = [array.tobytes() for array in model.recommend(np.arange(40), board)]
    model.save(tmp_path / "model.npz")
    model.save(str(tmp_path / "other"))
    buffer = io.BytesIO()
    model.save(buffer)
    buffer.seek(0)
    copies = {
        "pickle": pickle.loads(pickle.dumps(model)),
        "deepcopy": copy.deepcopy(model),
        "file": type(model).load(tmp_path / "model.npz"),
        "file without suffix": type(model).load(str(tmp_path / "other")),
        "buffer": type(model).load(buffer),
        "itself": model,
    }
    for how, other in copies.items():
        assert other.get_params() == model.get_params(), how
        found = [array.tobytes() for array in other.recommend(np.arange(40), board)]
        assert found == expected, how


@pytest.mark.parametrize("name", MODELS)
def test_parameters(name):
    model = MODELS[name]()
    fresh = type(model)(**model.get_params())
    assert fresh.get_params() == model.get_params()
    assert all(fresh.get_params()[key] is value for key, value in model.get_params().items())
    assert vars(pickle.loads(pickle.dumps(model))) == vars(copy.deepcopy(model)) == vars(model)
    assert eval(repr(model), vars(tern)).get_params() == model.get_params()
    parameter, value = next(iter(model.get_params().items()))
    assert model.set_params(**{parameter: value}) is model
    with pytest.raises(tern.ConfigError, match="has no parameter 'factors'"):
        model.set_params(factors=3)


def test_parameters_may_be_of_numpy(board, tmp_path):
    plain = tern.GCMC(width=8, hidden=(8, 4), epochs=1, device="cpu", config={"evaluation.ks": [5, 20]})
    model = tern.GCMC(width=np.int32(8), hidden=np.array([8, 4]), epochs=np.int64(1), device=np.str_("cpu"),
                      config={"evaluation.ks": np.array([5, 20])})
    expected = plain.fit(board, show_progress=False).user_factors.tobytes()
    assert model.fit(board, show_progress=False).user_factors.tobytes() == expected
    model.save(tmp_path / "model")
    assert tern.GCMC.load(tmp_path / "model").user_factors.tobytes() == expected
    assert repr(model).startswith("GCMC(width=np.int32(8), hidden=array([8, 4])")
    assert [to_toml(value) for value in (np.True_, np.float64(0.5), (1, np.int8(2)))] == ["true", "0.5", "[1, 2]"]


def test_defaults_are_those_of_the_program():
    default = {key.key: key.default_value for key in tern.config_keys()}
    for model in (tern.LightGCN(), tern.MatrixFactorization(), tern.GCMC(), tern.EASE(), tern.GraphFilter()):
        config = model._config()
        for key in model._keys.values():
            assert config.get(key) == default[key], key


def test_other_keys(board):
    model = tern.LightGCN(epochs=1, device="cpu", config={"contrast.kind": "xsimgcl"})
    records = []
    model.fit(board, show_progress=False, callback=lambda *call: records.append(call[2]))
    assert records[0].contrast_loss > 0


def test_import_is_quick_and_needs_no_scipy():
    code = ("import sys, time, numpy; begin = time.perf_counter(); import tern; print(time.perf_counter() - begin);"
            "assert not any(name.startswith('scipy') for name in sys.modules)")
    seconds = [float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)
               for _ in range(3)]
    assert min(seconds) < 0.3, seconds
