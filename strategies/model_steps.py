"""The steps of a round's models, where each model's clients are some of the round's."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .arrays import NDArrays, is_reasonable
from .branch_shares import Share
from .branched_rounds import BranchedRounds
from .diagnostics import Verdict, verdicts
from .epsilon import epsilon_among, max_malicious
from .flower_log import FLOWER_LOG, name_those_without_gaps, warn_of_missing_gaps
from .performance_aware import PerformanceAware
from .replies.client_replies import ClientReply
from .replies.sent_model import SentModel
from .root_data import Amnesty, RootLoss
from .server_optimizers import ServerOptimizer, State
from .server_step import ServerStep, server_step
from .tilt import Tilt
from .weightings.defence import Known, Memory


class ReportedGaps:
    """The gaps that a tilt goes by, if honest clients report any.

    Parameters
    ----------
    loss_gap_key : str
        Named in the warnings: one for all, where most report none, else one for each client.
    """

    def __init__(self, loss_gap_key: str) -> None:
        self.loss_gap_key = loss_gap_key
        self._warned = False
        self._named = set[str]()

    def of(self, replies: Sequence[ClientReply], epsilon: float) -> list[float] | None:
        """Return the gaps, or None where so many are missing that honest clients report none.

        With the few that do report, a tilt would hand the model to whoever reports something.
        """
        gaps = [reply.loss_gap for reply in replies]
        silent = [reply.client for reply in replies if math.isnan(reply.loss_gap)]
        missing = len(silent)
        if missing <= max_malicious(epsilon, len(replies)):
            unnamed = [client for client in silent if client not in self._named]
            if unnamed:
                self._named.update(unnamed)
                name_those_without_gaps(unnamed, self.loss_gap_key)
            return gaps
        if not self._warned:
            self._warned = True
            warn_of_missing_gaps(missing, len(replies), self.loss_gap_key)
        return None


@dataclass(frozen=True)
class ModelStep:
    """One model's step, and what it was made of; where its aggregation raised, no step, and why."""

    share: Share
    step: ServerStep | None
    problem: Exception | None = None


@dataclass(frozen=True)
class Stepping:
    """How every model's step is made; see `strategies.rounds.RobustRounds` for what is in it."""

    performance: Tilt | None
    server_learning_rate: float
    optimizer: ServerOptimizer | None
    block_size: int | None
    epsilon: float
    gaps: ReportedGaps
    root_loss: RootLoss | None = None
    learning_threshold: int = 0
    memory: Memory = field(default_factory=dict)

    def step(
        self,
        start: NDArrays,
        share: Share,
        replies: Sequence[ClientReply],
        optimizer_state: State | None,
        outside_gramian: Collection[int],
    ) -> ServerStep:
        """Return one model's step.

        Parameters
        ----------
        start : list of ndarray
            The model that its clients were sent.
        share : Share
            Whose updates, and what weighs them.
        replies : sequence of ClientReply
            All usable ones of the round.
        optimizer_state, outside_gramian
            As for `server_step`.
        """
        members = [replies[i] for i in share.positions.tolist()]
        epsilon = self.epsilon
        if share.is_main:  # those who left may have been honest
            epsilon = epsilon_among(epsilon, len(replies), len(members))
        trained = [reply.arrays for reply in members]
        weighting = share.weighting
        if share.is_main and self.root_loss is not None:
            rate = self.server_learning_rate
            weighting = Amnesty(weighting, self.root_loss, start, trained, rate)
        return server_step(
            start,
            trained,
            weighting,
            loss_gaps=None if self.performance is None else self.gaps.of(members, epsilon),
            performance=self._tilt(share, len(replies)),
            block_size=self.block_size,
            server_learning_rate=self.server_learning_rate,
            optimizer=self.optimizer,
            optimizer_state=optimizer_state,
            not_in_gramian=outside_gramian,
            epsilon=epsilon,
            learning_threshold=self.learning_threshold,
            known=Known(_names(members), self.memory),
        )

    def _tilt(self, share: Share, num_clients: int) -> Tilt | None:
        """Return the round's tilt for some of its clients."""
        tilt, num_members = self.performance, len(share.positions)
        if not isinstance(tilt, PerformanceAware) or num_members == num_clients:
            return tilt
        epsilon, preferences = tilt.epsilon, tilt.preferences
        if share.is_main:
            epsilon = epsilon_among(epsilon, num_clients, num_members)
        if preferences is not None:
            of_all = list(preferences.values() if isinstance(preferences, Mapping) else preferences)
            preferences = [of_all[i] for i in share.positions.tolist()]
        return replace(tilt, epsilon=epsilon, preferences=preferences)


