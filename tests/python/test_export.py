"""faiss opens the index that the program exports, and finds what the program recommends."""

from __future__ import annotations

import subprocess

import faiss
import numpy as np
import pytest
from test_program import PROGRAM

import tern


@pytest.mark.parametrize("score", ["dot", "cosine"])
def test_faiss(score, tmp_path):
    rng = np.random.default_rng(3)
    pairs = rng.integers(0, 60, size=(900, 2))
    data = tern.Dataset.from_interactions({"user": pairs[:, 0], "item": pairs[:, 1]})
    run = tern.train(data, {"model.kind": "mf", "model.width": 12, "train.epochs": 3, "train.device": "cpu",
                            "evaluation.score": score}, out=tmp_path / "run", show_progress=False)
    subprocess.run([str(PROGRAM), "export", str(run.path), "--to", str(tmp_path / "out"), "--format", "faiss",
                    "--quiet"], check=True)
    users, items = (faiss.read_index(str(tmp_path / f"out/{side}_embeddings.faiss")) for side in ("user", "item"))
    assert type(items) is faiss.IndexFlatIP and items.is_trained
    assert (users.ntotal, items.ntotal, items.d) == (len(run.users), len(run.items), 12)
    names = (tmp_path / "out/items.tsv").read_text().splitlines()
    scores, places = items.search(users.reconstruct_n(0, users.ntotal), 5)
    for row, user in enumerate(run.users):
        expected = run.recommend([user], N=5, filter_already_liked_items=False, cold=True)[0]
        assert [names[place] for place in places[row]] == [item for item, _ in expected]
        # A user's own length does not change the order: the program's scores are cosines, faiss's too.
        np.testing.assert_allclose(scores[row], [value for _, value in expected], rtol=1e-5)
