"""What this project's strategies for Message API projects have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, TypedDict

from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg, Result
from flwr.serverapp.strategy.strategy_utils import aggregate_metricrecords, sample_nodes

from .diagnostics import OnRound, tell_end, tell_evaluation
from .flower_log import FLOWER_LOG, one_line
from .replies.client_replies import EncodedReply
from .reported_metrics import averageable
from .training_rounds import TrainingRounds

NUMPY = "numpy.ndarray"


class FedAvgOptions(TypedDict, total=False):
    """The options of Flower's ``FedAvg``, which a type checker checks."""

    fraction_train: float
    fraction_evaluate: float
    min_train_nodes: int
    min_evaluate_nodes: int
    min_available_nodes: int
    weighted_by_key: str
    arrayrecord_key: str
    configrecord_key: str
    train_metrics_aggr_fn: Callable[[list[RecordDict], str], MetricRecord] | None
    evaluate_metrics_aggr_fn: Callable[[list[RecordDict], str], MetricRecord] | None


class MessageStrategy(TrainingRounds, FedAvg):
    """Hands a round's replies to `finish_round`, and makes arrays of what it returns."""

    fractions: ClassVar[tuple[str, ...]] = ("fraction_train", "fraction_evaluate")
    metrics_functions: ClassVar = {
        "train_metrics_aggr_fn": MetricRecord,
        "evaluate_metrics_aggr_fn": MetricRecord,
    }
    on_round: OnRound | None
    _global_arrays = ArrayRecord()

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Wait for enough nodes, and sample those that train."""
        # FedAvg counts the nodes before it waits for them, so a first round could start with few.
        sample_nodes(grid, self.min_available_nodes, 0)
        self._global_arrays = arrays
        return super().configure_train(server_round, arrays, config, grid)

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Aggregate the clients' models into the next global model.

        Returns None for the arrays, which keeps the global model, where no reply can be used.
        """
        valid = _with_content(replies, "aggregate_train")
        if not valid:
            return None, None
        tensors, aggregated = self.finish_round(
            server_round, [self._encoded(reply) for reply in valid], stage="aggregate_train"
        )
        contents = [reply.content for reply in valid]
        metrics = self._average("aggregate_train", self.train_metrics_aggr_fn, contents, aggregated)
        if tensors is None:
            return None, metrics
        return self._record(tensors), metrics

    def aggregate_evaluate(self, server_round: int, replies: Iterable[Message]) -> MetricRecord | None:
        """Average the clients' metrics as FedAvg does, without replies that do not fit the others."""
        contents = [reply.content for reply in _with_content(replies, "aggregate_evaluate")]
        everyone = range(len(contents))
        aggregate = self.evaluate_metrics_aggr_fn
        metrics = self._average("aggregate_evaluate", aggregate, contents, everyone)
        tell_evaluation(self.on_round, server_round, metrics, "clients")
        return metrics

    def start(
        self,
        grid: Grid,
        initial_arrays: ArrayRecord,
        num_rounds: int = 3,
        timeout: float = 3600,
        train_config: ConfigRecord | None = None,
        evaluate_config: ConfigRecord | None = None,
        evaluate_fn: Callable[[int, ArrayRecord], MetricRecord | None] | None = None,
    ) -> Result:
        """Run the rounds as Flower does; ``on_round`` is told what ``evaluate_fn`` finds as well."""

        def told(server_round: int, arrays: ArrayRecord) -> MetricRecord | None:
            metrics = None if evaluate_fn is None else evaluate_fn(server_round, arrays)
            tell_evaluation(self.on_round, server_round, metrics, "server")
            return metrics

        result = super().start(
            grid,
            initial_arrays,
            num_rounds,
            timeout,
            train_config,
            evaluate_config,
            None if evaluate_fn is None else told,
        )
        tell_end(self.on_round)
        return result

    def _record(self, tensors: Sequence[bytes]) -> ArrayRecord:
        arrays = {
            name: Array(array.dtype, array.shape, NUMPY, data)
            for (name, array), data in zip(self._global_arrays.items(), tensors, strict=True)
        }
        return ArrayRecord(arrays)

    def _encoded(self, reply: Message) -> EncodedReply:
        content = reply.content
        metrics: dict[str, Any] = {}
        for record in reversed(list(content.metric_records.values())):
            metrics.update(record)
        tensors, unreadable = self._tensors(content)
        examples = metrics.get(self.weighted_by_key)
        node = str(reply.metadata.src_node_id)
        return EncodedReply(node, tensors, metrics, examples, unreadable)

    def _tensors(self, content: RecordDict) -> tuple[list[bytes], str]:
        records = content.array_records
        if len(records) == 1:
            (arrays,) = records.values()
        elif self.arrayrecord_key in records:
            arrays = records[self.arrayrecord_key]
        else:
            return [], f"{len(records)} ArrayRecords, none of them named {self.arrayrecord_key!r}"
        expected = self._global_arrays
        missing = [name for name in expected if name not in arrays]
        if missing or len(arrays) != len(expected):
            more = [one_line(name)[:40] for name in arrays if name not in expected]
            told = f"{len(arrays)} arrays instead of {len(expected)}"
            return [], f"{told}; missing: {missing[:3]}; not the model's: {more[:3]}"
        if any(array.stype != NUMPY for array in arrays.values()):
            return [], f"arrays that are not serialized as {NUMPY}"
        return [arrays[name].data for name in expected], ""

    def _average(
        self, stage: str, aggregate: Any, contents: Sequence[RecordDict], usable: Sequence[int]
    ) -> MetricRecord | None:
        """Give somebody's own function all replies, and Flower's those that it can average."""
        if aggregate.aggregate_metrics is not aggregate_metricrecords:
            own: MetricRecord | None = aggregate(contents, self.weighted_by_key) if contents else None
            return own
        contents = [contents[position] for position in usable]
        records = [list(content.metric_records.values()) for content in contents]
        alike = [contents[i] for i in averageable(records, self.weighted_by_key)]
        if len(alike) < len(contents):
            FLOWER_LOG.warning(
                "%s: the metrics of %d of %d replies do not fit the others' and are not averaged",
                stage,
                len(contents) - len(alike),
                len(contents),
            )
        averaged: MetricRecord | None = aggregate(alike, self.weighted_by_key) if alike else None
        return averaged


def _with_content(replies: Iterable[Message], stage: str) -> list[Message]:
    """Return the replies that are not errors, of which the log has the clients' words in a line each."""
    received = list(replies)
    valid = [reply for reply in received if not reply.has_error()]
    failed = len(received) - len(valid)
    FLOWER_LOG.info("%s: Received %s results and %s failures", stage, len(valid), failed)
    for reply in received:
        if reply.has_error():
            node, words = reply.metadata.src_node_id, one_line(str(reply.error.reason))
            FLOWER_LOG.info("\t> Received error in reply from node %s: %s", node, words)
    return valid
