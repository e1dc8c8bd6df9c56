"""Writes graphs, and what edge-ptf finds in each: `python -m tests.tensorrt.write FOLDER`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge_ptf.engines.tensorrt import verify_graph
from tests.tensorrt import others, ours, type_matrix
from tests.tensorrt.accepted import ACCEPTED, FP8
from tests.tensorrt.broken import BROKEN

OLD, NEW = 86, 89
"""Compute capabilities of which TensorRT-RTX has a target: without and with FP8."""


def main() -> None:
    """Writes `NUMBER.onnx` for each graph and `expected.json` for all."""
    folder, expected = Path(sys.argv[1]), []
    folder.mkdir(parents=True)
    for number, (group, name, model, capability) in enumerate(graphs()):
        content = model.SerializeToString()
        (folder / f"{number}.onnx").write_bytes(content)
        found = verify_graph(content, "rtx", capability)
        refused = [str(item) for item in found if item.refused]
        expected.append({"file": f"{number}.onnx", "group": group, "name": name, "refused": refused, "for": capability})
    (folder / "expected.json").write_text(json.dumps(expected, indent=1), encoding="utf-8")
    print(f"{len(expected)} graphs made", flush=True)


def graphs() -> Iterator[tuple[str, str, Any, int]]:
    """Group, name, model and compute capability of each."""
    yield from (("ours", name, model, OLD) for name, model in ours.graphs())
    yield from (("accepted", name, make(), OLD) for name, make in ACCEPTED.items())
    yield "accepted", "FP8 on a new GPU", FP8, NEW
    yield from (("broken", name, make(), OLD) for name, (_, make) in BROKEN.items())
    for name, model in others.graphs().items():
        yield from (("others", f"{name}, for {capability}", model, capability) for capability in (OLD, NEW))
    yield from (("types", name, model, OLD) for name, model in type_matrix.graphs())


if __name__ == "__main__":
    main()
