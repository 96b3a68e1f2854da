"""Tables for the documentation, in Markdown."""

from __future__ import annotations

import pandas as pd


def markdown_table(frame: pd.DataFrame, digits: int = 3) -> str:
    """Return a frame without its index as a Markdown table; nothing stands for NaN."""
    lines = [
        "| " + " | ".join(str(name) for name in frame.columns) + " |",
        "|---" * frame.shape[1] + "|",
    ]
    for row in frame.itertuples(index=False):
        lines.append("| " + " | ".join(_shown(value, digits) for value in row) + " |")
    return "\n".join(lines)


def mean_and_deviation(values: pd.Series, digits: int = 2) -> str:
    """Return mean and standard deviation of runs that differ in nothing but the seed."""
    return f"{values.mean():.{digits}f} ± {values.std():.{digits}f}"


def _shown(value: object, digits: int) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:.{digits}f}"
    return str(value)
