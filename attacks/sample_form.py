"""Where inputs and labels are in anybody's samples and batches, and how an attack is put to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .attack import Attack
from .image_layout import as_images, check_is_images

if TYPE_CHECKING:
    from torch import Tensor

INPUT_KEYS = ("img", "image", "images", "pixel_values", "inputs", "input", "x", "features", "input_ids")
LABEL_KEYS = ("label", "labels", "target", "targets", "y", "fine_label")


@dataclass(frozen=True)
class SampleForm:
    """Where inputs and labels are in a sample or batch, and the images' shape where it does not show."""

    keys: tuple[Any, Any] | None
    image_shape: tuple[int, ...] | None

    def places(self, sample: Any) -> tuple[Any, Any]:
        """Return where in a sample input and label are."""
        if self.keys is not None:
            return self.keys
        if isinstance(sample, Mapping):
            here = [
                next((key for key in names if key in sample), None) for names in (INPUT_KEYS, LABEL_KEYS)
            ]
            if None in here:
                raise TypeError(
                    "poisoned() does not know which entries of a sample are input and label, got "
                    f"{', '.join(map(str, sample))}: pass keys=(input, label)"
                )
            return here[0], here[1]
        if isinstance(sample, Sequence) and len(sample) >= 2:
            return 0, 1
        raise TypeError(
            "poisoned() takes samples that are mappings or tuples of input and label, got "
            f"{type(sample).__name__}"
        )

    def changed(self, sample: Any, attack: Attack, *, is_batch: bool) -> Any:
        """Return a sample, or a batch of them, as an attack leaves it."""
        at_input, at_label = self.places(sample)
        inputs, labels = sample[at_input], sample[at_label]
        if not is_batch:
            inputs, labels = _as_batch(inputs), _label_as_batch(labels, inputs)
        inputs, labels = self.poisoned_batch(inputs, labels, attack)
        if not is_batch:
            inputs, labels = inputs[0], labels[0]
            labels = type(sample[at_label])(labels) if isinstance(sample[at_label], int) else labels
        values = dict(sample) if isinstance(sample, Mapping) else list(sample)
        values[at_input], values[at_label] = inputs, labels
        return tuple(values) if type(sample) is tuple else values

    def inputs_of_class(self, data: Any, label: int) -> Tensor:
        """Return all inputs of a class, as attacks take them, in a data set, a loader or two arrays."""
        import torch

        found = [
            as_images(inputs[np.flatnonzero(np.asarray(labels) == label)], self.image_shape)[0]
            for inputs, labels in self._batches(data)
        ]
        return torch.cat(found) if found else torch.empty(0, 1)

    def _batches(self, data: Any) -> Iterator[tuple[Any, Any]]:
        if is_pair(data):
            yield data
            return
        one_by_one = hasattr(data, "__getitem__") and hasattr(data, "__len__")
        for sample in (data[place] for place in range(len(data))) if one_by_one else data:
            inputs, labels = (sample[place] for place in self.places(sample))
            if one_by_one:
                inputs, labels = _as_batch(inputs), _label_as_batch(labels, inputs)
            yield inputs, labels

    def poisoned_batch(self, inputs: Any, labels: Any, attack: Attack) -> tuple[Any, Any]:
        """Return inputs and labels as an attack leaves them, whatever the layout of images."""
        if attack.backdoor is None:
            return attack.poison_batch(inputs, labels)
        images, undo = as_images(inputs, self.image_shape)
        check_is_images(images, attack.backdoor.trigger)
        targets, undo_labels = as_images(labels)
        poisoned_images, relabelled = attack.poison_batch(images, targets)
        return undo(poisoned_images), undo_labels(relabelled)


def is_pair(data: Any) -> bool:
    """Return whether data are two arrays, inputs and labels."""
    return isinstance(data, tuple | list) and len(data) == 2 and all(hasattr(x, "shape") for x in data)


def _as_batch(sample: Any) -> Any:
    return sample[None] if hasattr(sample, "shape") else [sample]


def _label_as_batch(label: Any, inputs: Any) -> Any:
    """Return a label as a batch of one, as a tensor where inputs are tensors, else as an array."""
    if hasattr(label, "reshape"):
        return label.reshape(1)
    if hasattr(inputs, "new_tensor"):
        import torch

        return torch.as_tensor([label])
    return np.asarray([label])
