"""Data sets with ids, from every kind of source."""

from __future__ import annotations

import numpy as np
import pandas
import polars
import pyarrow
import pytest
from scipy.sparse import coo_matrix, csr_matrix

import tern

USERS = ["ann", "bob", "ann", "cid", "a name of more than twelve bytes", "bob"]
ITEMS = [17, 3, 3, 17, 2**40, -5]
RATINGS = [5.0, 1.0, 4.0, 3.0, 2.0, 5.0]
TIMES = [30, 10, 20, 60, 50, 40]
COLUMNS = {"customer": USERS, "article": ITEMS, "stars": RATINGS, "when": TIMES}
NAMES = {"user": "customer", "item": "article", "rating": "stars", "timestamp": "when"}
WHOLE = {"data.test_fraction": 0.0, "data.valid_fraction": 0.0}

TABLES = {
    "dict of lists": COLUMNS,
    "dict of arrays": {name: np.array(values) for name, values in COLUMNS.items()},
    "pandas": pandas.DataFrame(COLUMNS),
    "pandas of categories": pandas.DataFrame(COLUMNS).astype({"customer": "category", "article": "category"}),
    "pandas in parts": pandas.DataFrame(COLUMNS)[::-1][::-1],
    "polars": polars.DataFrame(COLUMNS),
    "polars of categories": polars.DataFrame(COLUMNS).with_columns(polars.col("customer").cast(polars.Categorical)),
    "polars in chunks": polars.concat([polars.DataFrame(COLUMNS)[:2], polars.DataFrame(COLUMNS)[2:]], rechunk=False),
    "pyarrow": pyarrow.table(COLUMNS),
    "pyarrow, sliced": pyarrow.table({name: [values[0], *values] for name, values in COLUMNS.items()}).slice(1),
    "pyarrow of large text": pyarrow.table({**COLUMNS, "customer": pyarrow.array(USERS, pyarrow.large_string())}),
    "pyarrow of views": pyarrow.table({**COLUMNS, "customer": pyarrow.array(USERS, pyarrow.string_view())}),
}


def pairs_of(data, matrix):
    rows = matrix.tocoo()
    return sorted((data.users[u], data.items[i]) for u, i in zip(rows.row, rows.col))


@pytest.mark.parametrize("kind", TABLES)
def test_tables(kind):
    data = tern.Dataset.from_interactions(TABLES[kind], **NAMES, config=WHOLE)
    assert data.users == ["ann", "bob", "cid", "a name of more than twelve bytes"]
    assert data.items == ["17", "3", "1099511627776", "-5"]
    assert pairs_of(data, data.train) == sorted(zip(USERS, map(str, ITEMS)))
    assert data.valid.nnz == data.test.nnz == 0 and data.train.shape == (4, 4)
    # Ratings and times are read too.
    liked = tern.Dataset.from_interactions(TABLES[kind], **NAMES, config={**WHOLE, "data.min_rating": 4})
    assert pairs_of(liked, liked.train) == [("ann", "17"), ("ann", "3"), ("bob", "-5")]
    late = data.split("time", test_fraction=0.34, valid_fraction=0.0)
    assert pairs_of(late, late.test) == [("a name of more than twelve bytes", "1099511627776"), ("cid", "17")]


def structs_with_a_missing_row():
    """The values below the missing row are there."""
    columns = [pyarrow.array(["a", "b", "c"]), pyarrow.array([1, 2, 3])]
    rows = pyarrow.StructArray.from_arrays(columns, names=["user", "item"], mask=pyarrow.array([False, True, False]))
    return pyarrow.chunked_array([rows])


TYPES = [pyarrow.int8(), pyarrow.uint8(), pyarrow.int16(), pyarrow.uint16(), pyarrow.int32(), pyarrow.uint32(),
         pyarrow.int64(), pyarrow.uint64()]


