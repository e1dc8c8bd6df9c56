"""The result of `cmake --install`, shared and static: the tool starts, and other projects can build with it."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_ptf.runtime import Runner

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / "build" / "runner-release"
DEPENDENCIES = ROOT / "build" / f"deps-{platform.machine()}"
TEXTS = ["turn on the lights", "play some jazz music please", "naïve 中 😀 lights", ""]

pytestmark = pytest.mark.slow


def run(*command: object) -> subprocess.CompletedProcess[str]:
    """Removes the variable that would help a program to find its libraries."""
    environment = {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"}
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, timeout=300, env=environment
    )


def build(*command: object) -> None:
    found = run(*command)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.fixture(scope="module", params=["shared", "static"])
def prefix(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the installed runner."""
    if shutil.which("cmake") is None:
        pytest.skip("cmake is not installed")
    if not DEPENDENCIES.exists():
        pytest.skip(f"{DEPENDENCIES} does not exist (`make runner`)")
    work = tmp_path_factory.mktemp(request.param)
    built = BUILT
    if request.param == "static":
        built = work / "build"
        build(
            *("cmake", "-S", ROOT / "cpp_runner", "-B", built, f"-DONNXRUNTIME_ROOT={DEPENDENCIES}"),
            *("-DBUILD_SHARED_LIBS=OFF", "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_UNITY_BUILD=ON"),
        )
        build("cmake", "--build", built, "--parallel", "2")
    elif not (built / "cmake_install.cmake").exists():
        pytest.skip("the C++ runner is not built (`make runner`)")
    build("cmake", "--install", built, "--prefix", work / "prefix")
    return work / "prefix"


@pytest.fixture(scope="module")
def examples(prefix: Path) -> Path:
    """The examples, built as a separate project."""
    built = prefix.parent / "examples"
    build("cmake", "-S", ROOT / "cpp_runner" / "examples", "-B", built, f"-DCMAKE_PREFIX_PATH={prefix}")
    build("cmake", "--build", built, "--parallel", "2")
    return built


def test_the_tool_starts_from_where_it_was_installed(prefix: Path) -> None:
    found = run(prefix / "bin" / "edge-ptf-runner", "--version")
    assert found.stdout.startswith("edge-ptf-runner "), found.stderr


def test_the_c_example_answers_as_python_does(examples: Path, make_payload: Callable[..., Any]) -> None:
    payload = make_payload()
    python = Runner(payload)
    wanted = [(python.answer(text), text) for text in TEXTS]
    found = run(examples / "classify", payload.path, *TEXTS)
    assert found.stdout.splitlines() == [f"{answer.label}\t{answer.score:.3f}\t{text}" for answer, text in wanted]
    assert found.returncode == 0


def test_the_cpp_example_answers_as_python_does(examples: Path, make_payload: Callable[..., Any]) -> None:
    intents, entities = make_payload(), make_payload("bert", "token-classification")
    classifier, tagger = Runner(intents), Runner(entities)
    lines = []
    for text in TEXTS:
        parts = [f"{item['type']}={item['text']}" for item in tagger.answer(text).details["entities"]]
        lines.append(f"{classifier.answer(text).label}\t{', '.join(parts)}\t{text}")
    found = run(examples / "understand", intents.path, entities.path, *TEXTS)
    assert found.stdout.splitlines() == lines
    assert found.returncode == 0


def test_the_cpp_example_asks_a_package_with_both_tasks_once(examples: Path, make_payload: Callable[..., Any]) -> None:
    both = make_payload("bert", "intent=text-classification,slots=token-classification")
    python, lines = Runner(both), []
    for text in TEXTS:
        answer = python.answer(text)
        parts = [f"{item['type']}={item['text']}" for item in answer.details["slots"]["entities"]]
        lines.append(f"{answer.label[0]}\t{', '.join(parts)}\t{text}")
    found = run(examples / "understand", both.path, *TEXTS)
    assert found.stdout.splitlines() == lines
    assert found.returncode == 0


def test_the_programs_of_the_benchmark_answer_as_python_does(
    prefix: Path, make_payload: Callable[..., Any], tmp_path: Path
) -> None:
    if prefix.parent.name.startswith("static"):
        pytest.skip("the benchmark takes the shared library")
    payload, built = make_payload(), prefix.parent / "programs"
    settings = (f"-DCMAKE_PREFIX_PATH={prefix}", f"-DONNXRUNTIME_ROOT={DEPENDENCIES}")
    build("cmake", "-S", ROOT / "benchmarks" / "programs", "-B", built, *settings)
    build("cmake", "--build", built, "--parallel", "2")
    python, model = Runner(payload), tmp_path / "model.onnx"
    model.write_bytes(payload.model())
    for text in TEXTS[:3]:
        encoding = python.encode(text)
        (tmp_path / "text.txt").write_text(text + "\n", encoding="utf-8")
        (tmp_path / "ids.txt").write_text(" ".join(map(str, encoding.input_ids)) + "\n", encoding="utf-8")
        app = run(built / "app", payload.path, tmp_path / "text.txt", 3)
        bare = run(built / "bare_onnxruntime", model, tmp_path / "ids.txt", 3, 1, 0, 1)
        best = int(python.logits(encoding).argmax())
        for found in (app, bare):
            record = json.loads(found.stdout)
            assert record["best"] == best
            assert len(record["times_ns"]) == 3


def test_the_examples_say_why_they_fail(examples: Path, make_payload: Callable[..., Any]) -> None:
    intents, entities = make_payload().path, make_payload("bert", "token-classification").path
    for command, message in (
        (("classify",), "Usage: classify PACKAGE TEXT..."),
        (("classify", "none.eptf", "a"), "classify: none.eptf: cannot be opened"),
        (("classify", entities, "a"), "does not classify texts (its task is token-classification)"),
        (("understand", intents), "Usage: understand"),
        (("understand", entities, intents, "a"), "understand: give a package that classifies"),
        (("understand", intents, "none.eptf", "a"), "understand: none.eptf: cannot be opened"),
    ):
        found = run(examples / command[0], *command[1:])
        assert found.returncode == 2
        assert message in found.stderr
        assert found.stderr.count("\n") == 1
        assert found.stdout == ""
