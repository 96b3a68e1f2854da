"""Families of attacks on whole training runs: texts of the app's own, with parameters to search.

Each is one that attackers who want to stay unseen combine: colluding updates with noise of their own, so
that none is a copy; poisoned data whose update is projected on a ball of usual length.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from strategies.arrays import FloatArray

from .adaptive_search import Space
from .attack_families import Choice, Parameters, Range


@dataclass(frozen=True)
class TrainingFamily:
    """A text of the setting ``attack`` with its parameters' places, and the parameters."""

    text: str
    parameters: Parameters

    def at(self, place: FloatArray) -> str:
        """Return the text at a place of the unit cube."""
        pairs = zip(self.parameters.items(), place.tolist(), strict=True)
        values = {name: parameter.at(one) for (name, parameter), one in pairs}
        return self.text.format(**{n: v if isinstance(v, str) else f"{v:g}" for n, v in values.items()})


_NOISE = Range(0.01, 2.0, log=True)
_RADIUS = Range(0.5, 2.5, log=True)
_DIRECTION = Choice(("deviation", "mean", "sign"))
_POISON: Parameters = {
    "share": Range(0.05, 1.0, log=True),
    "scale": Range(1.0, 20.0, log=True),
    "radius": _RADIUS,
}
_WHOLE = "centralised-backdoor(stamping=1000, poison_fraction={share}, scale={scale}"
_BALL = "+norm-ball(radius={radius})"

AGAINST_ACCURACY: Mapping[str, TrainingFamily] = {
    "alie": TrainingFamily(
        "alie(z={z})+additive-noise(strength={noise})",
        {"z": Range(0.2, 4.0, log=True), "noise": _NOISE},
    ),
    "ipm": TrainingFamily(
        "ipm(strength={strength})+additive-noise(strength={noise})",
        {"strength": Range(0.1, 20.0, log=True), "noise": _NOISE},
    ),
    "min-max": TrainingFamily(
        "min-max(direction={direction})+additive-noise(strength={noise})",
        {"direction": _DIRECTION, "noise": _NOISE},
    ),
    "label-flip": TrainingFamily("label-flip" + _BALL, {"radius": _RADIUS}),
    "sign-flip": TrainingFamily("sign-flip(scale=10)" + _BALL, {"radius": _RADIUS}),
}
BACKDOORS: Mapping[str, TrainingFamily] = {
    "shared": TrainingFamily("dba(poison_fraction={share}, scale={scale})" + _BALL, _POISON),
    "whole": TrainingFamily(_WHOLE + ")" + _BALL, _POISON),
    "comes-and-goes": TrainingFamily(
        _WHOLE + ", every={every})" + _BALL, {**_POISON, "every": Range(2, 4, whole=True)}
    ),
    "quiet": TrainingFamily(
        _WHOLE + ")+neurotoxin(top={top})" + _BALL, {**_POISON, "top": Range(0.01, 0.5, log=True)}
    ),
    "blended": TrainingFamily(
        "blended(blend={blend}, poison_fraction={share})+model-replacement(replacement={scale})" + _BALL,
        {**_POISON, "blend": Range(0.1, 0.5), "scale": Range(0.2, 4.0, log=True)},
    ),
}


def space_of(families: Mapping[str, TrainingFamily]) -> Space[str]:
    """Return what is searched: the families' texts."""
    sizes = {name: len(family.parameters) for name, family in families.items()}
    return Space(sizes, lambda family, place: families[family].at(place))
