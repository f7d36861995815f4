"""What the other tests of this room take for granted."""

import jaxtyping
import pytest
import torch

from elusive.attention.reduce import causal_followers


def test_torch_runs_on_one_thread():
    assert torch.get_num_threads() == 1


def test_shapes_are_checked_at_run_time():
    with pytest.raises(jaxtyping.TypeCheckError, match="counted"):
        causal_followers(torch.ones(3))
