"""Settings of local training: what clients train, how, on what device, and what they report of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from clients.gap_measures import GAP_MEASURES

from ..tasks.devices import DEVICES
from ..tasks.networks import NETWORKS, TASKS_OWN
from .setting import SECTION, Number, Text, WholeNumber, one_of


@dataclass(frozen=True, config=SECTION)
class TrainingSettings:
    """What clients train, how, on what device, and what they report of it."""

    network: Annotated[Text, one_of((TASKS_OWN, *NETWORKS))] = TASKS_OWN
    """The model: "cnn" (the paper's, for images of any size; 319,520 parameters for digits),
    "normalized-cnn" (the same on images normalised as MNIST usually is) or "perceptron" (one hidden
    layer, for anything; 50,890 and many times faster). "auto": "cnn" for images, "perceptron" for
    tables, or what the data set names."""
    local_epochs: WholeNumber = Field(default=5, ge=1)
    """How often a client passes over its samples in a round."""
    batch_size: WholeNumber = Field(default=10, ge=1)
    """Samples in a step."""
    learning_rate: Number = Field(default=0.05, gt=0)
    """Step size of the clients' plain SGD."""
    gap_measure: Annotated[Text, one_of(GAP_MEASURES)] = "training"
    """What clients report of how badly they are served: the loss that training gains on their "training"
    data or on a held-out "validation" part of it, the first of its "batches" minus the last one (costs
    nothing, says little), or the "gradient-norm" of their loss under the received model."""
    validation_share: Number = Field(default=0.2, gt=0, lt=1)
    """The held-out share of a client's samples, with "validation"."""
    gap_samples: WholeNumber = Field(default=0, ge=0)
    """On how many of those samples a client measures it, spread evenly over them; 0 for all."""
    device: Annotated[Text, one_of(DEVICES)] = "auto"
    """Where clients train: "auto" (a GPU where a client is given one), "cpu" or "cuda"."""
    cohort_size: WholeNumber = Field(default=0, ge=0)
    """How many clients the in-process engine trains in lock-step, as one batched program, which pays on
    a GPU: 1 for none, 0 for 128 on a GPU and 1 on a CPU. Numbers differ from those of 1 by rounding
    errors."""