@pytest.mark.parametrize("kind", TYPES, ids=str)
def test_types_of_ids(kind):
    greatest = 2 ** (kind.bit_width - (0 if "uint" in str(kind) else 1)) - 1
    table = pyarrow.table({"user": pyarrow.array([1, greatest], kind), "item": pyarrow.array([7, 7], kind)})
    assert tern.Dataset.from_interactions(table, config=WHOLE).users == ["1", str(greatest)]


@pytest.mark.parametrize("kind", [pyarrow.float32(), pyarrow.int16(), pyarrow.timestamp("us"), pyarrow.date32()], 
                         ids=str)
def test_types_of_times(kind):
    times = pyarrow.array([300, 100, 200], pyarrow.int32() if "date" in str(kind) else pyarrow.int64()).cast(kind)
    table = pyarrow.table({"user": ["a", "b", "c"], "item": ["x", "x", "x"], "t": times})
    config = {"data.split": "time", "data.test_fraction": 0.34, "data.valid_fraction": 0.0}
    data = tern.Dataset.from_interactions(table, timestamp="t", config=config)
    assert pairs_of(data, data.test) == [("a", "x")]


def test_sparse_and_path(tmp_path):
    matrix = csr_matrix(np.array([[0, 2, 1], [3, 0, 0]]))
    for source in (matrix, coo_matrix(matrix)):
        data = tern.Dataset.from_interactions(source, config=WHOLE)
        assert pairs_of(data, data.train) == [("0", "1"), ("0", "2"), ("1", "0")]
        data = tern.Dataset.from_interactions(source, config={**WHOLE, "data.min_rating": 2})
        assert pairs_of(data, data.train) == [("0", "1"), ("1", "0")]
    pandas.DataFrame(COLUMNS).to_csv(tmp_path / "shop.csv", index=False)
    data = tern.Dataset.from_interactions(tmp_path / "shop.csv", **NAMES, config=WHOLE)
    assert pairs_of(data, data.train) == sorted(zip(USERS, map(str, ITEMS)))
    assert data.split("leave-one-out").test.nnz > 0 and any("shop.csv" in note for note in data.notes)
    assert repr(data) == "<tern.Dataset of 4 users and 4 items: 6 train + 0 valid + 0 test>"


def test_same_as_the_file(tmp_path):
    rng = np.random.default_rng(3)
    frame = pandas.DataFrame({"user": rng.integers(0, 50, 600), "item": rng.integers(0, 40, 600)})
    frame.to_csv(tmp_path / "pairs.csv", index=False)
    config = {"data.k_core": 3, "data.split_seed": 4}
    table = tern.Dataset.from_interactions(frame, config=config)
    file = tern.Dataset.from_interactions(tmp_path / "pairs.csv", config=config)
    assert table._native.fingerprint == file._native.fingerprint
    assert table.split(seed=5)._native.fingerprint == file.split(seed=5)._native.fingerprint
    assert table.split(seed=5)._native.fingerprint != table._native.fingerprint


def test_features():
    features = tern.Features(["x", "y", "z"], csr_matrix([[1, 0], [0, 2], [5, 5]]), ["red", "blue"])
    data = tern.Dataset.from_interactions({"user": [1, 2, 2], "item": ["x", "y", "x"]}, item_features=features,
                                          config=WHOLE)
    assert any("feature" in note for note in data.notes)
    with pytest.raises(tern.ShapeError, match=r"\(3, 2\) for 2 ids"):
        tern.Dataset.from_interactions({"user": [1], "item": ["x"]},
                                       item_features=tern.Features(["x", "y"], np.ones((3, 2))))


PEOPLE = {"item": ["x", "y", "unknown"], "size": [1.5, None, 3.0], "kind": ["1", "2", "1"], "new": [True, False, True]}
FEATURE_TABLES = {
    "dict": PEOPLE,
    "pandas": pandas.DataFrame(PEOPLE),
    "pandas of categories": pandas.DataFrame(PEOPLE).astype({"kind": "category"}),
    "polars": polars.DataFrame(PEOPLE),
    "polars of categories": polars.DataFrame(PEOPLE).with_columns(polars.col("kind").cast(polars.Categorical)),
    "pyarrow": pyarrow.table(PEOPLE),
}


