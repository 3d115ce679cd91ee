"""What several tests use."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

import tern


def checkerboard(size: int) -> csr_matrix:
    """Two tastes: users of even and of odd numbers have the items of their kind, but for their own number."""
    users, items = np.indices((size, size))
    return csr_matrix(((users - items) % 2 == 0) & (users != items), dtype=np.float32)


@pytest.fixture(scope="session")
def board() -> csr_matrix:
    return checkerboard(40)


MODELS = {
    "LightGCN": lambda: tern.LightGCN(width=16, layers=2, epochs=40, batch_size=256, learning_rate=0.02,
                                      device="cpu", threads=2),
    "MatrixFactorization": lambda: tern.MatrixFactorization(width=16, epochs=40, batch_size=256,
                                                            learning_rate=0.02, device="cpu", threads=2),
    "GCMC": lambda: tern.GCMC(width=16, epochs=40, batch_size=256, learning_rate=0.02, device="cpu",
                              threads=2),
    "EASE": lambda: tern.EASE(l2=1.0),
    "GraphFilter": lambda: tern.GraphFilter(rank=8),
}
FACTOR_MODELS = ("LightGCN", "MatrixFactorization", "GCMC")


@pytest.fixture(params=list(MODELS))
def model(request: pytest.FixtureRequest, board: csr_matrix) -> object:
    """Each model, fitted."""
    return MODELS[request.param]().fit(board, show_progress=False)


@pytest.fixture(params=FACTOR_MODELS)
def factor_model(request: pytest.FixtureRequest, board: csr_matrix) -> object:
    return MODELS[request.param]().fit(board, show_progress=False)
