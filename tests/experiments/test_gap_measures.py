"""The comparison of gap measures: all of the same training, and how their ranks agree."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from experiments.pages.gap_measure_agreement import REFERENCE, SAMPLES_MEASURED, agreement, measured_gaps
from pawbrofl_app.client_app import honest_client
from pawbrofl_app.settings.run_config import RunConfig

SMALL = {"network": "perceptron", "num-clients": 3, "num-rounds": 2, "local-epochs": 1}


def test_all_measures_are_of_the_same_training(defaults: dict[str, Any]) -> None:
    config = RunConfig.parse(defaults | SMALL | {"training-samples": 360})
    gaps = measured_gaps(config)
    assert gaps.shape == (6, 3 + len(SAMPLES_MEASURED))
    everything = [f"training, {number} samples" for number in SAMPLES_MEASURED if number >= 120]
    for measure in everything:
        np.testing.assert_allclose(gaps[measure], gaps[REFERENCE], err_msg="a client holds 120 samples")
    assert not np.allclose(gaps["training, 50 samples"], gaps[REFERENCE])
    assert (gaps[REFERENCE] > 0).all()
    assert len(honest_client(config, 0).labels) == 120


def test_agreement_is_by_rank_in_each_round() -> None:
    rounds = pd.MultiIndex.from_product([[1, 2], [0, 1, 2]], names=["round", "client"])
    gaps = pd.DataFrame(
        {
            REFERENCE: [1.0, 2.0, 3.0, 1.0, 2.0, 3.0],
            "as ranked": [10.0, 20.0, 90.0, 1.0, 4.0, 9.0],
            "turned round once": [1.0, 2.0, 3.0, 3.0, 2.0, 1.0],
        },
        index=rounds,
    )
    table = agreement(gaps).set_index("gap-measure")
    assert table.loc["as ranked", "rank correlation"] == pytest.approx(1.0)
    assert table.loc["turned round once", "rank correlation"] == pytest.approx(0.0)
    assert table.loc["turned round once", "lowest"] == pytest.approx(-1.0)
    assert table.loc["turned round once", "relative size"] == pytest.approx(1.0)
