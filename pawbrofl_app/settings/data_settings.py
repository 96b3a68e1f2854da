"""Settings of the data: which samples there are, and how clients share them."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass

from attacks.named_object import split_name, with_parameters

from ..tasks.datasets import DATASETS
from ..tasks.minorities import MINORITIES, NO_MINORITY
from ..tasks.partitions import NATURAL, PARTITIONS
from .setting import SECTION, Folder, Number, Text, WholeNumber, check_name, named, one_of


def _check_partition(text: str) -> str:
    name = text.partition("(")[0]
    check_name(name, (*PARTITIONS, NATURAL))
    _, given = split_name(text)
    try:
        known = with_parameters(PARTITIONS.get(name, _nothing), given)
        low = [f"{parameter} must be at least 1" for parameter, value in known.items() if value < 1]
    except ValueError as problem:
        low = [str(problem)]
    if low:
        raise ValueError(f"{name!r} with other parameters: {low[0]}")
    return text


def _nothing() -> None:
    """Take the parameters of "natural": none."""


@dataclass(frozen=True, config=SECTION)
class DataSettings:
    """Which samples there are, and how clients share them."""

    dataset: Annotated[Text, named(DATASETS)] = "digits"
    """What is learned: "digits" (inside scikit-learn), "mnist", "fashion-mnist", "cifar10", "adult",
    "credit-default", "synthetic(alpha=1, beta=1)", or data of your own: "csv(label=...)", "images"
    (a folder of classes), "hub(name=...)". docs/tasks.md has all of them, and what may stand in the
    brackets. "my_module:load": docs/your_own.md."""
    data_dir: Folder = ""
    """Absolute folder of the data set's files, downloaded there if missing. "": the folder that the
    environment variable PAWBROFL_DATA_DIR names, else ~/.cache/pawbrofl."""
    training_samples: WholeNumber = Field(default=0, ge=0)
    """How many of the training samples the clients share, drawn by the seed; 0: all."""
    partition: Annotated[Text, AfterValidator(_check_partition)] = "iid"
    """How clients share them: "iid" (equal sizes), "variable" (sizes from almost none to twice the
    mean), "dirichlet" (skewed labels), "pathological(classes=2)" (so many classes each),
    "shards(per_client=2)" (so many stretches of the samples sorted by label), "linear", "square" or
    "exponential" (sizes that grow so), or "natural" (as the data say whose they are; num-clients of them
    are drawn)."""
    dirichlet_alpha: Number = Field(default=0.5, gt=0)
    """Label skew of "dirichlet": the smaller, the more skewed."""
    minority: Annotated[Text, one_of((NO_MINORITY, *MINORITIES))] = NO_MINORITY
    """An honest minority, drawn by the seed apart from malicious clients: "none", or clients whose
    images are "rotated" by 90 degrees or "inverted", who alone have the last two "classes" (the majority
    has the others), or who are "large", with four times as many samples."""
    minority_fraction: Number = Field(default=0.2, gt=0, lt=0.5)
    """Share of the clients that are of the minority, if there is any; below 0.5."""
    root_data: WholeNumber = Field(default=0, ge=0)
    """How many training samples the server holds itself, drawn by the seed before clients share the
    rest, some of a minority's kind: whoever is left out comes back where that lowers the loss on
    them. 0: none."""
