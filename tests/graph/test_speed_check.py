"""INT8 without a speed gain is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_ptf.errors import ExitCode, RefusedError
from edge_ptf.graph import SpeedCheck, SpeedCheckConfig, check_speed, open_speed_check, speed_check

KERNELS = {"int8_linear_ops": 6, "linear_ops": 26}
SLOWER = (
    r"^INT8 is slower than FP32 on this machine: 0\.80 times as fast \(95 %: 0\.70 to 0\.90\), "
    r"6 of 26 linear ops run in INT8 kernels\. "
)


def test_only_what_is_surely_slower_is_refused() -> None:
    slow = SpeedCheck(ratio=0.8, low=0.7, high=0.9, **KERNELS)
    with pytest.raises(RefusedError, match=SLOWER) as caught:
        slow.check(SpeedCheckConfig())
    assert caught.value.exit_code is ExitCode.FAIL
    assert "allow_slower" in caught.value.hint
    slow.check(SpeedCheckConfig(allow_slower=True))
    SpeedCheck(ratio=0.95, low=0.8, high=1.1, **KERNELS).check(SpeedCheckConfig())  # the interval does not decide it
    SpeedCheck(ratio=2.0, low=1.9, high=2.1, **KERNELS).check(SpeedCheckConfig())


def test_the_ratio_is_that_of_the_repeats(
    make_graph: Callable[..., Any], tiny_labelled: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ratios = iter((2.0, 4.0, 8.0))

    def timed(sessions: Any, encodings: Any) -> Any:
        return np.array([[next(ratios)] * len(encodings), [1.0] * len(encodings)])

    monkeypatch.setattr(speed_check, "interleaved_ms", timed)
    graph = make_graph()
    found = check_speed(graph, graph, tiny_labelled(), SpeedCheckConfig(repeats=3), tmp_path / "out")
    assert found.ratio == pytest.approx(4.0, abs=1e-3)
    spread = np.log(2.0) / 3**0.5 * 4.302653  # t with two degrees of freedom
    assert found.low == pytest.approx(4.0 * np.exp(-spread), abs=1e-3)
    assert found.high == pytest.approx(4.0 * np.exp(spread), abs=1e-2)
    assert open_speed_check(tmp_path / "out") == found
    assert (found.int8_linear_ops, found.linear_ops) == (14, 14)


def test_a_graph_beside_itself_wins_nothing(
    make_graph: Callable[..., Any], tiny_labelled: Callable[..., Any], tmp_path: Path
) -> None:
    graph = make_graph()
    found = check_speed(graph, graph, tiny_labelled(), SpeedCheckConfig(), tmp_path / "out")
    assert found.low <= found.ratio <= found.high
    assert 0.3 < found.ratio < 3
