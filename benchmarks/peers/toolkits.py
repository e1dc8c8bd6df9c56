"""The compared toolkits, the variants of each, and the engines that run the results."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from edge_ptf.digests import file_digest, value_digest

HERE = Path(__file__).parent
REQUIREMENTS, RECIPES, WORKERS = HERE / "requirements", HERE / "recipes", HERE / "workers"
WORK = HERE.parents[1] / "build" / "peers"
ENVIRONMENTS = WORK / "environments"
QUIET = {
    **{"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "PYTHONWARNINGS": "ignore", "CI": "true"},
    **{"OLIVE_DISABLE_TELEMETRY": "1", "OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"},
}
"""No network, no usage reports, and no busy-waiting threads."""


@dataclass(frozen=True, slots=True)
class Engine:
    """Runs a model: a worker and its environment."""

    worker: str
    environment: str
    model: str


ONNX_RUNTIME = Engine("ort_worker.py", "onnxruntime", "model.onnx")
OPENVINO = Engine("openvino_worker.py", "nncf", "model.xml")
PYTORCH = Engine("torch_worker.py", "neural-compressor", "model.pt2")


@dataclass(frozen=True, slots=True)
class Toolkit:
    """`variants` are those of the recipe. `packages` are the packages whose versions are listed."""

    title: str
    environment: str
    recipe: str
    engine: Engine
    variants: tuple[str, ...]
    packages: tuple[str, ...]


TOOLKITS = (
    Toolkit(
        *("ONNX Runtime", "onnxruntime", "ort_recipe.py", ONNX_RUNTIME),
        ("dynamic", "static-qoperator", "static-qdq", "static-qdq-products"),
        ("onnxruntime", "onnx"),
    ),
    Toolkit(
        *("Olive", "olive", "olive_recipe.py", ONNX_RUNTIME),
        ("dynamic", "static-qoperator", "static-qdq"),
        ("olive-ai", "onnxruntime", "torch", "transformers"),
    ),
    Toolkit(
        *("Optimum", "optimum", "optimum_recipe.py", ONNX_RUNTIME),
        ("dynamic", "dynamic-o2", "static", "static-products"),
        ("optimum-onnx", "optimum", "onnxruntime", "torch", "transformers"),
    ),
    Toolkit(
        *("NNCF + OpenVINO", "nncf", "nncf_recipe.py", OPENVINO),
        ("static", "static-half-smooth", "weights"),
        ("nncf", "openvino", "torch", "transformers"),
    ),
    Toolkit(
        *("Neural Compressor 2", "neural-compressor-2", "inc_onnx_recipe.py", ONNX_RUNTIME),
        ("dynamic", "static", "static-qdq"),
        ("neural_compressor", "onnxruntime", "onnx"),
    ),
    Toolkit(
        *("Neural Compressor 3", "neural-compressor", "inc_torch_recipe.py", PYTORCH),
        ("dynamic", "static"),
        ("neural_compressor", "torch", "torchao", "transformers"),
    ),
)


class CompressionError(Exception):
    """The toolkit did not compress the model. The message is the end of its output."""


def requirements(name: str) -> str:
    """The pinned packages of an environment."""
    return (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8")


def versions(toolkit: Toolkit) -> dict[str, str]:
    """The pinned versions of the listed packages."""
    pinned = dict(line.split("==") for line in requirements(toolkit.environment).splitlines() if "==" in line)
    return {name: pinned[name] for name in toolkit.packages}


def python(environment: str) -> Path:
    """The environment's interpreter."""
    found = ENVIRONMENTS / environment / "bin" / "python"
    if not found.exists():
        sys.exit(f"the environment {environment} is missing: run python benchmarks/peers/environments.py")
    return found


def compress(toolkit: Toolkit, variant: str, teacher: Path, graph: Path, calibration: Path, key: str) -> Path:
    """The compressed model. It comes from an earlier run if toolkit, recipe, teacher and calibration are equal.

    Args:
        graph: the teacher as FP32 ONNX, for toolkits that start from ONNX.
        key: digest of teacher, graph and calibration.

    Raises:
        CompressionError: the toolkit failed.
    """
    recipes = [file_digest(RECIPES / name) for name in (toolkit.recipe, "arguments.py", "olive_data.py")]
    whole = value_digest([key, variant, recipes, requirements(toolkit.environment)])
    out = WORK / "models" / f"{toolkit.environment}-{variant}"
    if not (out / "done.json").exists() or json.loads((out / "done.json").read_text())["key"] != whole:
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        program = [str(python(toolkit.environment)), str(RECIPES / toolkit.recipe), variant]
        given = {"--teacher": teacher, "--graph": graph, "--calibration": calibration, "--out": out}
        options = [str(part) for pair in given.items() for part in (pair[0], pair[1].resolve())]
        began = time.monotonic()
        with (out / "log.txt").open("w", encoding="utf-8") as log:
            found = subprocess.run(
                [*program, *options],
                cwd=out,
                stdout=log,
                stderr=log,
                env={**os.environ, **QUIET},
                check=False,
            )
        if found.returncode or not (out / toolkit.engine.model).exists():
            lines = (out / "log.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise CompressionError(lines[-1] if lines else f"exit status {found.returncode}")
        record = {"key": whole, "seconds": round(time.monotonic() - began, 1)}
        (out / "done.json").write_text(json.dumps(record), encoding="utf-8")
    return out / toolkit.engine.model


def model_bytes(model: Path) -> int:
    """Size in bytes of the file, including the separate weights of an OpenVINO model."""
    return sum(file.stat().st_size for file in (model, model.with_suffix(".bin")) if file.exists())
