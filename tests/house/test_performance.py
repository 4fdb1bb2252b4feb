"""docs/performance.md says what perf/results.json holds, and every row can be measured and is explained."""

import importlib
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def perf(monkeypatch):
    """A module of perf/, which is no package."""
    monkeypatch.syspath_prepend(str(ROOT / "perf"))
    return importlib.import_module


def committed():
    return json.loads((ROOT / "perf" / "results.json").read_text())


def test_the_page_is_that_of_the_committed_results(perf):
    said = (ROOT / "docs" / "performance.md").read_text()
    assert said == perf("page").page_of(committed()), "python perf/bench.py --page writes it anew"


def test_every_result_is_of_a_row_with_machine_day_and_load(perf):
    rows, results = perf("rows").ROWS, committed()
    assert set(results) <= set(rows)
    for name, result in results.items():
        if "not_measured" not in result:
            assert " cores; Python " in result["on"] and "torch " in result["on"], name
            assert result["date"] > "2026" and result["load"] >= 0 and result["figures"], name


def test_every_row_has_a_function_and_says_how_it_grows(perf):
    for name, row in perf("rows").ROWS.items():
        module, _, function = row.measure.partition(":")
        assert callable(getattr(perf(module), function)), name
        assert row.grows.endswith("."), name


def test_a_figure_that_is_too_low_or_too_high_is_said_to_be(perf):
    figures = [
        {"what": "fast", "value": 0.9, "unit": "x", "low": 0.8, "high": 1.0, "repeats": 7, "at_least": 0.95},
        {"what": "cheap", "value": 0.1, "unit": "s", "repeats": 1, "at_most": 0.2},
    ]
    result = {"on": "a processor", "date": "2026-01-02", "load": 1.5, "seconds": 90, "notes": [], "figures": figures}
    page = perf("page").page_of({"throughput": result, "ray": {"not_measured": "the extra is absent"}})
    assert "| fast | 0.90x (0.80 to 1.00, 7 pairs) | at least 0.95: **not reached** |" in page
    assert "| cheap | 0.10 s | at most 0.2 |" in page
    assert "Not measured: the extra is absent." in page and "Not measured yet." in page
    assert "load when it began: 1.5" in page and "- a processor\n" in page


def test_pairs_are_taken_in_turns_and_the_one_in_the_middle_counts(perf):
    order, took = [], {"a": iter([9.0, 2.0, 1.0, 4.0]), "b": iter([9.0, 2.0, 3.0, 8.0])}

    def taking(name):
        return lambda: order.append(name) or next(took[name])

    figure = perf("figures").ratio("x", taking("a"), taking("b"), 3)
    assert (
        order[2:] == ["b", "a", "a", "b", "b", "a"] and figure.value == 2.0 and (figure.low, figure.high) == (1.0, 3.0)
    )
