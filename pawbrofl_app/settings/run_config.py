"""The run's settings: parsed once from Flower's run config, checked, and passed on as typed values.

Every setting and its default stands in ``[tool.flwr.app.config]`` of pyproject.toml, with a comment.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from attacks import NO_ATTACK, Attack, BackdoorTrigger, make_attack
from clients.local_training import GAP_MEASURES
from strategies.weightings import WEIGHTINGS

BASELINES = ("fed-median", "fed-trimmed-avg")
AGGREGATORS = (*WEIGHTINGS, *BASELINES)
DATASETS = ("digits", "mnist", "fashion-mnist")
DEVICES = ("auto", "cpu", "cuda")
MU_SCHEDULES = ("constant", "linear", "cosine", "exponential", "effective-clients")
NETWORKS = ("cnn", "normalized-cnn", "perceptron")
PRE_AGGREGATIONS = ("none", "nearest-neighbor-mixing", "bucketing")
PARTITIONS = ("iid", "variable", "dirichlet")
IMAGE_SIZE = 28
NUM_CLASSES = 10


class InvalidSetting(ValueError):
    """A setting is unknown or out of its range. The message names it and the allowed values."""


@dataclass(frozen=True)
class RunConfig:
    """All settings of one run; in the run config their names have hyphens for underscores."""

    seed: int
    dataset: str
    data_dir: str
    training_samples: int
    partition: str
    dirichlet_alpha: float
    num_clients: int
    fraction_fit: float
    fraction_evaluate: float
    num_rounds: int
    network: str
    local_epochs: int
    batch_size: int
    learning_rate: float
    gap_measure: str
    validation_share: float
    gap_samples: int
    device: str
    cohort_size: int
    aggregator: str
    pre_aggregation: str
    bucket_size: int
    epsilon: float
    performance_aware: bool
    mu: float
    mu_schedule: str
    mu_end: float
    effective_clients: float
    bound_reports: bool
    max_tilt: float
    preferences: str
    server_learning_rate: float
    block_size: int
    attack: str
    malicious_fraction: float
    omniscient_attackers: bool
    attack_scale: float
    poison_fraction: float
    target_label: int
    trigger_size: int
    trigger_gap: int
    trigger_shift: int
    attack_first_round: int
    attack_last_round: int
    round_timeout: float
    start_timeout: float
    min_fit_clients: int
    round_attempts: int
    results_dir: str
    figures: bool
    tensorboard: bool
    checkpoint_every: int
    resume: bool

    @classmethod
    def parse(cls, run_config: Mapping[str, Any]) -> RunConfig:
        """Return the checked settings.

        Raises
        ------
        InvalidSetting
            Naming the setting, its value and what is allowed.
        """
        types = {field.name.replace("_", "-"): str(field.type) for field in fields(cls)}
        for name in run_config:
            if name not in types:
                near = difflib.get_close_matches(name, types, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(types)}"
                raise InvalidSetting(f"unknown setting {name!r}: {hint}")
        missing = [name for name in types if name not in run_config]
        if missing:
            raise InvalidSetting(f"missing settings: {', '.join(missing)}")
        values = {
            name.replace("-", "_"): _typed(name, run_config[name], kind) for name, kind in types.items()
        }
        config = cls(**values)
        config._check()
        return config

    def as_settings(self) -> dict[str, str | int | float | bool]:
        """Return the settings under their names in the run config."""
        return {name.replace("_", "-"): value for name, value in asdict(self).items()}

    @property
    def trigger(self) -> BackdoorTrigger:
        """The backdoor's trigger."""
        return BackdoorTrigger(self.trigger_size, self.trigger_gap, self.trigger_shift)

    @property
    def num_malicious(self) -> int:
        """How many clients are malicious; none without an attack."""
        if self.attack == NO_ATTACK:
            return 0
        return round(self.malicious_fraction * self.num_clients)

    @property
    def num_fit_clients(self) -> int:
        """How many clients train in a round, if all are there."""
        return max(1, int(self.fraction_fit * self.num_clients))

    @property
    def needed_replies(self) -> int:
        """How many clients must answer for a round to count.

        By default so many that malicious ones, at most a fraction ``epsilon`` of those that were
        asked, are fewer than half of those that answered.
        """
        return self.min_fit_clients or min(
            int(2 * self.epsilon * self.num_fit_clients) + 1, self.num_fit_clients
        )

    def attack_of(self, attacker: int) -> Attack:
        """Return the attack of a malicious client, by its number among them.

        Raises
        ------
        ValueError
            For an attack, or parameters of it, that do not exist.
        """
        settings = {
            "attacker": attacker,
            "target": self.target_label,
            "poison_fraction": self.poison_fraction,
            "scale": self.attack_scale,
            "trigger": self.trigger,
            "first_round": self.attack_first_round,
            "last_round": self.attack_last_round or None,
        }
        return make_attack(self.attack, settings)

    @property
    def preference_of_client(self) -> dict[str, float]:
        """The preferences, by client.

        Raises
        ------
        ValueError
            For a text that is not such as "3=2, 7=0.5".
        """
        pairs = [pair.partition("=") for pair in self.preferences.split(",") if pair.strip()]
        return {client.strip(): float(preference) for client, _, preference in pairs}

    def _check(self) -> None:
        for name, allowed in _CHOICES.items():
            if self._value(name) not in allowed:
                raise self._invalid(name, f"one of {', '.join(allowed)}")
        for name, (holds, allowed_range) in _RANGES.items():
            if not holds(self._value(name)):
                raise self._invalid(name, allowed_range)
        if self.attack_last_round and self.attack_last_round < self.attack_first_round:
            raise self._invalid("attack-last-round", "0 (no end) or at least attack-first-round")
        if self.min_fit_clients > self.num_fit_clients:
            raise self._invalid(
                "min-fit-clients", f"at most {self.num_fit_clients}, which train in a round"
            )
        try:
            self.attack_of(0) if self.attack != NO_ATTACK else None
        except ValueError as problem:
            raise InvalidSetting(str(problem)) from None
        self._check_pre_aggregation()
        self._check_preferences()
        for name, extent in (("height", self.trigger.height), ("width", self.trigger.width)):
            if self.attack != NO_ATTACK and extent > IMAGE_SIZE:
                raise InvalidSetting(
                    f"trigger-size, trigger-gap and trigger-shift make a trigger of {name} {extent}, "
                    f"but images have {IMAGE_SIZE} pixels"
                )
        for name in ("data-dir", "results-dir"):
            path = str(self._value(name))
            if path and not Path(path).is_absolute():
                raise self._invalid(name, "an absolute path: a run does not start in your folder")

    def _check_pre_aggregation(self) -> None:
        if self.pre_aggregation != "none" and self.aggregator in BASELINES:
            raise self._invalid("pre-aggregation", f"none with aggregator {self.aggregator!r}")
        if self.pre_aggregation == "bucketing" and self.bucket_size * self.epsilon >= 0.5:
            raise self._invalid(
                "epsilon",
                f"below {0.5 / self.bucket_size:g} with buckets of {self.bucket_size}, as one malicious "
                "update spoils its whole bucket",
            )

    def _check_preferences(self) -> None:
        allowed = "such as '3=2, 7=0.5': clients and numbers that are at least 0"
        try:
            preferences = self.preference_of_client.values()
        except ValueError:
            raise self._invalid("preferences", allowed) from None
        if not all(0 <= preference < math.inf for preference in preferences):
            raise self._invalid("preferences", allowed)

    def _value(self, name: str) -> Any:
        return getattr(self, name.replace("-", "_"))

    def _invalid(self, name: str, allowed: str) -> InvalidSetting:
        return InvalidSetting(f"{name} must be {allowed}, got {self._value(name)!r}")


