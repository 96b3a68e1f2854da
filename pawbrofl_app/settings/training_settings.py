"""Settings of local training: what clients train, how, on what device, and what they report of it."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic.dataclasses import dataclass

from clients.ditto import NO_PERSONALIZATION, Ditto, personalization_named
from clients.gap_measures import GAP_MEASURES

from ..tasks.devices import DEVICES
from ..tasks.networks import NETWORKS, TASKS_OWN
from .setting import SECTION, Number, Text, WholeNumber, invalid, named, one_of


def _check_personalization(text: str) -> str:
    personalization_named(text)
    return text


@dataclass(frozen=True, config=SECTION)
class TrainingSettings:
    """What clients train, how, on what device, and what they report of it."""

    network: Annotated[Text, named((TASKS_OWN, *NETWORKS))] = TASKS_OWN
    """The model: "cnn" (the paper's, for images of any size; 319,520 parameters for digits),
    "normalized-cnn" (the same on images normalised as MNIST usually is), "perceptron" (one hidden
    layer, for anything; 50,890 and many times faster), "small-perceptron" (the same on images of half
    the width; 13,258, for thousands of runs), "logistic" (regression), "resnet18" (with group
    normalisation; 11.2 million), "resnet18-batch-norm", or your own, "my_module:Net":
    docs/your_own.md. "auto": "cnn" for images, "perceptron" for tables, or what the data set names."""
    local_epochs: WholeNumber = Field(default=5, ge=1)
    """How often a client passes over its samples in a round."""
    batch_size: WholeNumber = Field(default=10, ge=1)
    """Samples in a step."""
    learning_rate: Number = Field(default=0.05, gt=0)
    """Step size of the clients' SGD."""
    momentum: Number = Field(default=0.0, ge=0, lt=1)
    """Momentum of the clients' SGD, which begins anew in every round."""
    weight_decay: Number = Field(default=0.0, ge=0)
    """Weight decay of the clients' SGD."""
    gap_measure: Annotated[Text, one_of(GAP_MEASURES)] = "training"
    """What clients report of how badly they are served: the loss that training gains on their "training"
    data or on a held-out "validation" part of it, the first of its "batches" minus the last one (costs
    nothing, says little), or the "gradient-norm" of their loss under the received model."""
    validation_share: Number = Field(default=0.2, gt=0, lt=1)
    """The held-out share of a client's samples, with "validation"."""
    gap_samples: WholeNumber = Field(default=0, ge=0)
    """On how many of those samples a client measures it, spread evenly over them; 0 for all."""
    personalization: Annotated[Text, AfterValidator(_check_personalization)] = NO_PERSONALIZATION
    """Do clients train a personal model beside the global one? "none", or "ditto(lambda=0.1)": held to
    the global one by lambda. It is evaluated in the global one's place and never aggregated."""
    device: Annotated[Text, one_of(DEVICES)] = "auto"
    """Where clients train: "auto" (a GPU where a client is given one), "cpu" or "cuda"."""
    cohort_size: WholeNumber = Field(default=0, ge=0)
    """How many clients the in-process engine trains in lock-step, as one batched program, which pays on
    a GPU: 1 for none, 0 for 128 on a GPU and 1 on a CPU. Numbers differ from those of 1 by rounding
    errors."""

    @property
    def ditto(self) -> Ditto | None:
        """How personal models are trained, if there are any."""
        return personalization_named(self.personalization)

    @model_validator(mode="after")
    def _check_ditto(self) -> Self:
        if self.ditto is not None and self.ditto.strength * self.learning_rate > 1:
            allowed = f"with a lambda of at most 1 / learning-rate = {1 / self.learning_rate:g}"
            raise invalid("personalization", allowed, self.personalization)
        return self
