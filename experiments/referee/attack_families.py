"""Families of attacks on updates, each with parameters that an attacker can search.

All know every honest update (omniscient attackers). Lengths are in units of the honest updates' spread,
the root of their mean squared distance from their mean; a jitter of 1 is noise of their own covariance
for each attacker, of 0 are copies.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from strategies.arrays import FloatArray

from ..estimators.scenarios import fresh_noise, unit

Value = float | str
Rows = Callable[..., FloatArray]


@dataclass(frozen=True)
class Range:
    """A number between two others; logarithmic where magnitudes matter, whole where it counts."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def at(self, place: float) -> Value:
        """Return the value at a place between 0 and 1."""
        if self.log:
            return float(f"{self.low * (self.high / self.low) ** place:.4g}")
        value = self.low + place * (self.high - self.low)
        return float(round(value)) if self.whole else float(f"{value:.4g}")

    def read(self, text: str) -> Value:
        """Return the value that a text holds."""
        value = float(text)
        if not math.isfinite(value):
            raise ValueError(f"a finite number, got {text!r}")
        return value


@dataclass(frozen=True)
class Choice:
    """One of several names."""

    options: tuple[str, ...]

    def at(self, place: float) -> Value:
        """Return the option at a place between 0 and 1."""
        return self.options[min(int(place * len(self.options)), len(self.options) - 1)]

    def read(self, text: str) -> Value:
        """Return the option, if it is one."""
        if text not in self.options:
            raise ValueError(f"one of {', '.join(self.options)}, got {text!r}")
        return text


Parameters = Mapping[str, Range | Choice]


@dataclass(frozen=True)
class Family:
    """A kind of attack: its parameters, and the rows that k attackers send."""

    parameters: Parameters
    rows: Rows


DIRECTIONS = Choice(("random", "against-mean", "deviation", "widest", "second-widest"))
LENGTH = Range(0.1, 5.0, log=True)
JITTER = Range(0.0, 1.2)


def direction_of(name: str, honest: FloatArray, random: np.random.Generator) -> FloatArray:
    """Return a direction of length 1, as one of `DIRECTIONS` names it."""
    mean = honest.mean(axis=0)
    if name == "random":
        return unit(random.normal(size=honest.shape[1]))
    if name == "against-mean":
        return unit(-mean)
    if name == "deviation":
        return unit(-honest.std(axis=0))
    deviations = honest - mean
    along = np.linalg.eigh(deviations @ deviations.T)[1][:, -2 if name == "second-widest" else -1]
    axis = unit(along @ deviations)
    return axis if axis @ mean <= 0 else -axis


def spread(honest: FloatArray) -> float:
    """Return the root of the mean squared distance from the mean."""
    return math.sqrt(float(honest.var(axis=0).sum()))


def _push(
    honest: FloatArray,
    k: int,
    random: np.random.Generator,
    *,
    direction: str,
    length: float,
    jitter: float,
) -> FloatArray:
    """Stand to one side of the honest mean."""
    shift = length * spread(honest) * direction_of(direction, honest, random)
    rows: FloatArray = honest.mean(axis=0) + shift + jitter * fresh_noise(honest, k, random)
    return rows


def _groups(
    honest: FloatArray,
    k: int,
    random: np.random.Generator,
    *,
    direction: str,
    length: float,
    jitter: float,
    number: float,
    apart: float,
) -> FloatArray:
    """Stand to one side in several groups, each with a way of its own besides the common one."""
    common = direction_of(direction, honest, random)
    own = random.normal(size=(int(number), honest.shape[1]))
    own /= np.linalg.norm(own, axis=1)[:, None]
    ways = np.array([unit(common + apart * way) for way in own])[np.arange(k) % int(number)]
    noise = jitter * fresh_noise(honest, k, random)
    rows: FloatArray = honest.mean(axis=0) + length * spread(honest) * ways + noise
    return rows


