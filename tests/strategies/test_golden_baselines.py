"""Krum, coordinate-wise median and trimmed mean agree with outputs recorded from the authors' code.

Reads every case in the folder that ``PAWBROFL_GOLDEN_DIR`` names that `test_golden_cases` does not.
Krum is a weighting of the Gramian here; the coordinate-wise rules are Flower's, as baselines.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.server.strategy.aggregate import aggregate_median, aggregate_trimmed_avg

from strategies import MultiKrum
from strategies.arrays import FloatArray
from strategies.gramian import squared_distances
from strategies.weightings.multi_krum import krum_scores

from .test_golden_cases import FUNCTIONS, GOLDEN_DIR, GoldenCase

BASELINES = ("krum", "mom_krum", "median", "trimmed_mean", "bulyan")
PUBLISHED_IN_SINGLE = 1e-5
"""The authors' code measures distances in float32."""


def paths_of(*functions: str) -> list[Any]:
    if GOLDEN_DIR is None:
        reason = "PAWBROFL_GOLDEN_DIR does not name a folder of golden cases"
        return [pytest.param(None, marks=pytest.mark.skip(reason=reason))]
    paths = [path for path in sorted(Path(GOLDEN_DIR).glob("*.npz")) if function_of(path) in functions]
    return [pytest.param(path, id=path.stem) for path in paths]


def function_of(path: Path) -> str:
    with np.load(path) as file:
        return str(json.loads(str(file["meta"]))["function"])


def flat(case: GoldenCase) -> list[tuple[list[FloatArray], int]]:
    return [([row], 1) for row in case.samples]


@pytest.mark.skipif(GOLDEN_DIR is None, reason="PAWBROFL_GOLDEN_DIR does not name a folder")
def test_every_case_in_the_folder_is_compared() -> None:
    found = {function_of(path) for path in Path(os.environ["PAWBROFL_GOLDEN_DIR"]).glob("*.npz")}
    assert found <= {*FUNCTIONS, *BASELINES}


def published_krum(gramian: FloatArray, num_malicious: int, bucket_size: int = 1) -> FloatArray:
    """Return Krum's weights as the authors' code has them: scores are sums of distances not squared.

    ``bucket_size`` updates are averaged beforehand, in the order they come in (their ``mom_krum``).
    """
    bucket = np.arange(len(gramian)) // bucket_size
    member = (np.arange(bucket[-1] + 1)[:, None] == bucket).astype(np.float64)
    averaging = member / member.sum(axis=1, keepdims=True)
    products = averaging @ gramian @ averaging.T
    # Two nearest neighbours tie: symmetric to the last digit, so that the first one is taken.
    distances = squared_distances((products + products.T) / 2)
    scores = krum_scores(np.sqrt(distances), num_malicious)
    weights: FloatArray = averaging[int(np.argmin(scores))]
    return weights


@pytest.mark.parametrize("path", paths_of("krum"))
def test_krum_selects_the_update_the_authors_code_selects(path: Path) -> None:
    case = GoldenCase.load(path)
    gramian = case.samples @ case.samples.T
    f = case.kwargs["f"]
    assert np.flatnonzero(published_krum(gramian, f)).tolist() == [int(case.arrays["out_index"])]
    scores = krum_scores(np.sqrt(squared_distances(gramian)), f)
    np.testing.assert_allclose(scores, case.arrays["krum_metric"], rtol=PUBLISHED_IN_SINGLE)
    np.testing.assert_allclose(published_krum(gramian, f) @ case.samples, case.expected, rtol=1e-6)


@pytest.mark.parametrize("path", paths_of("krum"))
def test_krum_of_squared_distances_selects_an_update_as_central(path: Path) -> None:
    case = GoldenCase.load(path)
    weights = MultiKrum(case.kwargs["f"] / len(case.samples), num_selected=1)(
        case.samples @ case.samples.T
    )
    selected = int(np.argmax(weights))
    metric = case.arrays["krum_metric"]
    assert metric[selected] <= np.quantile(metric, 0.1), "the authors' scores are not squared"


@pytest.mark.parametrize("path", paths_of("mom_krum"))
def test_median_of_means_krum_agrees(path: Path) -> None:
    case = GoldenCase.load(path)
    gramian = case.samples @ case.samples.T
    weights = published_krum(gramian, case.kwargs["f"], case.kwargs["bucket_size"])
    mean = weights @ case.samples
    np.testing.assert_allclose(mean, case.expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("path", paths_of("median"))
def test_flowers_median_agrees(path: Path) -> None:
    case = GoldenCase.load(path)
    np.testing.assert_allclose(aggregate_median(flat(case))[0], case.expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("path", paths_of("trimmed_mean"))
def test_flowers_trimmed_mean_agrees(path: Path) -> None:
    case = GoldenCase.load(path)
    mean = aggregate_trimmed_avg(flat(case), case.kwargs["beta"])[0]
    np.testing.assert_allclose(mean, case.expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("path", paths_of("bulyan"))
def test_bulyan(path: Path) -> None:
    pytest.skip(
        "no counterpart: the authors select around each coordinate's medoid, with three inner rules; "
        "Flower's aggregate_bulyan selects around the median, with Krum, and only where m >= 4 f + 3"
    )
