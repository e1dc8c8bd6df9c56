"""Creates the environment of each toolkit from its pinned requirements, in `build/peers/environments`.

    python benchmarks/peers/environments.py                     # all that are missing or out of date
    python benchmarks/peers/environments.py nncf --index URL    # one of them, with PyTorch from this index

PyTorch is only needed to read the checkpoint. An index with CPU builds (`--index`) saves gigabytes.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import venv

from toolkits import ENVIRONMENTS, REQUIREMENTS, requirements

PINNED_BY_INDEX = "torch"


def main() -> None:
    names = sorted(file.stem for file in REQUIREMENTS.glob("*.txt"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[[], *names], metavar="NAME", help=", ".join(names))
    parser.add_argument("--index", help="index of the PyTorch builds you want")
    given = parser.parse_args()
    failed = [name for name in given.names or names if not make(name, given.index)]
    if failed:
        sys.exit(f"not made: {', '.join(failed)}")


def make(name: str, index: str | None = None) -> bool:
    """Returns False if pip fails. The terminal shows pip's messages."""
    folder, wanted = ENVIRONMENTS / name, requirements(name)
    installed = folder / "installed.txt"
    if installed.exists() and installed.read_text(encoding="utf-8") == wanted:
        print(f"{name}: up to date")
        return True
    print(f"{name}: installing", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    torch = [line for line in wanted.splitlines() if line.startswith(f"{PINNED_BY_INDEX}==")]
    if index and torch and subprocess.run([*pip, "--index-url", index, *torch], check=False).returncode:
        return False
    if subprocess.run([*pip, "--requirement", str(REQUIREMENTS / f"{name}.txt")], check=False).returncode:
        return False
    installed.write_text(wanted, encoding="utf-8")
    return True


if __name__ == "__main__":
    main()