@pytest.mark.parametrize("kind", FEATURE_TABLES)
def test_tables_of_features(kind, tmp_path):
    table = {"user": [1, 2, 2, 3], "item": ["x", "y", "x", "z"]}
    data = tern.Dataset.from_interactions(table, item_features=FEATURE_TABLES[kind], config=WHOLE)
    note = next(note for note in data.notes if "columns of features" in note)
    assert "4, nodes with a row: 2; size (numbers), kind (2 values), new (numbers)" in note
    assert any("missing numbers" in note and "size (1)" in note for note in data.notes)
    # The files of the program give the same data.
    pandas.DataFrame(table).to_csv(tmp_path / "interactions.csv", index=False)
    (tmp_path / "item_features.csv").write_text("item,size,kind:token,new\nx,1.5,1,1\ny,,2,0\nunknown,3,1,1\n")
    file = tern.Dataset.from_interactions(tmp_path, config=WHOLE)
    assert data._native.feature_fingerprint == file._native.feature_fingerprint != 0


def test_a_frame_of_features_without_pyarrow():
    class Frame(pandas.DataFrame):
        def __arrow_c_stream__(self, requested_schema=None):
            raise ImportError("pyarrow")

    table = {"user": [1, 2], "item": ["x", "y"]}
    frame = pandas.DataFrame({**PEOPLE, "day": pandas.to_datetime(["2024-01-01", None, "2024-01-03"])})
    data = [tern.Dataset.from_interactions(table, item_features=features, config=WHOLE)
            for features in (frame, Frame(frame))]
    assert data[0]._native.feature_fingerprint == data[1]._native.feature_fingerprint


def test_matrices_of_features():
    matrix = csr_matrix(np.array([[0, 2, 1], [3, 0, 0]]))
    values = np.array([[1, 0], [0, 2]])
    data = [tern.Dataset.from_interactions(matrix, user_features=features, config=WHOLE)
            for features in (values, csr_matrix(values), coo_matrix(values), tern.Features([1, 0], values[::-1]))]
    assert len({one._native.feature_fingerprint for one in data}) == 1
    with pytest.raises(tern.DataError, match="no id is in the data"):
        tern.Dataset.from_interactions({"user": ["a"], "item": ["x"]}, user_features=values)
    for rows in (len(values) - 1, len(values) + 1):
        with pytest.raises(tern.ShapeError, match=f"user_features: found {rows} rows, expected {len(values)}"):
            tern.Dataset.from_interactions(matrix, user_features=np.ones((rows, 2)))


def test_features_feed_a_model(tmp_path):
    rng = np.random.default_rng(0)
    table = {"user": rng.integers(0, 30, 300), "item": rng.integers(0, 20, 300)}
    features = polars.DataFrame({"item": list(range(20)), "kind": [f"kind {n % 3}" for n in range(20)]})
    config = {"model.kind": "gcmc", "model.width": 4, "train.epochs": 1, "train.device": "cpu"}
    runs = [tern.train(tern.Dataset.from_interactions(table, item_features=given), config, show_progress=False,
                       out=tmp_path / str(given is None)) for given in (features, None)]
    assert (runs[0].path / "features.safetensors").exists() and not (runs[1].path / "features.safetensors").exists()
    assert runs[0].item_factors.tobytes() != runs[1].item_factors.tobytes()


