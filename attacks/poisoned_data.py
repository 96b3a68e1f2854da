"""Attacks on data in anybody's project: a data set, a loader or two arrays, poisoned sample by sample.

::

    train_set = poisoned(train_set)  # as the mod `malicious` says: unchanged at an honest client
    train_set = poisoned(train_set, "label-flip")  # always

Which samples are poisoned is drawn once: the share that the attack asks for, of the whole data set. In a
loader it is that share of every batch, as in `DistributedBackdoor`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .active_attack import active_attack
from .attack import Attack
from .backdoor import whole_share
from .combined import CombinedAttack
from .parsing import attack_of_client
from .sample_form import SampleForm, is_pair


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
    shown = found.with_data(lambda label: form.inputs_of_class(data, label))
    poisons = tuple(_Poison(one, k, words, form) for k, one in enumerate(_on_data(shown)))
    if not poisons:
        return data
    if is_pair(data):
        return _poisoned_arrays(data, poisons)
    if hasattr(data, "__getitem__") and hasattr(data, "__len__"):
        return PoisonedDataset(data, poisons)
    if hasattr(data, "__iter__"):
        return PoisonedLoader(data, poisons)
    raise TypeError(
        f"poisoned() takes a data set, a loader or (inputs, labels), got {type(data).__name__}"
    )


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
        count = whole_share(self.attack.poisoned_share, num_samples)
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
