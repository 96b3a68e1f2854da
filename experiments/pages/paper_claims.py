"""The paper's claims on MNIST and Fashion-MNIST: a verdict for each, with intervals over the seeds.

    python -m experiments.pages.paper_claims

Runs what is not finished of the study ``paper-claims`` and writes into ``--out``: ``paper_claims.csv``,
one row a run, a figure for each data set in the paper's layout, and, where ``paper_claims.md`` is there,
its tables anew.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ..grid.claims import Finding, findings
from ..grid.results import rounds_of
from ..grid.study import Study
from ..grid.study_figures import draw_study_figures
from ..grid.table import as_markdown, over_seeds
from .markdown import markdown_table
from .page import run_for_page, write_part

STUDY = "paper-claims"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the study and write its results; 0 if every run finished."""
    run = run_for_page(STUDY, "paper_claims.csv", __doc__, arguments)
    rounds = rounds_of(run.folders)
    for figure in draw_study_figures(rounds, run.folders[0].path.parent / "figures"):
        if figure.stem.endswith("curves"):
            shutil.copy(figure, run.out / f"paper_claims_{_data_set(figure)}.png")
    page = run.out / "paper_claims.md"
    if page.is_file():
        write_part(page, "verdicts", verdict_table(findings(rounds)))
        write_part(page, "last round", as_markdown(over_seeds(run.cells, Study.load(STUDY).varied)))
    return run.status


def _data_set(figure: Path) -> str:
    return figure.stem.removesuffix("-curves").replace("-", "_")


def verdict_table(found: Sequence[Finding]) -> str:
    """Return the verdicts as a Markdown table, differences in percentage points."""
    return markdown_table(
        pd.DataFrame(
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
    )


if __name__ == "__main__":
    raise SystemExit(main())
