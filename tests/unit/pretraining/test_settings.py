"""How often a run is kept."""

import pytest

from elusive.pretraining.settings import LOG_EVERY, checkpoint_interval


@pytest.mark.parametrize(("steps", "every"), [(1, 10), (199, 10), (400, 20), (420, 20), (2750, 130), (100_000, 200)])
def test_a_run_is_kept_some_twenty_times_where_metrics_are_written_too(steps, every):
    assert checkpoint_interval(steps) == every
    assert every % LOG_EVERY == 0
