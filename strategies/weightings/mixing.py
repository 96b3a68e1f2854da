"""Wrappers that average updates before another weighting sees them, and map its weights back.

Mixed updates ``A X`` have the Gramian ``A K A^T``, and weights q on them are ``q A`` on the updates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray
from ..checks import require
from ..epsilon import Epsilon, check_epsilon_or_auto
from ..gramian import squared_distances
from .defence import check_wrappable
from .parts.group_means import group_means
from .parts.inliers import max_malicious_among
from .weighting import Weighting


@dataclass(frozen=True)
class NearestNeighborMixing(Weighting):
    """Replace each update by the mean of the ``m - f`` nearest to it, itself included.

    Allouah et al., "Fixing by mixing: a recipe for optimal Byzantine ML under heterogeneity" (AISTATS
    2023).

    Parameters
    ----------
    weighting : Weighting
        What weighs the mixed updates.
    epsilon : float or "auto", default 0.2
        The fraction of malicious clients to withstand; at least 0 and below 0.5. f is that many.
    """

    weighting: Weighting
    epsilon: Epsilon = 0.2

    def __post_init__(self) -> None:
        check_wrappable(self.weighting)
        check_epsilon_or_auto(self.epsilon)

    def __call__(self, gramian: FloatArray) -> FloatArray:
        """Return the weights of the updates before mixing."""
        m = len(gramian)
        number = m - max_malicious_among(gramian, self.epsilon)
        distances = squared_distances(gramian)
        np.fill_diagonal(distances, -1.0)  # itself first, even among duplicates
        nearest = np.argsort(distances, axis=1, kind="stable")[:, :number]
        mixing = np.zeros((m, m))
        np.put_along_axis(mixing, nearest, 1 / number, axis=1)
        return self.weighting(mixing @ gramian @ mixing.T) @ mixing


@dataclass(frozen=True)
class Bucketing(Weighting):
    """Average random buckets of updates.

    Karimireddy, He, Jaggi, "Byzantine-robust learning on heterogeneous datasets via bucketing" (ICLR
    2022). As a bucket with one malicious update is malicious, the wrapped weighting must withstand
    ``bucket_size`` times the fraction.

    Parameters
    ----------
    weighting : Weighting
        What weighs the buckets' means.
    bucket_size : int, default 2
        Updates in a bucket, at least 1; the last one may hold fewer.
    seed : int, default 0
        Of the assignment to buckets. Clients are drawn in the order of their updates' lengths, so that
        the order in which they replied does not matter.

    Raises
    ------
    ValueError
        For an argument out of its range.
    """

    weighting: Weighting
    bucket_size: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        check_wrappable(self.weighting)
        require(self.bucket_size >= 1, "bucket_size", "at least 1", self.bucket_size)
        require(self.seed >= 0, "seed", "at least 0", self.seed)

    def __call__(self, gramian: FloatArray) -> FloatArray:
        """Return the weights of the updates before averaging."""
        m = len(gramian)
        by_length = np.argsort(np.diag(gramian), kind="stable")
        order = by_length[np.random.default_rng(self.seed).permutation(m)]
        bucket = np.empty(m, dtype=np.intp)
        bucket[order] = np.arange(m) // self.bucket_size
        averaging = group_means(bucket)
        return self.weighting(averaging @ gramian @ averaging.T) @ averaging
