"""The run's settings: parsed once from Flower's run config, checked, and passed on in sections."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, Self

from pydantic import Field, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass
from pydantic.fields import FieldInfo

from attacks import NO_ATTACK
from strategies.epsilon import max_malicious

from ..tasks.minorities import NO_MINORITY
from ..tasks.partitions import PartitionedData
from .aggregation_settings import AggregationSettings
from .client_draws import draw_minority
from .data_settings import DataSettings
from .federation_settings import FederationSettings
from .result_settings import ResultSettings
from .round_settings import RoundSettings
from .server_step_settings import ServerStepSettings
from .setting import SECTION, InvalidSetting, WholeNumber, as_invalid_setting, invalid
from .threat_settings import ThreatSettings
from .tilt_settings import TiltSettings
from .training_settings import TrainingSettings

__all__ = ["SECTIONS", "SETTINGS", "InvalidSetting", "RunConfig", "Value", "check_known"]

Value = str | int | float | bool


@dataclass(frozen=True, config=SECTION)
class RunConfig:
    """All settings of one run, in sections.

    In Flower's run config a setting stands without its section, with hyphens for underscores:
    ``config.tilt.mu_end`` is ``mu-end``.
    """

    seed: WholeNumber = Field(default=1, ge=0, lt=2**31)
    """One seed fixes partition, sampling, malicious clients, initial model and batches."""
    data: DataSettings = DataSettings()
    federation: FederationSettings = FederationSettings()
    training: TrainingSettings = TrainingSettings()
    aggregation: AggregationSettings = AggregationSettings()
    tilt: TiltSettings = TiltSettings()
    server_step: ServerStepSettings = ServerStepSettings()
    threat: ThreatSettings = ThreatSettings()
    rounds: RoundSettings = RoundSettings()
    results: ResultSettings = ResultSettings()

    @classmethod
    def parse(cls, run_config: Mapping[str, Any]) -> RunConfig:
        """Return the checked settings.

        Parameters
        ----------
        run_config : mapping
            Every setting under its name in the run config.

        Raises
        ------
        InvalidSetting
            Naming the setting, its value and what is allowed.
        """
        check_known(run_config)
        missing = [name for name in SETTINGS if name not in run_config]
        if missing:
            raise InvalidSetting(f"missing settings: {', '.join(missing)}")
        try:
            return _PARSER.validate_python(_nested(run_config))
        except ValidationError as problem:
            raise as_invalid_setting(problem.errors()[0], SETTINGS) from None

    def replace(self, **settings: Value) -> RunConfig:
        """Return the settings with some of them changed, by their names with underscores.

        Raises
        ------
        InvalidSetting
            As `parse`.
        """
        changed = {name.replace("_", "-"): value for name, value in settings.items()}
        check_known(changed)
        nested = _nested(changed)
        try:
            for section in filter(nested.__contains__, SECTIONS):
                nested[section] = dataclasses.replace(getattr(self, section), **nested[section])
            return dataclasses.replace(self, **nested)
        except ValidationError as problem:
            raise as_invalid_setting(problem.errors()[0], SETTINGS) from None

    def as_settings(self) -> dict[str, Value]:
        """Return the settings under their names in the run config."""
        return {
            name: getattr(getattr(self, section) if section else self, field)
            for name, (section, field) in _PLACES.items()
        }

    @property
    def off_default(self) -> dict[str, Value]:
        """The settings that are not at their defaults, under their names in the run config."""
        settings = self.as_settings().items()
        return {name: value for name, value in settings if value != SETTINGS[name].default}

    @property
    def num_malicious(self) -> int:
        """How many clients are malicious; none without an attack."""
        return 0 if self.threat.attack == NO_ATTACK else self._num_drawn_malicious

    @property
    def _num_drawn_malicious(self) -> int:
        return round(self.threat.malicious_fraction * self.federation.num_clients)

    @property
    def num_minority(self) -> int:
        """How many clients are of the honest minority."""
        if self.data.minority == NO_MINORITY:
            return 0
        return round(self.data.minority_fraction * self.federation.num_clients)

    @cached_property
    def minority_clients(self) -> tuple[int, ...]:
        """The partition ids of the honest minority, ascending; a draw that the run's seed fixes.

        The same with and without an attack, so that runs can be compared: whoever would be malicious is
        not in it.
        """
        if self.data.minority == NO_MINORITY:
            return ()
        num_clients = self.federation.num_clients
        return tuple(draw_minority(self.seed, num_clients, self._num_drawn_malicious, self.num_minority))

    @property
    def vouched_clients(self) -> tuple[str, ...]:
        """The names of the clients that somebody vouches for."""
        of_minority = self.minority_clients[: self.aggregation.num_vouched_of_minority]
        return (*self.aggregation.vouched_by_name, *map(str, of_minority))

    @property
    def needed_replies(self) -> int:
        """How many clients must answer for a round to count.

        By default so many that those who may be malicious among the asked ones are fewer than half of
        those that answered.
        """
        f = max_malicious(self.aggregation.epsilon, self.federation.num_fit_clients)
        return self.rounds.min_fit_clients or 2 * f + 1

    @cached_property
    def partitioned_data(self) -> PartitionedData:
        """The data set, and how clients share it."""
        return PartitionedData(
            dataset=self.data.dataset,
            data_dir=self.data.data_dir,
            training_samples=self.data.training_samples,
            partition=self.data.partition,
            dirichlet_alpha=self.data.dirichlet_alpha,
            num_clients=self.federation.num_clients,
            seed=self.seed,
            minority=self.data.minority,
            members=self.minority_clients,
            root_samples=self.data.root_data,
        )

    @model_validator(mode="after")
    def _check_replies(self) -> Self:
        asked = self.federation.num_fit_clients
        if self.rounds.min_fit_clients > asked:
            allowed = f"at most {asked}, which train in a round"
            raise invalid("min-fit-clients", allowed, self.rounds.min_fit_clients)
        return self

    @model_validator(mode="after")
    def _check_personalization(self) -> Self:
        if self.training.ditto is not None and not self.federation.fraction_evaluate:
            allowed = (
                f"above 0 with personalization {self.training.personalization!r}: only clients can "
            )
            allowed += "evaluate their personal models"
            raise invalid("fraction-evaluate", allowed, self.federation.fraction_evaluate)
        return self

    @model_validator(mode="after")
    def _check_root_data(self) -> Self:
        aggregation = self.aggregation
        if aggregation.needs_root_data and not self.data.root_data:
            raise invalid("root-data", f"above 0 with aggregator {aggregation.aggregator!r}", 0)
        if aggregation.stands_alone and self.server_step.block_size:
            allowed = f"0 with aggregator {aggregation.aggregator!r}"
            raise invalid("block-size", allowed, self.server_step.block_size)
        unused = not aggregation.is_robust or aggregation.stands_alone
        if self.data.root_data and unused and not aggregation.needs_root_data:
            allowed = f"0 with aggregator {self.aggregation.aggregator!r}"
            raise invalid("root-data", allowed, self.data.root_data)
        if self.data.root_data and self.server_step.block_size:
            raise invalid("block-size", "0 with root-data", self.server_step.block_size)
        return self

    @model_validator(mode="after")
    def _check_learning_threshold(self) -> Self:
        threshold, asked = self.server_step.learning_threshold, self.federation.num_fit_clients
        if threshold and not self.aggregation.is_robust:
            allowed = f"0 with aggregator {self.aggregation.aggregator!r}"
            raise invalid("learning-threshold", allowed, threshold)
        if threshold > asked:
            raise invalid("learning-threshold", f"at most {asked}, which train in a round", threshold)
        return self

    @model_validator(mode="after")
    def _check_vouched(self) -> Self:
        if self.aggregation.num_vouched_of_minority > self.num_minority:
            allowed = f"of at most the {self.num_minority} clients of minority {self.data.minority!r}"
            raise invalid("vouched", allowed, self.aggregation.vouched)
        return self

    @model_validator(mode="after")
    def _check_minority(self) -> Self:
        if self.data.minority == NO_MINORITY:
            return self
        num_clients, num_minority = self.federation.num_clients, self.num_minority
        majority = num_clients - self._num_drawn_malicious - num_minority
        if not 0 < num_minority < majority:
            allowed = (
                f"a share of num-clients {num_clients} that is at least one client and fewer than the "
                f"others that malicious-fraction {self.threat.malicious_fraction:g} leaves honest"
            )
            raise invalid("minority-fraction", allowed, self.data.minority_fraction)
        return self


def check_known(names: Iterable[str]) -> None:
    """Check that settings of some names exist.

    Raises
    ------
    InvalidSetting
        Naming one that does not, and the one that is nearest.
    """
    for name in names:
        if name not in SETTINGS:
            near = difflib.get_close_matches(name, SETTINGS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(SETTINGS)}"
            raise InvalidSetting(f"unknown setting {name!r}: {hint}")


def _nested(run_config: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings under their fields' names, those of a section in a mapping of its own."""
    nested: dict[str, Any] = {}
    for name, value in run_config.items():
        section, field = _PLACES[name]
        (nested.setdefault(section, {}) if section else nested)[field] = value
    return nested


def _sections() -> dict[str, dict[str, FieldInfo]]:
    """Return the settings' fields by section; the section "" is the run itself."""
    sections: dict[str, dict[str, FieldInfo]] = {}
    for name, field in _fields(RunConfig).items():
        inner = _fields(field.annotation)
        sections[name if inner else ""] = inner or {name: field}
    return sections


def _fields(kind: Any) -> dict[str, FieldInfo]:
    return getattr(kind, "__pydantic_fields__", {})


SECTIONS = _sections()
"""The settings' fields by section, in order; under "" those of the run itself."""

SETTINGS = {
    name.replace("_", "-"): field for fields in SECTIONS.values() for name, field in fields.items()
}
"""Every setting by its name in the run config: type, default, range and help text."""

_PLACES = {
    name.replace("_", "-"): (section, name) for section, fields in SECTIONS.items() for name in fields
}
_PARSER = TypeAdapter(RunConfig)
