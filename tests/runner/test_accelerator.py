"""The C++ runner with an execution provider or an engine that is not there. No GPU is used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_ptf.errors import EnvironmentFault, PackageError
from edge_ptf.runtime.native import Library, NativeRunner

Tool = Callable[..., Any]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"provider": "none"}, PackageError, "provider 'none' does not exist (allowed: cpu, cuda, tensorrt, nv-"),
        ({"provider_library": Path("x")}, PackageError, "provider_library needs a provider other than cpu"),
        ({"cache_folder": Path("x")}, PackageError, "builds nothing that cache_folder could keep"),
        ({"provider": "cpu", "engine_folder": Path("x")}, PackageError, "engine_folder and provider exclude"),
        ({"engine_folder": Path("x")}, EnvironmentFault, "engine_folder needs"),
        ({"provider": "cuda", "provider_library": Path("x")}, EnvironmentFault, "'x'"),
    ],
)
def test_an_accelerator_that_is_not_here_is_refused(
    library: Library, make_payload: Callable[..., Any], options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        NativeRunner(make_payload().path, 1, library, **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_processor_can_be_named_as_the_provider(library: Library, make_payload: Callable[..., Any]) -> None:
    path = make_payload().path
    with NativeRunner(path, 1, library) as usual, NativeRunner(path, 1, library, provider="cpu") as named:
        assert usual.answer("turn on") == named.answer("turn on")
        np.testing.assert_array_equal(usual.logits, named.logits)


@pytest.mark.parametrize("command", ["verify", "selftest", "predict"])
def test_a_provider_that_is_not_here_is_one_line_and_exit_code_5(
    tool: Tool, make_payload: Callable[..., Any], command: str
) -> None:
    found = tool(command, str(make_payload().path), *(["a"] if command == "predict" else []), "--provider", "tensorrt")
    assert found.returncode == 5
    assert "has no provider 'tensorrt' (it has: cpu)" in found.stderr
    assert found.stderr.count("\n") == 1
    assert found.stdout == ""


def test_the_golden_vectors_are_answered_with_the_chosen_provider(tool: Tool, make_payload: Callable[..., Any]) -> None:
    path = str(make_payload().path)
    assert tool("verify", path, "--provider", "cpu").stdout == tool("verify", path).stdout