_CHOICES: dict[str, tuple[str, ...]] = {
    "dataset": DATASETS,
    "partition": PARTITIONS,
    "aggregator": AGGREGATORS,
    "pre-aggregation": PRE_AGGREGATIONS,
    "mu-schedule": MU_SCHEDULES,
    "gap-measure": GAP_MEASURES,
    "network": NETWORKS,
    "device": DEVICES,
}

_Range = tuple[Callable[[Any], bool], str]
_POSITIVE: _Range = (lambda x: x > 0, "above 0")
_AT_LEAST_1: _Range = (lambda x: x >= 1, "at least 1")
_AT_LEAST_0: _Range = (lambda x: x >= 0, "at least 0")
_SHARE: _Range = (lambda x: 0 < x <= 1, "above 0 and at most 1")
_MINORITY: _Range = (lambda x: 0 <= x < 0.5, "at least 0 and below 0.5")

_RANGES: dict[str, _Range] = {
    "seed": (lambda x: 0 <= x < 2**31, "at least 0 and below 2**31"),
    "training-samples": _AT_LEAST_0,
    "dirichlet-alpha": _POSITIVE,
    "num-clients": _AT_LEAST_1,
    "fraction-fit": _SHARE,
    "fraction-evaluate": (lambda x: 0 <= x <= 1, "at least 0 and at most 1"),
    "num-rounds": _AT_LEAST_1,
    "local-epochs": _AT_LEAST_1,
    "batch-size": _AT_LEAST_1,
    "cohort-size": _AT_LEAST_0,
    "learning-rate": _POSITIVE,
    "bucket-size": _AT_LEAST_1,
    "epsilon": _MINORITY,
    "validation-share": (lambda x: 0 < x < 1, "above 0 and below 1"),
    "gap-samples": _AT_LEAST_0,
    "mu": _POSITIVE,
    "mu-end": _POSITIVE,
    "effective-clients": _AT_LEAST_1,
    "max-tilt": _AT_LEAST_1,
    "server-learning-rate": _POSITIVE,
    "block-size": _AT_LEAST_0,
    "malicious-fraction": _MINORITY,
    "attack-scale": _POSITIVE,
    "poison-fraction": _SHARE,
    "target-label": (lambda x: 0 <= x < NUM_CLASSES, f"at least 0 and below {NUM_CLASSES}"),
    "trigger-size": _AT_LEAST_1,
    "trigger-gap": _AT_LEAST_0,
    "trigger-shift": _AT_LEAST_0,
    "attack-first-round": _AT_LEAST_1,
    "attack-last-round": _AT_LEAST_0,
    "round-timeout": _AT_LEAST_0,
    "start-timeout": _AT_LEAST_0,
    "min-fit-clients": _AT_LEAST_0,
    "round-attempts": _AT_LEAST_1,
    "checkpoint-every": _AT_LEAST_0,
}


def _typed(name: str, value: Any, kind: str) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "bool" and isinstance(value, bool):
        return value
    if kind == "str" and isinstance(value, str):
        return value
    if kind == "int" and is_number and float(value).is_integer():
        return int(value)
    if kind == "float" and is_number and math.isfinite(value):
        return float(value)
    expected = {"bool": "true or false", "str": "a text", "int": "a whole number"}
    raise InvalidSetting(f"{name} must be {expected.get(kind, 'a finite number')}, got {value!r}")
