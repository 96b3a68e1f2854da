"""Attacks on data in anybody's project: a data set, a loader or two arrays, poisoned sample by sample.

::

    train_set = poisoned(train_set)  # as the mod `malicious` says: unchanged at an honest client
    train_set = poisoned(train_set, "label-flip")  # always

Which samples are poisoned is drawn once: the share that the attack asks for, of the whole data set. In a
loader it is that share of every batch, as in `DistributedBackdoor`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .active_attack import active_attack
from .attack import Attack
from .combined import CombinedAttack
from .image_layout import as_images, check_is_images
from .parsing import attack_of_client

INPUT_KEYS = ("img", "image", "images", "pixel_values", "inputs", "input", "x", "features", "input_ids")
LABEL_KEYS = ("label", "labels", "target", "targets", "y", "fine_label")


def poisoned(
    data: Any,
    attack: str | Attack | None = None,
    *,
    attacker: int = 0,
    seed: int = 0,
    image_shape: Sequence[int] | None = None,
    keys: tuple[Any, Any] | None = None,
    **parameters: Any,
) -> Any:
    """Return training data as a malicious client has them; the data handed over stay unchanged.

    Parameters
    ----------
    data : object
        A map-style data set (PyTorch's, torchvision's, or one of Hugging Face with a transform) or a
        loader of batches, whose samples are tuples or mappings; or a pair of arrays
        ``(inputs, labels)``, NumPy's or PyTorch's. What is returned is of the same kind.
    attack : str or Attack, optional
        As for `malicious`. By default what that mod has this client do in this round: nothing at an
        honest client, and nothing without the mod.
    attacker : int, default 0
        The client's number among the attackers, where an attack is named: `dba` stamps local pattern
        ``attacker mod 4``.
    seed : int, default 0
        Of the draw of the poisoned samples, where an attack is named.
    image_shape : sequence of int, optional
        Where images are rows of pixels: their shape, such as (28, 28).
    keys : tuple of two, optional
        Where inputs and labels are in a sample: names or positions. By default the usual names
        (``img``, ``image``, ``label``, ...), or the first two of a tuple.
    **parameters
        Parameters of the attack, such as ``trigger=BarTrigger(size=2)``.

    Raises
    ------
    TypeError
        For data or samples of another kind.
    ValueError
        As `malicious`; for images of a shape that no trigger can be stamped on.
    """
    if attack is None:
        active = active_attack()
        if active is None:
            return data
        active.has_poisoned = True
        found, words = active.attack, active.seed
    else:
        found, words = attack_of_client(attack, attacker, parameters), (seed, attacker)
    form = SampleForm(keys, None if image_shape is None else tuple(image_shape))
    poisons = tuple(_Poison(one, k, words, form) for k, one in enumerate(_on_data(found)))
    if not poisons:
        return data
    if _is_pair(data):
        return _poisoned_arrays(data, poisons)
    if hasattr(data, "__getitem__") and hasattr(data, "__len__"):
        return PoisonedDataset(data, poisons)
    if hasattr(data, "__iter__"):
        return PoisonedLoader(data, poisons)
    raise TypeError(
        f"poisoned() takes a data set, a loader or (inputs, labels), got {type(data).__name__}"
    )


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

    def poisoned_batch(self, inputs: Any, labels: Any, attack: Attack) -> tuple[Any, Any]:
        """Return inputs and labels as an attack leaves them, whatever the layout of images."""
        if attack.backdoor is None:
            return attack.poison_batch(inputs, labels)
        images, undo = as_images(inputs, self.image_shape)
        check_is_images(images, attack.backdoor.trigger)
        targets, undo_labels = as_images(labels)
        poisoned_images, relabelled = attack.poison_batch(images, targets)
        return undo(poisoned_images), undo_labels(relabelled)


@dataclass(frozen=True)
class _Poison:
    """One attack on data, and which of the samples it changes."""

    attack: Attack
    number: int
    words: tuple[int, ...]
    form: SampleForm

    def chosen(self, num_samples: int) -> frozenset[int]:
        """Return the places of the samples to change, at least one."""
        random = np.random.default_rng([*self.words, self.number])
        count = max(1, round(self.attack.poisoned_share * num_samples))
        return frozenset(random.choice(num_samples, min(count, num_samples), replace=False).tolist())


class PoisonedDataset:
    """A map-style data set of which some samples are poisoned; all else is the data set's own."""

    def __init__(self, dataset: Any, poisons: Sequence[_Poison]) -> None:
        self.dataset = dataset
        self._poisons = [(poison, poison.chosen(len(dataset))) for poison in poisons if len(dataset)]

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: Any) -> Any:
        if not isinstance(index, int | np.integer):
            raise TypeError(f"a poisoned data set is read sample by sample, got {index!r}")
        sample, place = self.dataset[index], int(index) % max(len(self.dataset), 1)
        for poison, chosen in self._poisons:
            if place in chosen:
                sample = poison.form.changed(sample, poison.attack, is_batch=False)
        return sample

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        """Return several samples, as PyTorch's loader asks for them where a data set can."""
        return [self[index] for index in indices]

    def __iter__(self) -> Iterator[Any]:
        return (self[index] for index in range(len(self)))

    def __getattr__(self, name: str) -> Any:
        # What reads samples by another way than those above would read them as they were.
        if name == "dataset" or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.dataset, name)


class PoisonedLoader:
    """A loader whose batches are poisoned; all else is the loader's own."""

    def __init__(self, loader: Any, poisons: Sequence[_Poison]) -> None:
        self.loader = loader
        self._poisons = poisons

    def __iter__(self) -> Iterator[Any]:
        for batch in self.loader:
            for poison in self._poisons:
                batch = poison.form.changed(batch, poison.attack, is_batch=True)
            yield batch

    def __len__(self) -> int:
        return len(self.loader)

    def __getattr__(self, name: str) -> Any:
        if name == "loader" or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.loader, name)


def _on_data(attack: Attack) -> list[Attack]:
    """Return the parts of an attack that change data, each on its own."""
    if isinstance(attack, CombinedAttack):
        return [part for one in attack.attacks for part in _on_data(one)]
    return [attack] if attack.poisons_data else []


def _is_pair(data: Any) -> bool:
    return isinstance(data, tuple | list) and len(data) == 2 and all(hasattr(x, "shape") for x in data)


def _poisoned_arrays(data: Any, poisons: Sequence[_Poison]) -> Any:
    inputs, labels = (one.copy() if isinstance(one, np.ndarray) else one.clone() for one in data)
    for poison in poisons if len(labels) else ():
        chosen = poison.chosen(len(labels))
        # An attack poisons the first inputs of a batch: here those that are chosen.
        rows = sorted(range(len(labels)), key=lambda place: place not in chosen)
        inputs[rows], labels[rows] = poison.form.poisoned_batch(
            inputs[rows], labels[rows], poison.attack
        )
    return type(data)((inputs, labels))


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
