"""The stopping threshold: what no placement of malicious updates achieves."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies import Filtering
from strategies.weightings.parts.spectrum import centred
from strategies.weightings.parts.threshold import SLACK, stopping_threshold

from ...made_up_updates import attacked, honest, placements


@settings(max_examples=30, deadline=None)
@given(data=st.data(), power=st.sampled_from([0.0, 0.75]), number=st.integers(1, 8))
def test_malicious_clients_cannot_raise_the_threshold(data: Any, power: float, number: int) -> None:
    rows = honest(20, 60, power=power)
    both = np.vstack([rows, placements(data.draw, rows, number)])
    equal = np.full(20, 1 / 20)
    covariance = centred(rows @ rows.T, equal) / 20
    highest = SLACK * np.sum(np.linalg.eigvalsh(covariance) ** 4) ** 0.25
    assert stopping_threshold(both @ both.T, number) <= highest * 1.1, "up to the solver's last steps"


def test_it_is_above_what_honest_updates_reach_and_below_a_mild_attack() -> None:
    for seed in range(3):
        rows = honest(30, seed=seed)
        assert np.count_nonzero(Filtering(0.2)(rows @ rows.T)) == 30
    rows = attacked(malicious=6, offset=0.5)
    assert Filtering(0.2)(rows @ rows.T)[:6].sum() < 0.1, "half of their share"
