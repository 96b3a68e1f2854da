"""The weights of all clients in all rounds as a picture: a pixel for each, which the page enlarges.

Colours are laid over the page's own background, so one picture serves light and dark pages.
"""

from __future__ import annotations

import base64
import math
import struct
import zlib
from dataclasses import dataclass

import numpy as np

from .run_records import RunRecords

WEIGHT, JUDGED, UNUSABLE = (37, 99, 235), (220, 38, 38), (217, 119, 6)
MOST_CELLS = 60_000
"""Up to so many, the page can tell the numbers behind each."""


@dataclass(frozen=True)
class HeatMap:
    """The picture, and what it shows.

    Attributes
    ----------
    png : str
        A data URI: clients in rows, rounds in columns.
    clients : list of str
    rounds : list of int
    largest : float
        The weight that is drawn darkest.
    cells : list of list
        A cell for each client and round: None, or weight, gap and reason as texts; empty where there are
        too many.
    """

    png: str
    clients: list[str]
    rounds: list[int]
    largest: float
    cells: list[list[list[str] | None]]


def heat_map(records: RunRecords) -> HeatMap:
    """Return the heat map of a run, in which at least one client trained."""
    clients, rounds = records.names, records.trained_rounds
    row_of = {client: row for row, client in enumerate(clients)}
    column_of = {number: column for column, number in enumerate(rounds)}
    weights = [record.weight for record in records.clients if math.isfinite(record.weight)]
    largest = max(weights, default=0.0) or 1.0
    pixels = np.zeros((len(clients), len(rounds), 4), dtype=np.uint8)
    told = len(clients) * len(rounds) <= MOST_CELLS
    cells: list[list[list[str] | None]] = [[None] * len(rounds) for _ in clients] if told else []
    for record in records.clients:
        at = row_of[record.client], column_of[record.round]
        weight = record.weight if math.isfinite(record.weight) else 0.0
        if record.left_out:
            pixels[at] = (*UNUSABLE, 225)
        elif record.judged_malicious:
            pixels[at] = (*JUDGED, 225)
        else:
            pixels[at] = (*WEIGHT, 20 + round(235 * min(max(weight / largest, 0.0), 1.0)))
        if told:
            cells[at[0]][at[1]] = [_text(record.weight), _text(record.loss_gap), record.reason]
    return HeatMap(_data_uri(pixels), clients, rounds, largest, cells)


def _text(number: float) -> str:
    return f"{number:.4f}" if math.isfinite(number) else "none"


def _data_uri(pixels: np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]) -> str:
    """Return an RGBA picture of shape (height, width, 4) as PNG (ISO/IEC 15948)."""
    height, width = pixels.shape[:2]
    lines = b"".join(b"\0" + line.tobytes() for line in pixels)  # each unfiltered
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b"")]
    content = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")