def _decoy(
    honest: FloatArray,
    k: int,
    random: np.random.Generator,
    *,
    direction: str,
    length: float,
    jitter: float,
    decoys: float,
    decoy_length: float,
) -> FloatArray:
    """Send some far away, each elsewhere, to draw the attention from the others."""
    rows = _push(honest, k, random, direction=direction, length=length, jitter=jitter)
    far = random.normal(size=(round(decoys * k), honest.shape[1]))
    far *= decoy_length * spread(honest) / np.linalg.norm(far, axis=1)[:, None]
    rows[: len(far)] = honest.mean(axis=0) + far
    return rows


def _on_radius(
    honest: FloatArray,
    k: int,
    random: np.random.Generator,
    *,
    direction: str,
    reach: float,
    jitter: float,
) -> FloatArray:
    """Stand so far out as the furthest honest client does, times a factor: inside outlier radii."""
    mean = honest.mean(axis=0)
    radius = reach * float(np.linalg.norm(honest - mean, axis=1).max())
    noise = jitter * fresh_noise(honest, k, random)
    way = direction_of(direction, honest, random)
    noise -= (noise @ way)[:, None] * way
    left = np.sqrt(np.maximum(radius**2 - np.einsum("ij,ij->i", noise, noise), 0.0))
    rows: FloatArray = mean + noise + left[:, None] * way
    return rows


def _tails(
    honest: FloatArray,
    k: int,
    random: np.random.Generator,
    *,
    direction: str,
    scale: float,
    jitter: float,
) -> FloatArray:
    """Ride the honest clients furthest along a direction: each attacker one of them, stretched."""
    mean = honest.mean(axis=0)
    order = np.argsort((honest - mean) @ direction_of(direction, honest, random))[::-1]
    ridden = honest[order[np.arange(k) % len(honest)]]
    rows: FloatArray = mean + scale * (ridden - mean) + jitter * fresh_noise(honest, k, random)
    return rows


def _mimic(
    honest: FloatArray, k: int, random: np.random.Generator, *, direction: str, jitter: float
) -> FloatArray:
    """All send what the honest client furthest along a direction sends."""
    along = (honest - honest.mean(axis=0)) @ direction_of(direction, honest, random)
    rows: FloatArray = honest[int(np.argmax(along))] + jitter * fresh_noise(honest, k, random)
    return rows


def _silence(
    honest: FloatArray,
    k: int,
    random: np.random.Generator,
    *,
    direction: str,
    share: float,
    length: float,
    jitter: float,
) -> FloatArray:
    """Copy honest clients on one side, each another one, so that they are taken for copies of these."""
    rows = _push(honest, k, random, direction=direction, length=length, jitter=jitter)
    copies = max(round(share * k), 1)
    order = np.argsort((honest - honest.mean(axis=0)) @ direction_of(direction, honest, random))
    rows[:copies] = honest[order[np.arange(copies) % len(honest)]]
    return rows


_PUSH: Parameters = {"direction": DIRECTIONS, "length": LENGTH, "jitter": JITTER}

FAMILIES: Mapping[str, Family] = {
    "push": Family(_PUSH, _push),
    "dense": Family({**_PUSH, "jitter": Range(0.02, 0.6, log=True)}, _push),
    "copies": Family({"direction": DIRECTIONS, "length": LENGTH, "jitter": Range(0.0, 0.0)}, _push),
    "groups": Family({**_PUSH, "number": Range(2, 4, whole=True), "apart": Range(0.1, 2.0)}, _groups),
    "decoy": Family(
        {**_PUSH, "decoys": Range(0.1, 0.7), "decoy_length": Range(1.0, 30.0, log=True)}, _decoy
    ),
    "on-radius": Family(
        {"direction": DIRECTIONS, "reach": Range(0.5, 2.6), "jitter": JITTER}, _on_radius
    ),
    "tails": Family(
        {"direction": DIRECTIONS, "scale": Range(0.5, 3.0), "jitter": Range(0.0, 0.6)}, _tails
    ),
    "mimic": Family({"direction": DIRECTIONS, "jitter": Range(0.0, 0.6)}, _mimic),
    "silence": Family({**_PUSH, "share": Range(0.1, 1.0)}, _silence),
}
