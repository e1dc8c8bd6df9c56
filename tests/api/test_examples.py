"""Every docstring example of the public functions, and every one-liner of the reference, runs."""

from __future__ import annotations

import doctest
import os
import shlex
import subprocess
import sys

import pytest

import edge_ptf
from edge_ptf.errors import MissingExtraError
from tests.api.conftest import Bundle
from tests.tensorrt import fake
from tools.reference import python_api

LONG = ("compress", "search", "label_errors")
NAMES = [name for name in edge_ptf.__all__ if name != "__version__"]
LINES = python_api.one_liners()
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.fixture(autouse=True)
def fake_tensorrt(monkeypatch: pytest.MonkeyPatch) -> None:
    """`build_engine` gets a fake of TensorRT, because the environment has none. `make tensorrt` runs the real one."""
    fake.install(monkeypatch)


def marked(names: list[str]) -> list[object]:
    return [pytest.param(name, marks=pytest.mark.slow) if name in LONG else name for name in names]


def run_example(bundle: Bundle, name: str, text: str) -> None:
    test = doctest.DocTestParser().get_doctest(bundle.substituted(text), {"edge_ptf": edge_ptf}, name, name, 0)
    assert test.examples, f"{name} has no example"
    said: list[str] = []
    result = doctest.DocTestRunner(optionflags=FLAGS).run(test, out=said.append)
    assert result.failed == 0, "".join(said)


@pytest.mark.parametrize("name", marked([name for name in NAMES if name != "calibrate"]))
def test_the_example_of_a_docstring_runs(bundle: Bundle, name: str) -> None:
    run_example(bundle, name, getattr(edge_ptf, name).__doc__ or "")


def test_the_examples_of_the_package_and_of_an_answer_run(bundle: Bundle) -> None:
    run_example(bundle, "edge_ptf", edge_ptf.__doc__ or "")
    run_example(bundle, "Runner.answer", edge_ptf.Runner.answer.__doc__ or "")


def test_the_reference_has_a_line_for_each_function() -> None:
    assert set(LINES) == set(NAMES)


@pytest.mark.parametrize("name", marked([name for name in LINES if name != "calibrate"]))
def test_a_line_of_the_reference_runs(bundle: Bundle, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In this process: the whole line is run by `test_a_line_of_the_reference_runs_as_it_is`."""
    program, option, code = shlex.split(LINES[name])
    assert (program, option) == ("python", "-c")
    exec(compile(bundle.substituted(code), name, "exec"), {})
    shown = capsys.readouterr().out
    assert 1 <= len(shown.splitlines()) <= 5, shown


@pytest.mark.slow
@pytest.mark.parametrize("name", ["prune", "evaluate", "check", "compress"])
def test_a_line_of_the_reference_runs_as_it_is(bundle: Bundle, name: str) -> None:
    line = bundle.substituted(LINES[name]).replace("python -c", f"{sys.executable} -c", 1)
    done = subprocess.run(["sh", "-c", line], env=dict(os.environ), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert 1 <= len(done.stdout.splitlines()) <= 5


def test_calibrate_names_the_extra_that_it_needs(bundle: Bundle) -> None:
    """Its example runs where Neural Compressor is installed."""
    try:
        import neural_compressor  # noqa: F401
    except ImportError:
        code = bundle.substituted(shlex.split(LINES["calibrate"])[2])
        with pytest.raises(MissingExtraError, match=r"edge-ptf\[inc\]"):
            exec(compile(code, "calibrate", "exec"), {})
        return
    run_example(bundle, "calibrate", edge_ptf.calibrate.__doc__ or "")
