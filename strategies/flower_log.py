"""What the strategies say in Flower's log, which is found by its name, without importing Flower."""

from __future__ import annotations

import logging

from .diagnostics import RoundDiagnostics

FLOWER_LOG = logging.getLogger("flwr")


def log_round(diagnostics: RoundDiagnostics, stage: str) -> None:
    """Log who was left out and why, how long aggregation took, and who was judged malicious."""
    for client in diagnostics.clients:
        if client.left_out:
            FLOWER_LOG.warning("%s: left out client %s: %s", stage, client.client, client.left_out)
    suspects = [client.client for client in diagnostics.clients if client.judged_malicious]
    FLOWER_LOG.info(
        "%s: aggregated %s updates in %.2f s; judged malicious: %s",
        stage,
        sum(not client.left_out for client in diagnostics.clients),
        diagnostics.aggregation_seconds,
        ", ".join(suspects) or "none",
    )
