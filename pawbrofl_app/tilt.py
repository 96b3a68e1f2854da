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
    if not config.performance_aware:
        return None
    return PerformanceAware(
        mu=_mu(config),
        epsilon=config.epsilon,
        bound_reports=config.bound_reports,
        max_tilt=config.max_tilt,
        preferences=config.preference_of_client or None,
    )


def _mu(config: RunConfig) -> float | MuSchedule | EffectiveClients:
    if config.mu_schedule == "constant":
        return config.mu
    if config.mu_schedule == "effective-clients":
        return EffectiveClients(config.effective_clients)
    return SCHEDULES[config.mu_schedule](config.mu, config.mu_end, config.num_rounds)
