"""Does the gate predict: what is computed from the readers' figures."""

import json

import numpy as np
import pytest

from elusive.statistics import spearman

approx = pytest.approx


@pytest.fixture(autouse=True)
def few_draws(benchmarks, monkeypatch):
    monkeypatch.setattr(benchmarks.gate_predicts, "RESAMPLES", 200)


def figures(gains, *, em=None, lines=None):
    return [
        {
            "line": (lines or [f"line {n}" for n in range(len(gains))])[n],
            "before": {"follows": float(n), "exact match": float((em or range(len(gains)))[n])},
            "verdict": "good" if n else "poor",
            "gain": {"mean": gain, "low": gain - 0.1, "high": gain + 0.1},
            "end": -gain,
        }
        for n, gain in enumerate(gains)
    ]


def test_an_indicator_in_the_order_of_the_gains_has_rho_one(benchmarks):
    rows = {row["name"]: row for row in benchmarks.gate_predicts.predictions(figures([0, 0.1, 0.2, 0.3]), "gain")}
    assert rows["follows"]["spearman"] == approx(1)
    assert rows["follows"]["over_readers"] == {"low": approx(1), "high": approx(1)}
    assert rows["follows"]["above_exact_match"] == {"low": approx(0), "high": approx(0)}


def test_the_best_indicator_stands_first_and_both_outcomes_are_judged(benchmarks):
    found = figures([0, 0.1, 0.2, 0.3], em=[1, 0, 2, 3])
    assert [row["name"] for row in benchmarks.gate_predicts.predictions(found, "gain")] == ["follows", "exact match"]
    assert [row["name"] for row in benchmarks.gate_predicts.predictions(found, "end")] == ["exact match", "follows"]


def test_drawing_lines_again_keeps_the_readers_of_a_line_together(benchmarks):
    seen = []
    benchmarks.gate_predicts.interval(["a", "a", "b"], lambda places: seen.append(tuple(places)) or 0.0)
    assert set(seen) == {(0, 1, 0, 1), (0, 1, 2), (2, 0, 1), (2, 2)}


def test_an_interval_leaves_out_draws_that_define_nothing_and_widens_with_noise(benchmarks):
    rng = np.random.default_rng(0)
    x, noise = np.arange(16.0), rng.normal(size=16)
    narrow, wide = (
        benchmarks.gate_predicts.interval(16, lambda i, y=y: spearman(x[i], y[i])) for y in (x + noise, x + 9 * noise)
    )
    assert 0.5 < narrow["low"] < narrow["high"] <= 1
    assert wide["high"] - wide["low"] > narrow["high"] - narrow["low"]
    few = benchmarks.gate_predicts.interval(2, lambda i: spearman(x[i], x[i]))
    assert few == {"low": approx(1), "high": approx(1)}


def test_a_gain_counts_where_its_interval_is_above_zero(benchmarks):
    table = benchmarks.gate_predicts.two_by_two(figures([0.05, 0.05, 0.2]))
    assert table == {"poor": {"gained": 0, "not": 1}, "good": {"gained": 1, "not": 1}}


def test_figures_agree_where_their_intervals_meet(benchmarks):
    of = lambda low, high, name="a": {"rows": [{"name": name, "gain": {"mean": 0, "low": low, "high": high}}]}  # noqa: E731
    disagreements = benchmarks.agreement.disagreements
    assert disagreements(of(0, 1), of(0.9, 2)) == []
    assert disagreements(of(0, 1), of(1.5, 2)) == ["rows / a / gain: 1.500 to 2.000, committed 0.000 to 1.000"]
    assert disagreements(of(0, 1), of(0, 1, "b")) == ["rows / a / gain: committed, but not made afresh"]


def test_the_committed_figures_are_those_of_the_script(benchmarks):
    script = benchmarks.gate_predicts
    content = json.loads(script.COMMITTED.read_text(encoding="utf-8"))
    assert content["procedure"] == script.__doc__
    assert content["distillation"] == dict(script.DISTILLATION)
    assert script.two_by_two(content["readers"]) == content["verdicts"]
    gains = np.array([one["gain"]["mean"] for one in content["readers"]])
    for row in content["gain"]:
        values = np.array([one["before"][row["name"]] for one in content["readers"]])
        assert row["spearman"] == approx(spearman(values, gains)), row["name"]
