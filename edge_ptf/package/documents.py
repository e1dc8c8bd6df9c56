"""The papers of a package: model card, licence notes, bill of materials. No measurements: those are evidence."""

from __future__ import annotations

import json
from typing import Any

from edge_ptf import tasks
from edge_ptf.digests import bytes_digest, value_digest
from edge_ptf.package.manifest import Manifest

KNOWN_LICENCES = {"minilm-l6": "Apache-2.0", "sentence-transformers/all-MiniLM-L6-v2": "Apache-2.0"}


def model_card(manifest: Manifest) -> str:
    """Markdown with the front matter that model hubs read."""
    head, graph = manifest.head, manifest.graph
    labels = ", ".join(head.labels[:12]) + (f", … ({len(head.labels)} in all)" if len(head.labels) > 12 else "")
    layers = ", ".join(f"{layer.num_heads} heads / {layer.intermediate_size} neurons" for layer in graph.layers)
    scheme = graph.scheme
    form = (
        scheme.precision.upper()
        if scheme.precision != "int8"
        else f"INT8, {scheme.mode}, activations {scheme.activation}, weights {scheme.weight}"
        + (", per channel" if scheme.per_channel else "")
        + ("" if scheme.non_int8_dtype == "fp32" else f", the rest {scheme.non_int8_dtype.upper()}")
    )
    task = tasks.create(head)
    settings = "".join(f"- {title.capitalize()}: {value}\n" for title, value in task.head.settings().items())
    steps = "\n".join(f"{number}. {step.stage}" for number, step in enumerate(manifest.lineage.steps, 1))
    return f"""---
library_name: onnx
pipeline_tag: {task.pipeline_tag}
base_model: {json.dumps(manifest.lineage.base_model, ensure_ascii=False)}
tags: [edge-ptf, onnx]
---

# {manifest.name}

An encoder for {head.task}, made from `{manifest.lineage.base_model}` by edge-ptf.

- Labels: {labels}
{settings}- Layers: {layers or "as in the base model"}
- Form: {form}; ONNX opset {graph.opset}
- Longest text: {manifest.tokenizer.max_length} tokens, longer texts are cut
- Training data: fingerprint `{manifest.lineage.data[:16]}…`

## How it was made

{steps}

Every option of every step is in `manifest.json` under `lineage`.

## Use and limits

It answers texts like those it was trained on, in the same language. It was judged on the test split of that data only;
what was measured, on which machine and with which certainty is in `evidence/` and `verdict.json` once the package is
sealed. Try it on your own texts before you rely on it.
"""


def licence_notes(manifest: Manifest, licence: str) -> str:
    """Whose work is inside."""
    base = manifest.lineage.base_model
    known = licence or KNOWN_LICENCES.get(base, "")
    said = known or "not stated when this package was made; look it up before you pass the package on"
    return (
        f"Base model: {base}\nLicence of the base model: {said}\n\n"
        "The weights in model.onnx are derived from the base model. The labels come from the training data, whose\n"
        "owner decides about its use. edge-ptf itself is under the Apache License 2.0 and no part of it is in here.\n"
    )


def bill_of_materials(manifest: Manifest, model: bytes, licence: str) -> bytes:
    """CycloneDX 1.6 with the model, what it was made from, and the tools."""
    base = manifest.lineage.base_model
    known = licence or KNOWN_LICENCES.get(base, "")
    parent: dict[str, Any] = {"type": "machine-learning-model", "bom-ref": "base-model", "name": base}
    if known:
        parent["licenses"] = [{"license": {"name": known}}]
    components = [
        parent,
        {
            "type": "data",
            "bom-ref": "training-data",
            "name": "labelled text",
            "hashes": [{"alg": "SHA-256", "content": manifest.lineage.data}],
        },
        *(
            {"type": "library", "bom-ref": f"tool-{name}", "name": name, "version": version, "scope": "excluded"}
            for name, version in sorted(manifest.lineage.tools.items())
        ),
    ]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "machine-learning-model",
                "bom-ref": "model",
                "name": manifest.name,
                "hashes": [{"alg": "SHA-256", "content": bytes_digest(model)}],
                "modelCard": {"modelParameters": {"task": manifest.head.task}},
            }
        },
        "components": components,
        "dependencies": [{"ref": "model", "dependsOn": ["base-model", "training-data"]}],
    }
    serial = value_digest(document)
    uuid = f"{serial[:8]}-{serial[8:12]}-5{serial[13:16]}-8{serial[17:20]}-{serial[20:32]}"
    return json.dumps({**document, "serialNumber": f"urn:uuid:{uuid}"}, indent=1, sort_keys=True).encode()