@pytest.mark.parametrize("features, error, message", [
    ({"thing": ["x"], "size": [1]}, tern.DataError, "^item_features: there is no column 'item'; found 'thing', 'size'"),
    (polars.DataFrame({"thing": ["x"], "size": [1]}), tern.DataError, "^item_features: there is no column \"item\"; found \"thing\", \"size\""),
    (polars.DataFrame({"item": ["x"], "size": [[1]]}), tern.DataError, "column \"size\" holds large_list, expected numbers"),
    (polars.DataFrame({"item": ["x", None], "size": [1, 2]}), tern.DataError, "item_features:2: column \"item\" has no id"),
    ({"item": ["x"], "size": [(1, 2)]}, tern.DataError, r"^item_features:1: column 'size' holds \(1, 2\)"),
    ({"item": ["x"], "size": [1, 2]}, tern.ShapeError, "^item_features: the columns have different lengths"),
    ({"item": ["unknown"], "size": [1]}, tern.DataError, "^item_features: .*no row belongs to the data"),
    ({"item": ["x", "x"], "size": [1, 2]}, tern.DataError, "^item_features:2: id \"x\" has a second row"),
    (polars.DataFrame({"item": ["x", "y", "x"], "size": [1, 2, 3]}), tern.DataError, "^item_features:3: .*second row"),
    (tern.Features(["x", "x"], [[1], [2]]), tern.DataError, "^item_features: id \"x\" occurs twice"),
    (tern.Features(["x"], [[np.inf]]), tern.DataError, "^item_features: id \"x\", column \"0\": found inf"),
    (3, TypeError, "item_features: found int, expected a table keyed by the column 'item'"),
])
def test_bad_features(features, error, message):
    with pytest.raises(error, match=message):
        tern.Dataset.from_interactions({"user": [1], "item": ["x"]}, item_features=features, config=WHOLE)


@pytest.mark.parametrize("table, error, message", [
    (pandas.DataFrame({"user": ["a", None], "item": [1, 2]}), tern.DataError, "^interactions:2: column \"user\" has no id"),
    (polars.DataFrame({"user": ["a", "b"], "item": [None, 2]}), tern.DataError, "^interactions:1: column \"item\" has no id"),
    (pandas.DataFrame({"user": ["a", "b"], "item": [1, np.nan]}), tern.DataError, "^interactions:2: column 'item': found nan"),
    (pandas.DataFrame({"user": ["a", "b"], "item": [1.5, 2]}), tern.DataError, "column 'item' holds float64"),
    (polars.DataFrame({"user": ["a", "b"], "item": [1.5, 2]}), tern.DataError, "column \"item\" holds float64"),
    (pandas.DataFrame({"user": ["a"], "thing": [1]}), tern.DataError, "no column \"item\"; found \"user\", \"thing\""),
    (pyarrow.table({"user": ["a"], "item": pyarrow.array([True])}), tern.DataError,
     "column \"item\" holds bool, expected integers or text"),
    (polars.DataFrame({"user": ["a"], "item": [[1]]}), tern.DataError, "column \"item\" holds large_list"),
    (structs_with_a_missing_row(), tern.DataError, "^interactions:2: column \"user\" has no id"),
    ({"user": ["a", None], "item": [1, 2]}, tern.DataError, "^interactions:2: column 'user': found None"),
    ({"user": ["a", "b"], "item": [1.5, 2]}, tern.DataError, "^interactions:1: column 'item': found 1.5"),
    ({"user": np.array([1.5]), "item": [1]}, tern.DataError, "column 'user' holds float64"),
    ({"user": np.array([2**64 - 1], np.uint64), "item": [1]}, tern.DataError, "id 18446744073709551615"),
    ({"user": ["a"]}, tern.DataError, "no column 'item'; found 'user'"),
    ({"user": ["a", "b"], "item": [1]}, tern.ShapeError, "different lengths"),
    ({"user": ["a\tb"], "item": [1]}, tern.DataError, "^interactions:1: column \"user\": .*tab"),
    (polars.DataFrame({"user": ["a", ""], "item": [1, 2]}), tern.DataError, "^interactions:2: column \"user\": .*empty"),
    ({"user": [], "item": []}, tern.DataError, "no interaction"),
    ({"user": np.array([1, np.nan]), "item": [1, 2]}, tern.DataError, "^interactions:2: column 'user': found nan"),
    ({"user": ["\ud800"], "item": [1]}, tern.DataError, "column 'user': found text that UTF-8 cannot encode"),
    (3, tern.DataError, "interactions: found int"),
    (np.ones((3, 2)), tern.DataError, "interactions: found ndarray.*mapping of columns such as"),
    ("/no/such/file", tern.Error, "/no/such/file"),
])
def test_bad_tables(table, error, message):
    with pytest.raises(error, match=message):
        tern.Dataset.from_interactions(table, config=WHOLE)