def _names(replies: Sequence[ClientReply]) -> list[str]:
    """Return each client's name; the node's id for those who claim one that another claims as well."""
    claims = Counter(reply.client for reply in replies)
    return [r.client if claims[r.client] == 1 else f"node {r.node}" for r in replies]


def steps_of_round(
    models: BranchedRounds, stepping: Stepping, sent: SentModel, usable: Sequence[ClientReply]
) -> list[ModelStep]:
    """Return the steps of all models that clients trained, the main one's first."""
    steps = []
    for share in models.shares(usable):
        start = models.models.get(share.model, sent.arrays)
        state = models.optimizer_states.get(share.model)
        try:
            step = stepping.step(start, share, usable, state, sent.outside_gramian)
            steps.append(ModelStep(share, step))
        # Clients decide what is computed with, so whatever it leads to must not end the training.
        except Exception as problem:  # noqa: BLE001
            steps.append(ModelStep(share, None, problem))
    return steps


def take_steps(
    models: BranchedRounds, steps: Sequence[ModelStep], sent: SentModel, stage: str
) -> NDArrays | None:
    """Take over all next models that are finite; return the main one, or None where it is kept."""
    main = None
    for each in steps:
        share, step = each.share, each.step
        name = "model" if share.is_main else f"model of branch {share.model}"
        if step is None:
            told = "%s: aggregating the updates failed, the old %s is kept"
            FLOWER_LOG.error(told, stage, name, exc_info=each.problem)
            continue
        if not all(is_reasonable(array) for array in step.model):
            FLOWER_LOG.warning("%s: the new %s is not finite, the old one is kept", stage, name)
            continue
        models.optimizer_states[share.model] = step.optimizer_state
        if share.is_main:
            main = step.model
        else:
            models.models[share.model] = sent.as_received(step.model)
    if not any(each.share.is_main for each in steps):
        FLOWER_LOG.warning("%s: no reply can be aggregated, the model is kept", stage)
    return main


def memory_after(steps: Sequence[ModelStep], before: Memory) -> Memory:
    """Return what a defence of the main model remembers; that before the round where it failed."""
    of_main = [each.step for each in steps if each.share.is_main and each.step is not None]
    return of_main[0].aggregation.memory if of_main else before


def num_far_apart(steps: Sequence[ModelStep]) -> int:
    """Return how many updates of the main model count though they are far from most others."""
    of_main = [each.step for each in steps if each.share.is_main and each.step is not None]
    return sum(step.aggregation.num_far_apart for step in of_main)


def verdicts_of_round(
    num_usable: int, steps: Sequence[ModelStep], left_out: Mapping[int, bool]
) -> list[Verdict]:
    """Return the verdict on each of a round's usable replies, by the model that it was aggregated in.

    Nobody is judged where judging failed.

    Parameters
    ----------
    num_usable : int
    steps : sequence of ModelStep
    left_out : mapping of int to bool
        How those look who trained the main model, by position: the verdict on its visitors.
    """
    found = [Verdict(0.0, 0.0, left_out.get(position, False)) for position in range(num_usable)]
    for each in steps:
        if each.step is not None:
            of_step = verdicts(each.step.aggregation)
            for position, verdict in zip(each.share.positions.tolist(), of_step, strict=True):
                found[position] = verdict
    return found
