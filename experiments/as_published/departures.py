"""Where the authors' code departs from their paper in ways that no setting of the app can follow.

- ``gap-order``: the gaps are handed over in the clients' order and the updates in a random one, so the
  tilt acts on random clients.
- ``unnormalised``: the robust weights in ``z_i = q_i gap_i / mu`` are ones where nothing was filtered,
  about 1/m otherwise, and mu is doubled until the softmax is a number.
- ``weightings``: fixed threshold, few steps, another projection (see `weightings`).
- ``all-images``: attack success counts the test images that are of the target class anyway.

The rest are settings of the app: see ``presets/as-published.toml``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from attacks import Backdoor
from pawbrofl_app.method import Groups, Method, method_of
from pawbrofl_app.settings.run_config import InvalidSetting, RunConfig
from pawbrofl_app.tasks.evaluation import Evaluation, class_scores, evaluate
from strategies import PerformanceAware
from strategies.arrays import FloatArray

from .published_weightings import PublishedFiltering, PublishedNoRegret

SMALLEST_EXPONENT, LARGEST_EXPONENT = -745.0, 709.0
"""Beyond them exp is 0 or infinity in float64, and the authors' softmax not a number."""

DEPARTURES = ("gap-order", "unnormalised", "weightings", "all-images")


class InvalidDepartures(InvalidSetting):
    """A name that is none of `DEPARTURES`."""


@dataclass(frozen=True, kw_only=True)
class PublishedTilt(PerformanceAware):
    """Equation (8) with gaps of random clients, or with weights that are not normalised, or both.

    Parameters
    ----------
    gap_order_seed : int, optional
        Draws, in every round, whose gap each client is given. By default its own.
    unnormalised : bool
        Take weights that are even over the clients that count as ones.
    server_round : int
        Set by `at_round`.
    """

    gap_order_seed: int | None = None
    unnormalised: bool = False
    server_round: int = 0

    def at_round(self, server_round: int, clients: Sequence[str] = ()) -> PublishedTilt:
        """Return the tilt of a round."""
        return replace(self, server_round=server_round)

    def __call__(
        self,
        q: FloatArray,
        loss_gaps: Sequence[float] | FloatArray,
        positions: NDArray[np.intp] | None = None,
    ) -> FloatArray:
        """Return the tilted weights; see `PerformanceAware`."""
        gaps = np.asarray(loss_gaps, dtype=np.float64)
        if self.gap_order_seed is not None:
            gaps = self._shuffled(gaps, positions)
        tilt = replace(self, mu=self._published_mu(q, gaps)) if self.unnormalised else self
        return PerformanceAware.__call__(tilt, q, gaps, positions)

    def _published_mu(self, q: FloatArray, gaps: FloatArray) -> float:
        """Return the mu that does to weights of sum one what the authors' does to theirs."""
        mu = float(self.mu)  # type: ignore[arg-type]
        counted = (q > 0) & np.isfinite(gaps)
        if not counted.any():
            return mu
        kept = q[counted]
        nothing_filtered = float(np.ptp(kept)) <= 1e-12 * float(kept.max())
        scale = 1 / float(kept[0]) if nothing_filtered else 1.0
        largest = scale * float((kept * gaps[counted]).max())
        while not SMALLEST_EXPONENT <= largest / mu <= LARGEST_EXPONENT:
            mu *= 2
        return mu / scale

    def _shuffled(self, gaps: FloatArray, positions: NDArray[np.intp] | None) -> FloatArray:
        at = np.arange(len(gaps)) if positions is None else positions
        by_client = np.full(at.max() + 1, np.nan)
        by_client[at] = gaps
        given = np.sort(at)
        random = np.random.default_rng([self.gap_order_seed or 0, self.server_round])
        by_client[given] = by_client[random.permutation(given)]
        return by_client[at]


@torch.inference_mode()
def evaluate_all_images(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    backdoor: Backdoor | None,
    groups: Groups = None,
) -> Evaluation:
    """Evaluate as `evaluate` does, with images of the target class counted as attack successes too."""
    assert backdoor is not None, "images have one"
    hits = class_scores(model, backdoor.trigger.stamp(images)).argmax(dim=1) == backdoor.target
    return replace(
        evaluate(model, images, labels, backdoor, groups),
        attack_success_rate=float(hits.double().mean()),
    )


def departures_named(names: str) -> frozenset[str]:
    """Return the departures that a text names: "all", "none", or names with commas between them.

    Raises
    ------
    InvalidDepartures
        For an unknown name.
    """
    if names in ("all", "none"):
        return frozenset(DEPARTURES if names == "all" else ())
    named = frozenset(name.strip() for name in names.split(","))
    unknown = sorted(named - set(DEPARTURES))
    if unknown:
        raise InvalidDepartures(
            f"departures must be 'all', 'none' or some of {', '.join(DEPARTURES)}, got {unknown[0]!r}"
        )
    return named


def published_method(config: RunConfig, departures: frozenset[str]) -> Method:
    """Return how a run with these departures aggregates and evaluates."""
    method = method_of(config)
    if "weightings" in departures and config.aggregation.aggregator == "no-regret":
        method = replace(method, weighting=PublishedNoRegret(epsilon=config.aggregation.epsilon))
    if "weightings" in departures and config.aggregation.aggregator == "filtering":
        method = replace(method, weighting=PublishedFiltering(config.aggregation.epsilon))
    if method.performance is not None and departures & {"gap-order", "unnormalised"}:
        tilt = PublishedTilt(
            mu=config.tilt.mu,
            epsilon=config.aggregation.epsilon,
            bound_reports=config.tilt.bound_reports,
            max_tilt=config.tilt.max_tilt,
            gap_order_seed=config.seed if "gap-order" in departures else None,
            unnormalised="unnormalised" in departures,
        )
        method = replace(method, performance=tilt)
    if "all-images" in departures:
        method = replace(method, evaluate=evaluate_all_images)
    return method
