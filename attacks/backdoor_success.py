"""How well a backdoor works in anybody's model: the attack success rate, for a server's evaluation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .attack import Attack
from .backdoor import Backdoor
from .image_layout import stamped
from .parsing import attack_of_client


def backdoor_success(
    predict: Callable[[Any], Any],
    inputs: Any,
    labels: Any,
    attack: str | Attack | Backdoor,
    *,
    image_shape: Sequence[int] | None = None,
    batch_size: int = 256,
    **parameters: Any,
) -> float:
    """Return the attack success rate of a model: the share of triggered inputs that get the target.

    ::

        rate = backdoor_success(model, images, labels, "dba")  # a PyTorch model in eval mode
        rate = backdoor_success(model.predict, X, y, "dba", image_shape=(8, 8))  # scikit-learn

    Inputs of the target class do not count, as a model without any backdoor gives it to them. Of
    `edge-case`, which has no trigger, the tail of its source class counts, among the inputs given.

    Parameters
    ----------
    predict : callable
        Maps a batch of inputs to class scores of shape (n, classes), or to classes of shape (n,).
    inputs : Tensor or ndarray of shape (n, ...)
        Test inputs, as the model takes them.
    labels : Tensor or ndarray of shape (n,)
    attack : str, Attack or Backdoor
        As for `malicious`, with the same parameters: whose trigger and target it is.
    image_shape : sequence of int, optional
        As for `poisoned`.
    batch_size : int, default 256
        How many inputs are given to `predict` at once; at least 1.
    **parameters
        Parameters of the attack.

    Returns
    -------
    float
        Between 0 and 1; NaN where all inputs are of the target class.

    Raises
    ------
    ValueError
        For an attack without a backdoor, or inputs that it does not fit.
    """
    if isinstance(attack, Backdoor):
        backdoor: Backdoor | None = attack
    else:
        backdoor = attack_of_client(attack, 0, parameters).backdoor
    if backdoor is None:
        raise ValueError(f"attack must be one with a backdoor, such as 'dba', got {attack!r}")
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    cases = np.flatnonzero(_as_array(backdoor.cases(inputs, _as_array(labels))))
    hits = 0
    for start in range(0, len(cases), batch_size):
        batch = inputs[cases[start : start + batch_size]]
        predicted = _as_array(_predicted(predict, stamped(batch, backdoor.trigger, image_shape)))
        classes = predicted.argmax(axis=1) if predicted.ndim == 2 else predicted
        hits += int((classes == backdoor.target).sum())
    return hits / len(cases) if len(cases) else float("nan")


def _predicted(predict: Callable[[Any], Any], inputs: Any) -> Any:
    if isinstance(inputs, np.ndarray):
        return predict(inputs)
    import torch

    with torch.no_grad():
        return predict(inputs)


def _as_array(values: Any) -> NDArray[Any]:
    if hasattr(values, "detach"):
        values = values.detach().cpu()
    return np.asarray(values)
