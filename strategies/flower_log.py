"""What the strategies say in Flower's log, which is found by its name, without importing Flower."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from .branch_state import MAIN
from .diagnostics import BranchDiagnostics, RoundDiagnostics
from .protection import NOT_ENOUGH
from .repeatedly_left_out import (
    EITHER,
    RECENT,
    Recent,
    Streaks,
    after_round,
    in_words,
    mostly_left_out,
    recent_after_round,
    repeatedly_left_out,
)

FLOWER_LOG = logging.getLogger("flwr")

LONGEST_TEXT = 200

FAR_APART = (
    "updates that count are far from most others. Malicious clients may be more than epsilon allows for"
)


def one_line(text: str) -> str:
    """Return a client's text in one line of printable characters, cut off where it is long."""
    line = "".join(c if c.isprintable() else " " for c in text[: 2 * LONGEST_TEXT])
    line = " ".join(line.split())
    return line if len(line) <= LONGEST_TEXT else f"{line[:LONGEST_TEXT]}..."


def log_settings(settings: Mapping[str, Any]) -> None:
    """Log the settings that decide how updates are aggregated, in the form of Flower's own."""
    FLOWER_LOG.info("\t├──> PAwBRoFL settings:")
    for name, value in settings.items():
        text = "none" if value is None else value
        FLOWER_LOG.info("\t│\t├── %s: %s", name.replace("_", " ").capitalize(), text)


def warn_of_missing_gaps(missing: int, num_clients: int, loss_gap_key: str) -> None:
    """Say that too few clients report their optimality gap, and how they would."""
    FLOWER_LOG.warning(
        "%d of %d clients report no metric `%s` that is a finite number: the aggregation is "
        "robust, but not performance-aware. Add to the metrics that training returns: the loss "
        "on the client's own training data under the received model, minus the loss after "
        "local training (strategies.measure_loss_gap does it).",
        missing,
        num_clients,
        loss_gap_key,
    )


def name_those_without_gaps(clients: Sequence[str], loss_gap_key: str) -> None:
    """Say which clients report no gap where most do."""
    FLOWER_LOG.warning(
        "clients %s report no metric `%s` that is a finite number and count as if it were the median",
        ", ".join(clients),
        loss_gap_key,
    )


def warn_of_unknown_vouched(clients: Sequence[str], *, by_partition_id: bool) -> None:
    """Say who is vouched for, but cannot be told among the nodes that are there."""
    why = "no node, or more than one, reports it as its partition id" if by_partition_id else "not there"
    FLOWER_LOG.warning("vouched for without effect: %s (%s)", ", ".join(clients), why)


class RoundLog:
    """Logs what became of every round's replies, and who is left out again and again."""

    def __init__(self) -> None:
        self._streaks: Streaks = {}
        self._recent: Recent = {}
        self._warned = set[str]()

    def write(self, diagnostics: RoundDiagnostics, stage: str) -> None:
        """Log who was left out and why, how long aggregation took, and who was judged malicious.

        Whoever begins to be left out by the weighting again and again, or in most of the last rounds, is
        named once, in a warning.
        """
        suspects = [client.client for client in diagnostics.clients if client.judged_malicious]
        protection = diagnostics.protection
        judgement = f"judged malicious: {', '.join(suspects) or 'none'}"
        if protection.missing:
            judgement = f"nobody can be judged malicious: {protection.missing}"
        elif protection.num_far_apart:
            judgement += f"; {protection.num_far_apart} more that count are far from most others"
        log_aggregation(diagnostics, stage, f"; {judgement}")
        if protection.is_surprising and protection.missing not in self._warned:
            self._warned.add(protection.missing)
            told = protection.missing or FAR_APART
            FLOWER_LOG.warning("%s: there is no protection against malicious clients: %s", stage, told)
        if back := [one for one in diagnostics.clients if one.brought_back_by]:
            told = ", ".join(f"{one.client} ({one.brought_back_by})" for one in back)
            FLOWER_LOG.info("%s: left out by the weighting, but kept: %s", stage, told)
        self._name_the_repeated(diagnostics, stage)
        log_branches(diagnostics.branches, stage)

    def _name_the_repeated(self, diagnostics: RoundDiagnostics, stage: str) -> None:
        running_before = {one.client for one in repeatedly_left_out(self._streaks)}
        mostly_before = mostly_left_out(self._recent)
        self._streaks = after_round(self._streaks, diagnostics.server_round, diagnostics.clients)
        self._recent = recent_after_round(self._recent, diagnostics.clients)
        running = repeatedly_left_out(self._streaks)
        for line in in_words(one for one in running if one.client not in running_before):
            FLOWER_LOG.warning("%s: left out again and again: %s; %s", stage, line, EITHER)
        named = {*mostly_before, *(one.client for one in running)}
        for client, count in mostly_left_out(self._recent).items():
            if client not in named:
                told = "%s: client %s judged malicious in %d of its last %d rounds; %s"
                FLOWER_LOG.warning(told, stage, client, count, RECENT, EITHER)


def log_aggregation(diagnostics: RoundDiagnostics, stage: str, judgement: str = "") -> None:
    """Log whose reply was left out and why, and how long aggregating the others took."""
    left_out = [client for client in diagnostics.clients if client.left_out]
    for client in left_out:
        FLOWER_LOG.warning("%s: left out client %s: %s", stage, client.client, client.left_out)
    enough = diagnostics.protection.missing != NOT_ENOUGH
    FLOWER_LOG.info(
        "%s: aggregated %s updates in %.2f s%s",
        stage,
        len(diagnostics.clients) - len(left_out) if enough else 0,
        diagnostics.aggregation_seconds,
        judgement,
    )


def log_branches(branches: BranchDiagnostics, stage: str) -> None:
    """Log who is given another branch of the model, and why."""
    together: dict[tuple[int, int, str], list[str]] = {}
    for change in branches.changes:
        together.setdefault((change.before, change.after, change.reason), []).append(change.client)
    for (before, after, reason), clients in together.items():
        come_from = "" if before == MAIN else f" from branch {before}"
        told = "go back to the main model" if after == MAIN else f"join branch {after}"
        if after in branches.opened:
            told = f"are given a model of their own, branch {after}"
        names = ", ".join(clients)
        FLOWER_LOG.warning("%s: clients %s %s%s: %s", stage, names, told, come_from, reason)
    for number in branches.closed:
        FLOWER_LOG.warning("%s: branch %s is closed, as it has no members any more", stage, number)
