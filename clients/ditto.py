"""Ditto: each client trains a personal model beside the global one.

Li, Hu, Beirami, Smith, "Ditto: Fair and robust federated learning through personalization" (ICML 2021),
Algorithm 1. In a round in which client k receives the global model w_t, it trains that as usual, and
takes as many steps, on the same batches, with its own model v_k, which never is aggregated:

    v_k <- v_k - eta (grad F_k(v_k) + lambda (v_k - w_t))

lambda = 0 is training alone, and the larger lambda, the closer v_k stays to the global model. A client's
v_k begins as the first model that it receives.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from attacks.limits import FINITE_AT_LEAST_0, check_limits

NO_PERSONALIZATION = "none"
_NAME_AND_LAMBDA = re.compile(r"ditto(?:\(\s*lambda\s*=([^()]*)\))?")


@dataclass(frozen=True)
class Ditto:
    """How strongly personal models are held to the global one.

    Parameters
    ----------
    strength : float, default 0.1
        lambda, at least 0 and finite.

    Raises
    ------
    ValueError
        For a value out of its range.
    """

    strength: float = field(default=0.1, metadata=FINITE_AT_LEAST_0)

    def __post_init__(self) -> None:
        check_limits(self)


def personalization_named(text: str) -> Ditto | None:
    """Return Ditto as a text such as ``"ditto(lambda=0.1)"`` names it; None for ``"none"``.

    Raises
    ------
    ValueError
        For another text, or a lambda out of its range.
    """
    if text == NO_PERSONALIZATION:
        return None
    found = _NAME_AND_LAMBDA.fullmatch(text.strip())
    try:
        if found is None:
            raise ValueError(text)
        return Ditto() if found[1] is None else Ditto(float(found[1]))
    except ValueError:
        allowed = "none, or ditto with a lambda of at least 0 in brackets, such as 'ditto(lambda=0.1)'"
        raise ValueError(allowed) from None
