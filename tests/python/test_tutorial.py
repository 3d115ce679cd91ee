"""The tutorial runs, cell by cell, and shows what it says."""

from __future__ import annotations

import importlib.util
import pathlib
import shutil

TUTORIAL = pathlib.Path(__file__).resolve().parents[2] / "host/python/tutorial.py"


def test_tutorial(capsys):
    cells = TUTORIAL.read_text(encoding="utf-8").split("\n# %%")
    names = {}
    for cell in cells:
        exec(compile(cell.partition("\n")[2], str(TUTORIAL), "exec"), names)
    shown = capsys.readouterr().out
    run, customer = names["run"], names["customer"]
    try:
        # By far most of what is recommended is of the customer's taste.
        recommended = [article for article, _ in run.recommend([customer], N=10)[0]]
        assert sum(article.startswith("bread") for article in recommended) >= 8
        assert sum(str(article).startswith("bread") for article in names["item_ids"][names["items"]]) >= 4
        assert str(run.path / "report.html") in shown and "bread" in (run.path / "report.html").read_text(encoding="utf-8")
        assert list((run.path / "tensorboard").glob("events.out.tfevents.*"))
        if importlib.util.find_spec("faiss"):
            assert "by faiss" in shown
        else:
            assert "faiss is not installed" in shown
    finally:
        shutil.rmtree(names["folder"])
