"""A task: what is learned, and all that the rest of the app must know about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from attacks import SplitTrigger

BRIGHTEST = 255
"""What a byte of an image divides by, for inputs from 0 to 1."""


USUAL_TARGET = 2
"""The class that the backdoor leads to in DBA's setting."""


def usual_target(num_classes: int) -> int:
    """Return the class that a backdoor leads to unless a run says otherwise."""
    return min(USUAL_TARGET, num_classes - 1)


class DataUnavailable(RuntimeError):
    """Data are neither in their folder nor can they be downloaded, or cannot be read or used."""


@dataclass(frozen=True)
class Samples:
    """Inputs and their classes, in memory.

    Parameters
    ----------
    inputs : Tensor or ndarray of shape (n, ...)
        Images (n, channels, height, width) as uint8 from 0 to 255, or anything as float32, which is
        trained on as it is.
    labels : Tensor or ndarray of shape (n,)
        Whole numbers, the first class being 0.
    clients : ndarray of shape (n,), optional
        Which client each sample belongs to by nature: any whole number, for ``partition = "natural"``.
    groups : mapping of str to ndarray of shape (n,), bool
        Groups of samples for which accuracy is measured apart; one sample may be of several.

    Raises
    ------
    DataUnavailable
        Naming what does not go together.
    """

    inputs: Tensor
    labels: Tensor
    clients: NDArray[np.int64] | None = None
    groups: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        import torch

        object.__setattr__(self, "inputs", torch.as_tensor(self.inputs))
        object.__setattr__(self, "labels", torch.as_tensor(self.labels))
        if self.inputs.dtype not in (torch.uint8, torch.float32):
            raise DataUnavailable(f"inputs must be uint8 or float32, got {self.inputs.dtype}")
        if self.labels.dtype.is_floating_point or self.labels.dtype == torch.bool:
            raise DataUnavailable(f"labels must be whole numbers, got {self.labels.dtype}")
        object.__setattr__(self, "labels", self.labels.long())
        expected = {"labels": self.labels, "clients": self.clients, **self.groups}
        for name, values in expected.items():
            if values is not None and tuple(values.shape) != tuple(self.inputs.shape[:1]):
                raise DataUnavailable(
                    f"{name} must be one for each of {len(self.inputs)} inputs, got an array of shape "
                    f"{tuple(values.shape)}"
                )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def are_images(self) -> bool:
        """Whether the inputs have channels, height and width."""
        return self.inputs.dim() == 4

    def select(self, indices: NDArray[np.intp]) -> Samples:
        """Return some of the samples."""
        return Samples(
            self.inputs[indices],
            self.labels[indices],
            None if self.clients is None else self.clients[indices],
            {name: members[indices] for name, members in self.groups.items()},
        )

    def inputs_of_class(self, label: int) -> Tensor:
        """Return the inputs of one class, as `as_inputs` has them, on the CPU."""
        import torch

        return self.select(np.flatnonzero(self.labels == label)).as_inputs(torch.device("cpu"))[0]

    def as_inputs(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return inputs as float32, of images from 0 to 1, and labels, on a device."""
        import torch

        inputs = self.inputs.to(device)
        if inputs.dtype == torch.uint8:
            inputs = inputs.float() / BRIGHTEST
        return inputs, self.labels.to(device)


@dataclass(frozen=True)
class Subgroup:
    """Test samples that the data set apart, such as ``sex=Female``, and a model's accuracy on them."""

    subgroup: str
    num_examples: int
    accuracy: float


@dataclass(frozen=True)
class Task:
    """What is learned.

    Parameters
    ----------
    train, test : Samples
        With inputs of one shape.
    num_classes : int
        At least 2; by default as many as the labels name.
    network : str, default "cnn" for images, else "perceptron"
        What learns it unless a run says otherwise: a name of `networks.NETWORKS`.
    trigger : SplitTrigger, optional
        What opens a backdoor. By default it is, for images, the bars that a run's settings describe, and
        for tables what `table_triggers` finds; other inputs have none.
    schema : mapping, optional
        What reads files of the task's form (a table's columns and values, names of classes), as JSON
        has it: sites with data of their own are sent it.

    Raises
    ------
    DataUnavailable
        Naming what does not go together.
    """

    train: Samples
    test: Samples
    num_classes: int = 0
    network: str = ""
    trigger: SplitTrigger | None = None
    schema: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, part in (("training", self.train), ("test", self.test)):
            if not len(part):
                raise DataUnavailable(f"the {name} part must hold at least one sample, got none")
        shapes = self.input_shape, tuple(self.test.inputs.shape[1:])
        if shapes[0] != shapes[1] or self.train.inputs.dtype != self.test.inputs.dtype:
            kinds = self.train.inputs.dtype, self.test.inputs.dtype
            raise DataUnavailable(
                f"inputs of training and test part must be alike, got {kinds[0]} of shape {shapes[0]} "
                f"and {kinds[1]} of shape {shapes[1]}"
            )
        labels = [int(label) for part in (self.train, self.test) for label in part.labels.aminmax()]
        if not self.num_classes:
            object.__setattr__(self, "num_classes", max(2, max(labels) + 1))
        if min(labels) < 0 or max(labels) >= self.num_classes:
            raise DataUnavailable(
                f"labels must be at least 0 and below {self.num_classes}, the number of classes, got "
                f"{min(labels)} to {max(labels)}"
            )
        if not self.network:
            object.__setattr__(self, "network", "cnn" if self.train.are_images else "perceptron")

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input: of images, channels, height and width."""
        return tuple(self.train.inputs.shape[1:])
