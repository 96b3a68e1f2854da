"""The console command ``pawbrofl``: says what is missing where the app cannot run, else runs it.

A wheel holds the library alone, as an app's folders have names that other projects have too. So the
command works in a clone that is installed in place, together with the extra ``app``; of a wheel's, only
``pawbrofl report`` and ``compare`` do.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

APP_FOLDER = Path(__file__).resolve().parent.parent


def main() -> int:
    """Run the command line and return its exit status: 2 for what the user can mend."""
    if not (APP_FOLDER / "pawbrofl_app" / "command.py").is_file():
        if sys.argv[1:2] in (["report"], ["compare"]):
            return int(import_module("pawbrofl.report.report_command").main(sys.argv[1:]))
        if sys.argv[1:2] == ["--version"]:
            print("pawbrofl", version("pawbrofl"))
            return 0
        return _refuse(
            "the app is not part of an installed wheel. Clone the project, and in its folder:"
        )
    try:
        from .command import main as run

        return run()
    except ModuleNotFoundError as missing:
        return _refuse(f"the app needs {missing.name}, which is not installed. In {APP_FOLDER}:")


def _refuse(reason: str) -> int:
    print(f"error: {reason} pip install -e '.[app]'", file=sys.stderr)
    return 2
