"""Every command in the documents runs, in one folder, on small data and with a tiny model.

The tests run in the order of the list: a command reads what an earlier one wrote, as in the documents.
"""

from __future__ import annotations

import importlib.util
import webbrowser
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_ptf.cli import jetson
from edge_ptf.engines.tensorrt.library import FULL, Library
from edge_ptf.package import assembly
from tests.bench.devices.conftest import start_sshd
from tests.conftest import build_base
from tests.docs.pages import ROOT, Shown, commands
from tests.docs.sandbox import Sandbox, edge_ptf, make_base, make_data
from tests.tensorrt import fake, fake_trtexec

__all__ = ["start_sshd"]

FIRST = (
    *("docs/how-to/single-stages.md", "docs/how-to/int8-accuracy.md", "docs/how-to/jetson.md", "README.md"),
    "docs/tutorial/index.md",
)
"""Pages whose commands write what the commands of other pages read."""
PLACEHOLDERS = ("COMMAND", "CMD", "FILE")
ELSEWHERE = ("docs/tutorial/own-csv.md",)
"""Pages whose commands run as they stand, in an environment of their own: make transcript."""
JUDGED = ("compress", "gate", "search")
"""These commands end with the code of a verdict; here 0 or 4, because every limit is met but little is proven."""

pytestmark = pytest.mark.slow


def in_order() -> list[Shown]:
    """The commands, those of FIRST first. A page keeps its own order."""
    found = [shown for shown in commands() if not {*PLACEHOLDERS} & set(shown.words) and shown.page not in ELSEWHERE]
    place = {page: number for number, page in enumerate(FIRST)}
    return sorted(found, key=lambda shown: place.get(shown.page, len(FIRST)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data and the model."""
    root = tmp_path_factory.mktemp("documents")
    make_base(root / "base")
    build_base("bert", root / "tiny")
    make_data(root)
    return root


@pytest.fixture
def sandbox(folder: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """The folder as the current one. A command that names a device gets an sshd on this machine.

    `build-engine` and `doctor --jetson` get fakes of TensorRT, because the environment has none. `make tensorrt` runs
    the real one.
    """
    monkeypatch.chdir(folder)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(webbrowser, "open", lambda *_: True)
    monkeypatch.setattr(assembly, "SPLICED_TEXTS", 100)  # fewer texts for thresholds, which no test looks at here
    shown: Shown = request.getfixturevalue("shown")
    if "--compute-capability" in shown.words:
        fake.install(monkeypatch)
    elif shown.words[0] == "build-engine":
        fake.install(monkeypatch, FULL, "10.3.0", fake.ORIN)
    elif "--jetson" in shown.words:
        use_board(folder, monkeypatch)
    sandbox = Sandbox(folder, folder / "base", folder / "tiny", "local")
    if "ssh://" in shown.line or " adb" in shown.line:
        server = request.getfixturevalue("start_sshd")()
        options = tuple(part for option in server.options for part in ("--ssh-option", option))
        sandbox = Sandbox(folder, folder / "base", folder / "tiny", server.name, options)
        if not (ROOT / "build" / "runner-release" / "edge-ptf-runner").exists():
            pytest.skip("the C++ runner is not built (make runner)")
        (folder / "build").mkdir(exist_ok=True)
    sandbox.prepare(shown)
    yield sandbox


def use_board(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fakes of a board's TensorRT, a tiny model, and one form."""
    fake_trtexec.install(folder / "trtexec", monkeypatch)
    module = fake.install(monkeypatch, FULL, "10.3.0", fake.ORIN, runs=True)
    monkeypatch.setattr(jetson, "installed", lambda: Library(FULL, "10.3.0", module))
    monkeypatch.setattr(jetson, "COMMANDS", {})
    monkeypatch.setattr(jetson, "VARIANTS", {"int8": jetson.VARIANTS["int8"]})
    monkeypatch.setattr(jetson.report, "__defaults__", (str(folder / "tiny"),))


@pytest.mark.parametrize("shown", in_order(), ids=str)
def test_a_shown_command_runs(shown: Shown, sandbox: Sandbox) -> None:
    words = sandbox.words(shown)
    done = edge_ptf(*words)
    if needs_compressor(shown):
        assert done.code in (2, 5)
        assert "edge-ptf" in done.stderr and done.stderr.count("\n") == 1
        pytest.skip("the extra inc is not installed; the command says so")
    judged = (words[0] in JUDGED and "--dry-run" not in words) or "--seal" in words
    assert done.code in ((0, 4) if judged else (0,)), f"{' '.join(words)}\n{done.stdout}\n{done.stderr}"
    for option in ("--out", "--junit", "--markdown", "--html", "--seal"):
        if option in words and "--dry-run" not in words:
            assert Path(words[words.index(option) + 1]).exists()


def needs_compressor(shown: Shown) -> bool:
    """Whether the command needs Neural Compressor, and it is absent."""
    absent = importlib.util.find_spec("neural_compressor") is None
    return absent and (shown.words[0] == "calibrate" or "--ranges" in shown.words)
