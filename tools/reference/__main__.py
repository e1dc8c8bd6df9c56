"""`python -m tools.reference FOLDER` writes the reference pages into FOLDER."""

from __future__ import annotations

import sys
from pathlib import Path

from tools.reference import write

DEFAULT_FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"

if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_FOLDER
    sys.stdout.write(f"{len(write(folder))} pages in {folder}\n")
