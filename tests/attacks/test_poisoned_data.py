"""`poisoned` and `backdoor_success`: data of any kind and layout, as other projects hold them."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from attacks import Attack, BarTrigger, backdoor_success, poisoned

N = 64
BAR = BarTrigger(size=2, gap=1)
GREY = torch.rand(N, 1, 12, 12, generator=torch.Generator().manual_seed(0)) / 2
LABELS = torch.arange(N) % 10
LAYOUTS: dict[str, Any] = {
    "height, width": GREY[:, 0],
    "channels first": GREY.expand(N, 3, 12, 12).contiguous(),
    "channels last": GREY.expand(N, 3, 12, 12).movedim(1, 3).contiguous().numpy(),
    "whole numbers": (GREY * 255).round().to(torch.uint8).numpy(),
    "rows of pixels": GREY.reshape(N, 144).numpy().astype(np.float64),
}
SHAPES = {"rows of pixels": (12, 12)}


def whole_trigger(layout: str) -> tuple[Any, Any]:
    """Return inputs of a layout before and after the whole trigger was stamped on all of them."""
    inputs, shape = LAYOUTS[layout], SHAPES.get(layout)
    labels = LABELS if isinstance(inputs, torch.Tensor) else LABELS.numpy()
    attack = "centralised-backdoor(poison_fraction=1)"
    return inputs, poisoned((inputs, labels), attack, trigger=BAR, image_shape=shape)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_images_of_any_layout_are_stamped_alike(layout: str) -> None:
    before, (after, labels) = whole_trigger(layout)
    assert type(after) is type(before)
    assert after.dtype == before.dtype
    assert after.shape == before.shape
    assert set(labels.tolist()) == {2}
    pixels = np.asarray(after).reshape(-1, *SHAPES.get(layout, np.asarray(after).shape[1:]))
    white = 255 if layout == "whole numbers" else 1.0
    where = {
        "channels first": np.s_[:, :, 0, 0:2],
        "channels last": np.s_[:, 0, 0:2, :],
        "whole numbers": np.s_[:, 0, 0, 0:2],
    }
    assert (pixels[where.get(layout, np.s_[:, 0, 0:2])] == white).all()
    channels = 3 if "channels" in layout else 1
    changed = np.asarray(after) != np.asarray(before)
    assert changed.reshape(N, -1).sum(axis=1).tolist() == [8 * channels] * N


@pytest.mark.parametrize("kind", ["tuples", "mappings"])
def test_a_share_of_a_data_set_is_poisoned_and_the_rest_is_its_own(kind: str) -> None:
    tuples = TensorDataset(GREY, LABELS)
    data: Any = tuples
    if kind == "mappings":
        data = [{"img": image, "label": int(label), "id": i} for i, (image, label) in enumerate(tuples)]
    at = (0, 1) if kind == "tuples" else ("img", "label")
    changed = poisoned(data, "dba", attacker=1, trigger=BAR, poison_fraction=0.25)
    assert len(changed) == N
    touched = [i for i in range(N) if not torch.equal(changed[i][at[0]], data[i][at[0]])]
    assert len(touched) == N // 4
    for i in range(N):
        sample, original = changed[i], data[i]
        assert type(sample) is type(original)
        assert type(sample[at[1]]) is type(original[at[1]])
        assert int(sample[at[1]]) == (2 if i in touched else int(original[at[1]]))
        if kind == "mappings":
            assert sample["id"] == i
    again = poisoned(data, "dba", attacker=1, trigger=BAR, poison_fraction=0.25)
    assert touched == [i for i in range(N) if not torch.equal(again[i][at[0]], data[i][at[0]])]
    loader = DataLoader(changed, batch_size=10, shuffle=True, num_workers=0)
    batch = next(iter(loader))
    assert batch[at[0]].shape == (10, 1, 12, 12)
    assert len(pickle.loads(pickle.dumps(changed))) == N


def test_a_data_set_of_hugging_face_is_poisoned_in_a_loader() -> None:
    from datasets import Dataset

    images = [image.numpy() for image in GREY]
    data = Dataset.from_dict({"img": images, "label": LABELS.tolist()})
    changed = poisoned(data.with_format("torch"), "centralised-backdoor(poison_fraction=1)", trigger=BAR)
    for batch in DataLoader(changed, batch_size=16, num_workers=0):
        assert (batch["img"][:, 0, 0, 0:2] == 1.0).all()
        assert (batch["label"] == 2).all()


def test_every_batch_of_a_loader_is_poisoned() -> None:
    loader = DataLoader(TensorDataset(GREY, LABELS), batch_size=16)
    changed = poisoned(loader, "label-flip")
    assert len(changed) == len(loader)
    assert changed.dataset is loader.dataset
    seen = torch.cat([labels for _, labels in changed])
    assert torch.equal(seen, 9 - LABELS)
    assert torch.equal(torch.cat([labels for _, labels in loader]), LABELS)


@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
def test_the_share_of_arrays_that_is_poisoned_is_the_one_asked_for(share: float) -> None:
    attack = f"centralised-backdoor(poison_fraction={share})"
    inputs, labels = poisoned((GREY, LABELS), attack, trigger=BAR)
    stamped = (inputs != GREY).flatten(1).any(dim=1)
    assert int(stamped.sum()) == share * N
    assert set(labels[stamped].tolist()) == {2}
    assert torch.equal(labels[~stamped], LABELS[~stamped])


def test_labels_are_flipped_whatever_the_inputs_are() -> None:
    texts = [("a cat", 0), ("a dog", 1), ("a cow", 2)]
    changed = poisoned(texts, "label-flip(num_classes=3)")
    assert [changed[i] for i in range(3)] == [("a cat", 2), ("a dog", 1), ("a cow", 0)]


def test_an_attack_of_ones_own_on_other_data_takes_a_few_lines() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Keyword(Attack):
        """Texts that begin with a word get class 0."""

        def poison_batch(self, images: Any, labels: Any) -> Any:
            return [f"zebra {text}" for text in images], 0 * labels

    changed = poisoned([("a cat", 1), ("a dog", 1)], Keyword())
    assert [changed[i] for i in range(2)] == [("zebra a cat", 0), ("zebra a dog", 0)]


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (7, {}, "takes a data set, a loader or .inputs, labels., got int"),
        ((GREY.reshape(N, 144), LABELS), {}, "pass image_shape"),
        ((GREY[:, :, :5, :5], LABELS), {}, "does not fit images of 5 x 5"),
        ([{"a": 1, "b": 2}], {}, "got a, b: pass keys="),
        ([("text", 1)], {}, "a trigger is stamped on arrays, got str"),
        ((GREY, LABELS), {"triger": BAR}, "got 'triger' .did you mean 'trigger'"),
    ],
)
def test_what_does_not_fit_is_named(data: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        poisoned(data, "dba", **options)[0]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_backdoor_success_counts_triggered_inputs_of_other_classes(layout: str) -> None:
    inputs, shape = LAYOUTS[layout], SHAPES.get(layout)

    def sees_white(batch: Any) -> Any:
        """Give class 2 to what has a white pixel, else class 3."""
        flat = np.asarray(batch).reshape(len(batch), -1)
        return np.where(flat.max(axis=1) >= (255 if layout == "whole numbers" else 1.0), 2, 3)

    labels = LABELS if isinstance(inputs, torch.Tensor) else LABELS.numpy()
    options: dict[str, Any] = {"image_shape": shape, "trigger": BAR, "batch_size": 7}
    assert backdoor_success(sees_white, inputs, labels, "dba", **options) == 1.0
    assert (
        backdoor_success(lambda batch: np.full(len(batch), 3), inputs, labels, "dba", **options) == 0.0
    )
    only_target = np.full(N, 2)
    assert np.isnan(backdoor_success(sees_white, inputs, only_target, "dba", **options))


def test_backdoor_success_takes_scores_and_is_what_the_app_measures() -> None:
    from attacks import Backdoor
    from pawbrofl_app.tasks.evaluation import evaluate

    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(144, 10))
    backdoor = Backdoor(BAR, 2)
    measured = backdoor_success(model, GREY, LABELS, backdoor)
    assert measured == evaluate(model, GREY, LABELS, backdoor).attack_success_rate
    assert 0 < measured < 1


def test_an_attack_without_a_backdoor_has_no_success() -> None:
    with pytest.raises(ValueError, match="must be one with a backdoor, such as 'dba', got 'sign-flip'"):
        backdoor_success(lambda batch: batch, GREY, LABELS, "sign-flip")
