"""What a site's own data must be like to be learned together with others': the server sends it to sites.

A site has neither the run's data set nor the statistics by which a table becomes numbers, and may hold
some of the classes only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from attacks import FeatureTrigger

from .task import DataUnavailable, Samples, Task

FORM = "task-form"
"""What the form is called in what the server asks of sites."""


@dataclass(frozen=True)
class TaskForm:
    """The form of a task.

    Attributes
    ----------
    shape : tuple of int
        Of one input.
    dtype : str
        "uint8" or "float32".
    num_classes : int
    network : str
        What learns it unless a run says otherwise.
    schema : mapping
        `Task.schema`.
    patterns : tuple of mapping of int to float
        Those of a table's `FeatureTrigger`; none of other tasks.
    """

    shape: tuple[int, ...]
    dtype: str
    num_classes: int
    network: str
    schema: Mapping[str, Any] = field(default_factory=dict)
    patterns: tuple[Mapping[int, float], ...] = ()

    @classmethod
    def of(cls, task: Task) -> TaskForm:
        """Return the form of a task."""
        return cls(
            task.input_shape,
            _name(task.train.inputs.dtype),
            task.num_classes,
            task.network,
            task.schema,
            task.trigger.patterns if isinstance(task.trigger, FeatureTrigger) else (),
        )

    @classmethod
    def parse(cls, text: str) -> TaskForm:
        """Return the form that `as_json` wrote."""
        read: dict[str, Any] = json.loads(text)
        patterns = tuple({int(key): value for key, value in one.items()} for one in read["patterns"])
        return cls(**{**read, "shape": tuple(read["shape"]), "patterns": patterns})

    def as_json(self) -> str:
        """Return the form as JSON."""
        return json.dumps(asdict(self))

    def task_of(self, own: Samples) -> Task:
        """Return the task that a site's own samples make.

        Raises
        ------
        DataUnavailable
            Where they are of another form.
        """
        shape, dtype = tuple(own.inputs.shape[1:]), _name(own.inputs.dtype)
        if (shape, dtype) != (self.shape, self.dtype):
            raise DataUnavailable(
                f"inputs must be {self.dtype} of shape {self.shape} each, as the run's are, got {dtype} "
                f"of shape {shape}"
            )
        trigger = FeatureTrigger(self.patterns) if self.patterns else None
        return Task(own, own, self.num_classes, self.network, trigger, self.schema)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
