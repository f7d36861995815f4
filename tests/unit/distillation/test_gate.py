"""Alarms at their thresholds, and which readers may teach."""

from math import nan

import pytest

from elusive.distillation.gate import Alarms, Measured, Thresholds, reader_gate
from elusive.errors import OptionError
from elusive.indicators.verdict import Verdict

START = Measured(gap=2.0, overlap=1.0, hit_rate=0.5)
ALARMS = Alarms(START)


def signs(**now: float) -> list[str]:
    return [alarm.sign for alarm in ALARMS.check(Measured(**now))]


@pytest.mark.parametrize(("sign", "threshold"), [("gap", 1.4), ("overlap", 0.6), ("hit_rate", 0.5)])
def test_an_alarm_is_raised_below_its_threshold_and_not_at_it(sign, threshold):
    assert signs(**{sign: threshold}) == []
    assert signs(**{sign: threshold + 1}) == []
    (alarm,) = ALARMS.check(Measured(**{sign: threshold - 0.01}))
    assert (alarm.sign, alarm.value, alarm.threshold) == (sign, threshold - 0.01, pytest.approx(threshold))


def test_every_alarm_says_what_was_measured_and_what_was_expected():
    gap, overlap, hits = (alarm.words for alarm in ALARMS.check(Measured(gap=0.5, overlap=0.25, hit_rate=0.125)))
    assert gap == "the embeddings contract: rank 1 is 0.5 above rank 50, below 0.7 of the 2 at the start"
    assert overlap == "the results have moved far: 0.250 of the first 5 are the initial retriever's, below 0.6"
    assert hits == "HR@5 on dev is 0.125, below the 0.500 at the start"


def test_what_was_not_measured_raises_nothing():
    assert ALARMS.check(Measured()) == ()
    assert [alarm.sign for alarm in Alarms(Measured()).check(Measured(gap=0.0, overlap=0.0, hit_rate=0.0))] == [
        "overlap"
    ]


def test_what_is_no_number_raises_an_alarm():
    assert signs(gap=nan, overlap=nan, hit_rate=nan) == ["gap", "overlap", "hit_rate"]


def test_thresholds_are_the_users():
    loose = Alarms(START, Thresholds(gap=0.1, overlap=0.0, hit_rate=0.5))
    assert loose.check(Measured(gap=0.3, overlap=0.0, hit_rate=0.3)) == ()
    (alarm,) = loose.check(Measured(hit_rate=0.2))
    assert alarm.words == "HR@5 on dev is 0.200, below 0.5 of the 0.500 at the start"
    with pytest.raises(OptionError, match=r"threshold gap 70 is not between 0 and 1"):
        Thresholds(gap=70)


@pytest.mark.parametrize(
    ("word", "go"), [("good", True), ("n/a", True), ("poor", False), ("not enough evidence", False)]
)
def test_a_reader_teaches_that_is_good_or_that_the_indicators_do_not_apply_to(word, go):
    decision = reader_gate(Verdict(word=word, reason="lift rises by .5", advice="tune it"))
    assert decision.go is go
    assert decision.reason.startswith(f"the reader's attention is {word}: lift rises by .5")
    assert decision.reason.endswith("tune it") is not go
