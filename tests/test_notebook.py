"""Progress in a notebook: one output that is rewritten, and taken away."""

from __future__ import annotations

import io
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import fastw2v
from fastw2v.show.notebook import NotebookDisplay, as_html, display_of, is_notebook
from fastw2v.show.progress import Display


@pytest.fixture
def outputs(monkeypatch: pytest.MonkeyPatch) -> list[list[dict[str, str]]]:
    """IPython in a kernel: what each output of the cell showed, one after the other."""
    found: list[list[dict[str, str]]] = []

    def display(bundle: dict[str, str], *, raw: bool, display_id: bool) -> Any:
        assert raw
        assert display_id
        found.append([bundle])
        return SimpleNamespace(update=lambda bundle, raw: found[-1].append(bundle))

    ipython, module = ModuleType("IPython"), ModuleType("IPython.display")
    ipython.get_ipython = lambda: SimpleNamespace(kernel=object())  # type: ignore[attr-defined]
    module.display = display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    return found


def test_is_notebook__in_a_kernel_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not is_notebook()
    for shell, expected in ((None, False), (SimpleNamespace(), False), (SimpleNamespace(kernel=1), True)):
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda shell=shell: shell))
        assert is_notebook() is expected
        assert type(display_of(None, quiet=False)) is (NotebookDisplay if expected else Display)
        assert type(display_of(None, quiet=True)) is Display


def test_as_html__has_a_bar_where_the_end_is_known() -> None:
    line = "training  21.9%  epoch 2/5  loss 2.9389"
    assert as_html(line) == f'<progress max="100" value="21.9"></progress> <code>{line}</code>'
    assert as_html("reading <a> & b") == "<code>reading &lt;a&gt; &amp; b</code>"


def test_display__rewrites_one_output_and_takes_it_away(outputs: list[list[dict[str, str]]]) -> None:
    stream = io.StringIO()
    display = NotebookDisplay(stream)
    display.update("reading  50.0%", final=True)
    display.update("reading 100.0%", final=True)
    display.say("read")
    display.update("training  10.0%", final=True)
    display.close()
    display.close()
    shown = [[bundle["text/plain"] for bundle in output] for output in outputs]
    assert shown == [["reading  50.0%", "reading 100.0%", ""], ["training  10.0%", ""]]
    assert outputs[0][0]["text/html"].startswith('<progress max="100" value="50.0">')
    assert stream.getvalue() == "read\n"


def test_train__shows_a_bar_in_a_notebook(
    outputs: list[list[dict[str, str]]], capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastw2v.show.notebook.NOTEBOOK_SECONDS", 0.0)
    sentences = [["a", "b", "c"], ["b", "c"]] * 200
    options = {"dim": 4, "epochs": 2, "sample": 0, "threads": 1, "backend": "reference", "kernel": "pair"}
    fastw2v.train(sentences, verbose=True, negatives=1, **options)
    lines = [bundle["text/plain"] for output in outputs for bundle in output]
    assert any("epoch 1/2" in line or "epoch 2/2" in line for line in lines)
    assert lines[-1] == ""
    assert "training" not in capsys.readouterr().err
