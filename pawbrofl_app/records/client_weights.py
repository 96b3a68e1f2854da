"""Who counted how much in every round, as figures show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ClientWeights:
    """The final weights of a run's clients.

    Attributes
    ----------
    table : DataFrame
        Clients in rows, in numerical order, and rounds in columns; empty where there are no weights.
    malicious : frozenset of str
        The clients that are truly malicious.
    """

    table: pd.DataFrame
    malicious: frozenset[str]

    @classmethod
    def of(cls, clients: pd.DataFrame) -> ClientWeights:
        """Return those of a table of clients, as `RunFolder.clients` returns it."""
        table = clients.pivot_table(index="client", columns="round", values="weight")
        in_order = sorted(table.index, key=lambda name: (len(name), name))
        return cls(table.loc[in_order], frozenset(clients["client"][clients["truly_malicious"]]))
