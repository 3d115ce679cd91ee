"""Ctrl-C, threads, fork and leaks."""

from __future__ import annotations

import logging
import multiprocessing
import pathlib
import pickle
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from conftest import MODELS, checkerboard

import tern

INTERRUPTED = """
import os, signal, threading
import tern
from conftest import checkerboard

model = tern.LightGCN(epochs=20_000, device="cpu", patience=0)
def interrupt(epoch, seconds, record):
    if epoch == 3:
        os.kill(os.getpid(), signal.SIGINT)
try:
    model.fit(checkerboard(40), show_progress=False, callback=interrupt)
except KeyboardInterrupt:
    assert len(model.history) >= 4 and model.user_factors.shape == (40, 64)
    model.recommend(0, checkerboard(40)[0])
    print("interrupted")
"""


def test_ctrl_c_ends_the_training():
    run = subprocess.run([sys.executable, "-c", INTERRUPTED], cwd=pathlib.Path(__file__).parent, text=True,
                         capture_output=True, timeout=300)
    assert run.stdout == "interrupted\n", run.stderr


def test_handler_that_raises_ends_the_training():
    def handler(*_):
        raise OverflowError("from the handler")

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        model = tern.MatrixFactorization(epochs=20_000, device="cpu", patience=0)
        model.fit(checkerboard(40), show_progress=False,
                  callback=lambda epoch, *_: epoch == 2 and signal.raise_signal(signal.SIGUSR1))
        raise AssertionError("the training ended")
    except OverflowError:
        assert len(model.history) >= 3
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_signal_within_an_epoch_ends_it():
    frames = []

    def handler(_, frame):
        frames.append(frame.f_code.co_name)
        raise OverflowError

    before = signal.signal(signal.SIGALRM, handler)
    try:
        model = tern.MatrixFactorization(width=4, epochs=20, batch_size=1, device="cpu", patience=0)
        # An epoch has 45,000 steps, and takes some 0.25 s: the signal arrives early in the second one.
        model.fit(checkerboard(300), show_progress=False,
                  callback=lambda epoch, *_: epoch == 0 and signal.setitimer(signal.ITIMER_REAL, 0.05))
        raise AssertionError("the training ended")
    except OverflowError:
        # Not where Python runs anyway, in the call after an epoch.
        assert frames == ["fit"]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("name, size", [("EASE", 1200), ("GraphFilter", 600)])
def test_a_signal_ends_a_fit_and_leaves_the_model(name, size):
    board = checkerboard(40)
    model = MODELS[name]().fit(board)
    expected = model.recommend(np.arange(40), board)[0].tobytes()
    notes = []
    sends = False

    class Handler(logging.Handler):
        def emit(self, record):
            notes.append(record.getMessage())
            if sends and len(notes) == 1:
                signal.raise_signal(signal.SIGUSR1)

    def handler(*_):
        raise OverflowError

    log, listener = logging.getLogger("tern"), Handler()
    before, level = signal.signal(signal.SIGUSR1, handler), log.level
    log.addHandler(listener)
    log.setLevel(logging.DEBUG)
    try:
        MODELS[name]().fit(checkerboard(size))
        all_notes = list(notes)
        notes.clear()
        sends = True
        with pytest.raises(OverflowError):
            model.fit(checkerboard(size))
    finally:
        log.removeHandler(listener)
        log.setLevel(level)
        signal.signal(signal.SIGUSR1, before)
    assert len(notes) == 1 < len(all_notes), all_notes
    assert model.recommend(np.arange(40), board)[0].tobytes() == expected


def test_signals_are_handled_within_a_large_recommend():
    calls = []
    model = tern.MatrixFactorization(device="cpu", threads=1)
    rng = np.random.default_rng(0)
    model.user_factors = rng.random((150_000, 64), dtype=np.float32)
    model.item_factors = rng.random((4_000, 64), dtype=np.float32)
    before = signal.signal(signal.SIGALRM, lambda *_: calls.append(0))
    signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
    try:
        # 38 thousand million products: without checks, the handler would run once, at the end.
        model.recommend(np.arange(150_000), None, N=5, filter_already_liked_items=False)
        within = len(calls)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert within >= 3


#: Python 3.12 and later warn of every fork of a process with threads, even if the child uses none of them.
FORKS = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def test_models_in_two_threads():
    board = checkerboard(40)
    found = {}

    def work(name):
        model = MODELS[name]().fit(board, show_progress=False)
        found[name] = [array.tobytes() for array in model.recommend(np.arange(40), board)]

    threads = [threading.Thread(target=work, args=(name,)) for name in ("LightGCN", "MatrixFactorization")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    together = dict(found)
    for name in found:
        work(name)
    assert together == found


def test_one_model_in_two_threads():
    board = checkerboard(40)
    model = MODELS["LightGCN"]().fit(board, show_progress=False)
    expected = model.recommend(np.arange(40), board)[0].tolist()
    found = []
    threads = [threading.Thread(target=lambda: found.append(model.recommend(np.arange(40), board)[0].tolist()))
               for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4


def test_a_fitted_model_is_copied_while_it_ranks():
    """The copy moves the arrays out of the model for a moment."""
    board = checkerboard(300)
    model = MODELS["EASE"]().fit(board)
    expected = model.recommend(np.arange(300), board)[0].tobytes()
    found = []
    ranking = threading.Thread(
        target=lambda: found.extend(model.recommend(np.arange(300), board)[0].tobytes() for _ in range(20)))
    ranking.start()
    copies = 0
    while ranking.is_alive() or copies == 0:
        assert pickle.loads(pickle.dumps(model)).l2 == model.l2
        copies += 1
    ranking.join()
    assert found == [expected] * 20


@FORKS
def test_a_fork_does_not_wait_for_a_thread_that_ranks():
    model = MODELS["LightGCN"]().fit(checkerboard(40), show_progress=False)
    with model._lock:  # as if a thread were ranking
        child = multiprocessing.get_context("fork").Process(target=model.similar_items, args=(0,))
        child.start()
        child.join(timeout=60)
    assert child.exitcode == 0


def rank_and_fit(model, queue):
    board = checkerboard(40)
    fresh = MODELS["LightGCN"]().fit(board, show_progress=False)
    queue.put([model.recommend(np.arange(40), board)[0].tolist(), fresh.user_factors.tobytes()])


@FORKS
def test_fork():
    board = checkerboard(40)
    model = MODELS["LightGCN"]().fit(board, show_progress=False)
    expected = [model.recommend(np.arange(40), board)[0].tolist(), model.user_factors.tobytes()]
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=rank_and_fit, args=(model, queue))
    child.start()
    assert queue.get(timeout=300) == expected
    child.join()


def resident_bytes():
    pages = pathlib.Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * 4096


def test_fits_do_not_leak():
    board = checkerboard(6)

    def fit(times):
        for _ in range(times):
            tern.LightGCN(width=4, epochs=1, device="cpu", threads=1).fit(board, show_progress=False)
            tern.EASE().fit(board)

    fit(200)
    before = resident_bytes()
    fit(2000)
    assert resident_bytes() - before < 8e6  # a matrix, a model or an exception a fit is more
