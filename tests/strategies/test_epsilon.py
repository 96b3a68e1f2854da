"""How many of m clients may be malicious: one number everywhere, exact for every f of m."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import Filtering, MultiKrum, NoRegret
from strategies.epsilon import max_malicious
from strategies.performance_aware import bounded_reports
from strategies.winsorized_mean import winsorized_mean

from .made_up_updates import attacked

FRACTIONS = st.floats(0, 0.5, exclude_max=True)
NUMBERS = st.integers(1, 100_000)


def test_a_fraction_of_f_in_m_gives_f_back() -> None:
    wrong = [
        (f, m) for m in range(1, 501) for f in range((m - 1) // 2 + 1) if max_malicious(f / m, m) != f
    ]
    assert not wrong


@given(epsilon=FRACTIONS, m=NUMBERS)
def test_it_is_the_least_number_of_that_fraction_and_a_minority(epsilon: float, m: int) -> None:
    f = max_malicious(epsilon, m)
    assert 0 <= 2 * f < m
    assert f - 1 < epsilon * m
    assert f >= epsilon * m - 1e-9 or f == (m - 1) // 2


@given(epsilons=st.tuples(FRACTIONS, FRACTIONS), numbers=st.tuples(NUMBERS, NUMBERS))
def test_it_grows_with_epsilon_and_with_the_clients(
    epsilons: tuple[float, float], numbers: tuple[int, int]
) -> None:
    fewer, more = sorted(numbers)
    smaller, larger = sorted(epsilons)
    assert max_malicious(smaller, fewer) <= max_malicious(larger, more)


def test_those_missing_from_a_round_may_be_honest() -> None:
    assert [max_malicious(0.2, m) for m in (20, 19, 16, 15)] == [4, 4, 4, 3]
    assert [max_malicious(0.2, m) for m in (1, 2, 3)] == [0, 0, 1]


@pytest.mark.mostly_slow(4)
@pytest.mark.parametrize("malicious", [3, 7, 14])
@pytest.mark.parametrize("kind", [Filtering, NoRegret, MultiKrum])
def test_auto_weighs_as_the_fraction_that_it_finds(kind: type, malicious: int) -> None:
    rows = attacked(m=55, malicious=malicious)
    gramian = rows @ rows.T
    np.testing.assert_array_equal(kind("auto")(gramian), kind(malicious / 55)(gramian))


def test_reports_and_statistics_leave_out_as_many() -> None:
    for m in range(1, 60):
        values = np.arange(m, dtype=np.float64)
        for f in range((m - 1) // 2 + 1):
            assert bounded_reports(values, f / m).max() == m - 1 - f
            drawn_in = winsorized_mean(list(values[:, None]), np.eye(m)[0], f / m)
            assert drawn_in.item() == f
