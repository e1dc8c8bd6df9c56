"""A fake of `trtexec`. Its engines are ONNX files, and ONNX Runtime runs them.

Without arguments of its own it is a module for tests; as a program it answers like TensorRT 10.3.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from edge_ptf.engines.tensorrt import trtexec

SUMMARY = """
[I] === Performance summary ===
[I] Throughput: 800 qps
[I] Latency: min = 1.1 ms, max = 2 ms, mean = 1.3 ms, median = 1.25 ms, percentile(95%) = 1.5 ms
[I] Enqueue Time: min = 9 ms, max = 9 ms, mean = 9 ms, median = 9 ms, percentile(95%) = 9 ms
[I] H2D Latency: min = 0.01 ms, max = 0.1 ms, mean = 0.02 ms, median = 0.02 ms, percentile(95%) = 0.04 ms
[I] GPU Compute Time: min = 1 ms, max = 2 ms, mean = 1.2 ms, median = 1.2 ms, percentile(95%) = 1.4 ms
[I] D2H Latency: min = 0.01 ms, max = 0.1 ms, mean = 0.03 ms, median = 0.03 ms, percentile(95%) = 0.06 ms
[I] Total GPU Compute Time: 3 s
"""


def install(folder: Path, patch: pytest.MonkeyPatch, **behaviour: str) -> Path:
    """Makes the fake the `trtexec` of this machine.

    Args:
        behaviour: `factor` multiplies each output, `fails` is printed before exit code 1, `writes` is written as the
            outputs, `prints` replaces the summary.
    """
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / trtexec.NAME
    program.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(Path(__file__).parents[2])!r})\n"
        f"from tests.tensorrt.fake_trtexec import main\nmain({behaviour!r}, {str(folder / 'calls.jsonl')!r})\n",
        encoding="utf-8",
    )
    program.chmod(0o755)
    patch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return program


def calls(program: Path) -> list[dict[str, str]]:
    """The options of each start."""
    lines = (program.parent / "calls.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def main(behaviour: dict[str, str], log: str) -> None:
    """The program."""
    import numpy as np
    import onnxruntime

    options = dict(word.lstrip("-").partition("=")[::2] for word in sys.argv[1:])
    with Path(log).open("a", encoding="utf-8") as file:
        file.write(json.dumps(options) + "\n")
    if "fails" in behaviour:
        print(behaviour["fails"])
        sys.exit(1)
    shapes = {name: shape for name, _, shape in (item.partition(":") for item in options["shapes"].split(","))}
    feeds = {
        name: np.fromfile(file, "<i8").reshape([int(size) for size in shapes[name].split("x")])
        for name, _, file in (item.partition(":") for item in options["loadInputs"].split(","))
    }
    session = onnxruntime.InferenceSession(options["loadEngine"], providers=["CPUExecutionProvider"])
    found = zip([item.name for item in session.get_outputs()], session.run(None, feeds), strict=True)
    if "exportOutput" in options:
        rows = [
            f'{{ "name" : "{name}"\n  , "dimensions" : "{"x".join(map(str, values.shape))}"\n  , "values" : [ '
            + ", ".join(f"{value * float(behaviour.get('factor', 1)):.6g}" for value in values.ravel())
            + " ]\n  }"
            for name, values in found
        ]
        text = behaviour.get("writes", "[\n  " + ", ".join(rows) + "\n]\n")
        Path(options["exportOutput"]).write_text(text, encoding="utf-8")
    print(behaviour.get("prints", SUMMARY))
