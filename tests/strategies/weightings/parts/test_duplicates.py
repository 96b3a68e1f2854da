"""Duplicates: no placement of malicious updates merges honest clients."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.weightings.parts.duplicates import duplicate_groups

from ...made_up_updates import honest, placements


@settings(max_examples=60, deadline=None)
@given(data=st.data(), number=st.integers(1, 8))
def test_no_placement_merges_honest_clients(data: Any, number: int) -> None:
    rows = honest(20, 60)
    both = np.vstack([rows, placements(data.draw, rows, number)])
    groups = duplicate_groups(both @ both.T, number)[:20]
    assert len(np.unique(groups)) == 20
