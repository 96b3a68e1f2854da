"""What false reports gain at most: the share ``rho Q / (1 + (rho - 1) Q)`` of the tilted weight."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies import EffectiveClients, PerformanceAware
from strategies.arrays import FloatArray

ANY_REPORT = st.floats(allow_nan=True, allow_infinity=True)
MU = st.one_of(
    st.none(),
    st.floats(min_value=1e-300, max_value=1e300),
    st.floats(min_value=1, max_value=20).map(EffectiveClients),
)


def share(weights: FloatArray, malicious: list[int]) -> float:
    return float(weights[malicious].sum() / weights.sum())


def highest_share(robust_share: float, max_tilt: float) -> float:
    return max_tilt * robust_share / (1 + (max_tilt - 1) * robust_share)


@settings(max_examples=100)
@given(data=st.data(), m=st.integers(2, 12), mu=MU, max_tilt=st.floats(1, 100))
def test_whatever_is_reported_malicious_clients_gain_no_more_than_the_bound(
    data: st.DataObject, m: int, mu: float | EffectiveClients | None, max_tilt: float
) -> None:
    raw = np.array(data.draw(st.lists(st.floats(0, 1), min_size=m, max_size=m)))
    q = raw / raw.sum() if raw.sum() > 1e-300 else np.full(m, 1 / m)
    reports = np.array(data.draw(st.lists(ANY_REPORT, min_size=m, max_size=m)))
    malicious = data.draw(st.lists(st.integers(0, m - 1), min_size=1, max_size=m, unique=True))
    epsilon = data.draw(st.floats(0, 0.49))
    tilted = PerformanceAware(mu, epsilon, max_tilt=max_tilt)(q, reports)
    counted = np.isfinite(reports) & (q > 0)
    if not counted.any():
        np.testing.assert_array_equal(tilted, q)
        return
    bound = highest_share(share(q, malicious), max_tilt)
    assert share(tilted, malicious) <= bound * (1 + 1e-9) + 1e-300  # subnormal numbers are coarse


def test_two_clients_weights_can_change_their_ratio_by_max_tilt_so_the_bound_cannot_be_lower() -> None:
    # The median client reports a gap between those of the malicious clients and of the others.
    reports = [5.0] * 4 + [1.0] * 2 + [0.0] * 4
    tilted = PerformanceAware(mu=1e-6, epsilon=0.2)(np.full(10, 0.1), reports)
    assert tilted[0] / tilted[-1] == pytest.approx(2.0)


def test_without_bounds_one_client_takes_everything() -> None:
    q = np.full(10, 0.1)
    reports = [1e6] + [0.5] * 9
    assert share(PerformanceAware(bound_reports=False)(q, reports), [0]) == pytest.approx(1)
    assert share(PerformanceAware()(q, reports), [0]) == pytest.approx(0.1)


def test_a_tilt_of_one_is_none() -> None:
    q = np.array([0.5, 0.3, 0.2])
    tilted = PerformanceAware(mu=1e-9, max_tilt=1.0)(q, [9.0, 1.0, 0.0])
    np.testing.assert_allclose(tilted / tilted.sum(), q, rtol=1e-12)


def test_lowering_its_report_never_gains_a_client_weight() -> None:
    q = np.full(10, 0.1)
    honest = np.linspace(0.1, 1.0, 10)
    for client in range(10):
        for lie in (0.0, -1.0, -1e300):
            lying = honest.copy()
            lying[client] = lie
            tilt = PerformanceAware(mu=0.05)
            assert share(tilt(q, lying), [client]) <= share(tilt(q, honest), [client]) + 1e-12
