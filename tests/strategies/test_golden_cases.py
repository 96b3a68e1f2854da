"""Aggregation in blocks agrees with outputs recorded from the authors' code.

Reads every case in the folder that ``PAWBROFL_GOLDEN_DIR`` names. Two traits of the authors' code are
accounted for here rather than in the library: where nothing was filtered its weights are ones instead
of 1/m, which multiplies mu by their sum; and its norm matching adds 1e-8 to the denominator.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.as_published.published_weightings import PublishedFiltering, PublishedNoRegret
from strategies import PerformanceAware, Weighting, aggregate
from strategies.arrays import FloatArray

AUTHORS_GUARD = 1e-8
GOLDEN_DIR = os.environ.get("PAWBROFL_GOLDEN_DIR")
FUNCTIONS = ("filterL2_", "filterL2", "ex_noregret_", "ex_noregret")


@dataclass(frozen=True)
class GoldenCase:
    """One recorded call of the authors' code, as (m, d) samples and the length of its blocks."""

    function: str
    kwargs: dict[str, Any]
    arrays: dict[str, Any]

    @classmethod
    def load(cls, path: Path) -> GoldenCase:
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        meta = json.loads(str(arrays.pop("meta")))
        return cls(meta["function"], meta["kwargs"], arrays)

    @property
    def samples(self) -> FloatArray:
        samples = self.arrays["samples"]
        return np.asarray(samples.reshape(len(samples), -1), dtype=np.float64)

    @property
    def gaps(self) -> FloatArray | None:
        return None if self.kwargs["mu"] is None else self.arrays.get("local_loss_gaps")

    @property
    def expected(self) -> FloatArray:
        return np.asarray(self.arrays["out"], dtype=np.float64).reshape(-1)

    @property
    def block_size(self) -> int:
        d = self.samples.shape[1]
        if self.function.endswith("_"):
            return d
        return int(self.kwargs["itv"] or np.floor(np.sqrt(d)))

    @property
    def num_blocks(self) -> int:
        return int(np.ceil(self.samples.shape[1] / self.block_size))

    def block(self, j: int) -> slice:
        return slice(j * self.block_size, min((j + 1) * self.block_size, self.samples.shape[1]))

    def weighting(self) -> Weighting:
        make = PublishedFiltering if self.function.startswith("filter") else PublishedNoRegret
        return make(self.kwargs["eps"], self.kwargs["sigma"], self.kwargs["expansion"])

    def tilt(self, j: int) -> PerformanceAware | None:
        if self.gaps is None:
            return None
        mu = float(self.arrays[f"trace{j}_mu_used"]) / self.arrays[f"trace{j}_c"].sum()
        return PerformanceAware(mu=mu, bound_reports=False)

    @property
    def tolerance(self) -> float:
        """Absolute: the authors' code measures float32 samples' distances in float32."""
        in_single = self.arrays["samples"].dtype == np.float32
        return (1e-7 if in_single else 1e-12) * float(np.abs(self.expected).max())

    def without_guard(self, j: int, robust_weights: FloatArray) -> float:
        """Return what the authors' guard against division by zero shrank block j by."""
        tilt = self.tilt(j)
        if tilt is None or self.gaps is None:
            return 1.0
        tilted = tilt(robust_weights, self.gaps) @ self.samples[:, self.block(j)]
        length = np.linalg.norm(tilted) * self.arrays[f"trace{j}_c"].sum()
        return float(1 + AUTHORS_GUARD / length)


def golden_paths() -> list[Any]:
    if GOLDEN_DIR is None:
        reason = "PAWBROFL_GOLDEN_DIR does not name a folder of golden cases"
        return [pytest.param(None, marks=pytest.mark.skip(reason=reason))]
    paths = sorted(Path(GOLDEN_DIR).glob("*.npz"))
    chosen = [path for path in paths if path.stem.split("_", 1)[1] in FUNCTIONS]
    assert chosen, f"no golden cases of {FUNCTIONS} in {GOLDEN_DIR}"
    return [pytest.param(path, id=path.stem) for path in chosen]


@pytest.mark.mostly_slow(5)
@pytest.mark.parametrize("path", golden_paths())
def test_every_block_agrees_with_the_authors_output(path: Path) -> None:
    case = GoldenCase.load(path)
    for j in range(case.num_blocks):
        block = case.block(j)
        result = aggregate(case.samples[:, block], case.weighting(), case.gaps, case.tilt(j))
        expected = case.expected[block] * case.without_guard(j, result.robust_weights)
        np.testing.assert_allclose(result.mean, expected, rtol=1e-6, atol=case.tolerance)


@pytest.mark.mostly_slow(5)
@pytest.mark.parametrize("path", golden_paths())
def test_block_size_gives_what_the_blocks_give_one_by_one(path: Path) -> None:
    case = GoldenCase.load(path)
    tilts = [case.tilt(j) for j in range(case.num_blocks)]
    tilt = tilts[0]
    together = aggregate(case.samples, case.weighting(), case.gaps, tilt, block_size=case.block_size)
    for j in range(case.num_blocks):
        block = case.block(j)
        if tilts[j] != tilt:
            continue  # the authors' mu differs there; the blocks' own test covers it
        alone = aggregate(case.samples[:, block], case.weighting(), case.gaps, tilt)
        guard = case.without_guard(j, alone.robust_weights)
        np.testing.assert_allclose(together.mean[block], alone.mean, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(
            together.mean[block], case.expected[block] * guard, rtol=1e-6, atol=case.tolerance
        )


@pytest.mark.mostly_slow(5)
@pytest.mark.parametrize("path", golden_paths())
def test_robust_weights_are_those_in_force_when_the_authors_code_returned(path: Path) -> None:
    case = GoldenCase.load(path)
    for j in range(case.num_blocks):
        recorded = case.arrays[f"trace{j}_c"]
        kept = case.arrays.get(f"trace{j}_kept_after_krum", case.arrays.get(f"trace{j}_kept_rows"))
        if kept is None:
            continue
        q = aggregate(case.samples[:, case.block(j)], case.weighting()).robust_weights
        np.testing.assert_allclose(q[kept], recorded / recorded.sum(), rtol=1e-6, atol=1e-9)
