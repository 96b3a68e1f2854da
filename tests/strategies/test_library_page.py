"""docs/library.md: its code runs, and the log lines that it explains are those that the code writes."""

from __future__ import annotations

import re
from typing import Any

from tests.conftest import PROJECT

PAGE = (PROJECT / "docs" / "library.md").read_text()
OF_THE_READER = ("train(model", "model.fit", "train_set", "images, labels")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


def test_the_code_runs() -> None:
    names: dict[str, Any] = {}
    assert len(BLOCKS) > 5
    for block in BLOCKS:
        code = block.replace("from pawbrofl.", "from ")
        if any(own in code for own in OF_THE_READER):
            compile(code, "docs/library.md", "exec")  # the reader's own model and data
            continue
        exec(code, names)
    assert names["result"].weights.shape == (10,)


def test_the_log_lines_are_the_codes() -> None:
    lines = [row.split("`")[1] for row in PAGE.splitlines() if row.startswith("| `")]
    source = "".join(path.read_text() for path in (PROJECT / "strategies").glob("*.py"))
    for line in ("PAwBRoFL settings:", "judged malicious", "left out client", "report no metric"):
        assert any(line in said for said in lines), line
    for line in lines:
        if line.startswith(("no reply", "aggregating the", "PAwBRoFL settings")):
            assert line in source, line
