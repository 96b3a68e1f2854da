"""The tilt that the settings describe."""

from __future__ import annotations

from strategies import (
    CosineMu,
    EffectiveClients,
    ExponentialMu,
    LinearMu,
    MuSchedule,
    PerformanceAware,
)

from .settings.run_config import RunConfig

SCHEDULES: dict[str, type[MuSchedule]] = {
    "linear": LinearMu,
    "cosine": CosineMu,
    "exponential": ExponentialMu,
}


def tilt_of(config: RunConfig) -> PerformanceAware | None:
    """Return the tilt, or None where weights shall be robust only."""
    if not config.tilt.performance_aware:
        return None
    return PerformanceAware(
        mu=_mu(config),
        epsilon=config.aggregation.epsilon,
        bound_reports=config.tilt.bound_reports,
        max_tilt=config.tilt.max_tilt,
        preferences=config.tilt.preference_of_client or None,
    )


def _mu(config: RunConfig) -> float | MuSchedule | EffectiveClients:
    if config.tilt.mu_schedule == "constant":
        return config.tilt.mu
    if config.tilt.mu_schedule == "effective-clients":
        return EffectiveClients(config.tilt.effective_clients)
    return SCHEDULES[config.tilt.mu_schedule](
        config.tilt.mu, config.tilt.mu_end, config.federation.num_rounds
    )
