"""The paper's claims on MNIST and Fashion-MNIST: a verdict for each, with intervals over the seeds."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ..grid.claims import Finding, findings
from ..grid.markdown import markdown_table
from ..grid.results import rounds_of
from ..grid.study import Study
from ..grid.study_figures import draw_study_figures
from ..grid.table import as_markdown, over_seeds
from .page import FIGURES, Page, Runs

STUDY = "paper-claims"
CELLS, VERDICTS = "paper_claims.csv", "paper_claims_verdicts.csv"


def record(runs: Runs, recorded: Path) -> None:
    """Write the verdicts, and the curves of each data set in the paper's layout."""
    rounds = rounds_of(runs[STUDY])
    verdicts(findings(rounds)).to_csv(recorded / VERDICTS, index=False)
    for figure in draw_study_figures(rounds, runs[STUDY][0].path.parent / "figures"):
        if figure.stem.endswith("curves"):
            data_set = figure.stem.removesuffix("-curves").replace("-", "_")
            shutil.copy(figure, recorded / FIGURES / f"paper_claims_{data_set}.png")


def verdicts(found: Sequence[Finding]) -> pd.DataFrame:
    """Return the verdicts as texts, differences in percentage points."""
    return pd.DataFrame(
        {
            "claim": finding.claim,
            "where": finding.where,
            "compared": finding.evidence,
            "difference": f"{100 * finding.difference:+.2f}",
            "95% interval": f"{100 * finding.low:+.2f} to {100 * finding.high:+.2f}",
            "verdict": finding.verdict,
        }
        for finding in found
    )


def parts(recorded: Path) -> dict[str, str]:
    """Return the table of verdicts and that of the last rounds."""
    last_round = over_seeds(pd.read_csv(recorded / CELLS), Study.load(STUDY).varied)
    return {
        "verdicts": markdown_table(pd.read_csv(recorded / VERDICTS, dtype=str)),
        "last round": as_markdown(last_round),
    }


PAGE = Page("paper_claims.md", parts, studies={STUDY: CELLS}, record=record)
