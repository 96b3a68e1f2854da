"""Flower's trimmed mean as a baseline: it trims as many clients as the robust weightings withstand."""

from __future__ import annotations

import numpy as np
import pytest
from flwr.common import Code, FitRes, Status, ndarrays_to_parameters, parameters_to_ndarrays
from flwr.server.client_proxy import ClientProxy

from pawbrofl_app.baselines import RecordedTrimmedAverage
from strategies.epsilon import max_malicious
from tests.strategies.one_round import NamedProxy


@pytest.mark.parametrize(
    ("epsilon", "m"), [(0.0, 3), (0.2, 1), (0.2, 19), (0.2, 20), (0.29, 100), (0.49, 5), (0.49, 99)]
)
def test_it_trims_as_many_as_may_be_malicious(epsilon: float, m: int) -> None:
    strategy = RecordedTrimmedAverage(
        epsilon=epsilon, on_round=lambda _: None, client_id_key="partition_id"
    )
    values = 2.0 ** np.arange(m)
    results: list[tuple[ClientProxy, FitRes]] = [
        (
            NamedProxy(str(i)),
            FitRes(
                Status(Code.OK, ""), ndarrays_to_parameters([values[i : i + 1]]), 1, {"partition_id": i}
            ),
        )
        for i in range(m)
    ]
    parameters, _ = strategy.aggregate_fit(1, results, [])
    assert parameters is not None
    f = max_malicious(epsilon, m)
    (mean,) = parameters_to_ndarrays(parameters)
    np.testing.assert_allclose(mean, values[f : m - f].mean(), rtol=1e-12)