def test_keys_of_other_sections():
    with pytest.raises(tern.ConfigError, match="'train.epochs', expected one of the section data"):
        tern.Dataset.from_interactions(COLUMNS, **NAMES, config={"train.epochs": 3})


def test_frame_without_pyarrow():
    class Frame(pandas.DataFrame):
        def __arrow_c_stream__(self, requested_schema=None):
            raise ImportError("pyarrow")

    for frame in (Frame(COLUMNS), Frame(COLUMNS).astype({"customer": "category"})):
        data = tern.Dataset.from_interactions(frame, **NAMES, config=WHOLE)
        assert pairs_of(data, data.train) == sorted(zip(USERS, map(str, ITEMS)))
    with pytest.raises(tern.DataError, match="no column 'item'; found 'customer', 'article'"):
        tern.Dataset.from_interactions(Frame(COLUMNS), user="customer")


def test_frame_with_columns_that_arrow_refuses():
    mixed = pandas.DataFrame({"customer": ["ann", 3, "3"], "article": [1, 1, 1], "parts": [[1], "a", None]})
    data = tern.Dataset.from_interactions(mixed, user="customer", item="article", config=WHOLE)
    assert data.users == ["ann", "3"]


def test_a_batch_with_an_offset():
    """Columns of a struct share its offset."""
    columns = {name: pyarrow.array([values[0], *values]) for name, values in COLUMNS.items()}
    struct = pyarrow.StructArray.from_arrays(list(columns.values()), list(columns))[1:]

    class Stream:
        def __arrow_c_stream__(self, requested_schema=None):
            return pyarrow.chunked_array([struct]).__arrow_c_stream__()

    data = tern.Dataset.from_interactions(Stream(), **NAMES, config=WHOLE)
    assert pairs_of(data, data.train) == sorted(zip(USERS, map(str, ITEMS)))


@pytest.mark.parametrize("values, error, message", [
    (["good"], tern.DataError, "column 't': expected numbers or times: could not convert"),
    ([pandas.NA], tern.DataError, "column 't': expected numbers or times"),
    ([[1, 2]], tern.ShapeError, "column 't' has 2 dimensions"),
    ([1, 2], tern.ShapeError, "different lengths"),
])
def test_bad_numbers(values, error, message):
    for name in ("rating", "timestamp"):
        with pytest.raises(error, match=message):
            tern.Dataset.from_interactions({"user": ["a"], "item": [1], "t": values}, config=WHOLE, **{name: "t"})


def test_bad_arguments():
    frame = pandas.DataFrame([[1, 2]])
    with pytest.raises(TypeError, match="user: found int, expected the name of a column"):
        tern.Dataset.from_interactions(frame, user=0, item=1)
    with pytest.raises(tern.DataError, match="no column \"article\"; found \"0\", \"1\""):
        tern.Dataset.from_interactions(COLUMNS, **NAMES, item_features=frame)
    with pytest.raises(tern.DataError, match="^item_features: found values of type <U1"):
        tern.Dataset.from_interactions(COLUMNS, **NAMES, item_features=tern.Features([17], [["a"]]))
    with pytest.raises(tern.ConfigError, match="user_features and item_features are for interactions in memory"):
        tern.Dataset.from_interactions("/no/such/file", item_features=tern.Features([17], [[1]]))


def test_bad_times():
    table = {"user": ["a", "b"], "item": [1, 2], "t": [1.0, np.nan]}
    with pytest.raises(tern.DataError, match="no timestamp"):
        tern.Dataset.from_interactions(table, timestamp="t", config=WHOLE)
