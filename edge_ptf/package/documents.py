"""The papers of a package: model card, licence notes, bill of materials. No measurements: those are evidence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from edge_ptf import tasks
from edge_ptf.digests import bytes_digest, value_digest
from edge_ptf.heads import Head
from edge_ptf.package.manifest import HeadEntry, Manifest, TokenizerEntry

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
    removed = {"right": "end", "left": "beginning"}[manifest.tokenizer.truncation_side]
    steps = "\n".join(f"{number}. {step.stage}" for number, step in enumerate(manifest.lineage.steps, 1))
    return f"""---
library_name: onnx
pipeline_tag: {task.pipeline_tag}
base_model: {json.dumps(manifest.lineage.base_model, ensure_ascii=False)}
tags: [edge-ptf, onnx]
---

# {manifest.name}

An encoder for {head.task}, made from `{manifest.lineage.base_model}` by edge-ptf.

- {_answer_line(task.head, labels)}
{settings}- Layers: {layers or "as in the base model"}
- Form: {form}; ONNX opset {graph.opset}
- Longest text: {manifest.tokenizer.max_length} tokens; of longer texts the {removed} is removed
- Training data: fingerprint `{manifest.lineage.data[:16]}…`

## How it was made

{steps}

Every option of every step is in `manifest.json` under `lineage`.

{_plain_onnx(manifest, task.head)}
## Use and limits

It answers texts like those it was trained on, in the same language. It was judged on the test split of that data only;
what was measured, on which machine and with which certainty is in `evidence/` and `verdict.json` once the package is
sealed, with every sample in the `.samples.zip` beside it. Try it on your own texts before you rely on it.
"""


def _answer_line(head: Head, labels: str) -> str:
    """What an answer is."""
    if head.answers_a_vector:
        return "Answer: a vector"
    if head.answers_with_text:
        return f"Columns of the logits: {labels}"
    return f"{'Answer: a number, named' if head.answers_a_number else 'Labels:'} {labels}"


def config_note(heads: Sequence[HeadEntry], tokenizer: TokenizerEntry) -> dict[str, Any]:
    """The key `edge_ptf` of `config.json`: what a program that loads the folder needs beside graph and tokenizer.

    `transformers` and Optimum keep unknown keys: it is `model.config.edge_ptf` there. Several heads are under `heads`,
    by name, with their labels and the name of their output.
    """
    common = {
        "max_length": tokenizer.max_length,
        "truncation": tokenizer.truncation,
        "truncation_side": tokenizer.truncation_side,
        "text_pairs": heads[0].text_pairs,
    }
    notes = {head.name: {"task": head.task, "kind": head.kind, "options": head.options} for head in heads}
    if len(heads) == 1:
        return {**notes[heads[0].name], **common}
    outputs = {head.name: {"output": head.logits.tensor, "labels": head.labels} for head in heads}
    return {"heads": {name: {**note, **outputs[name]} for name, note in notes.items()}, **common}


def _plain_onnx(manifest: Manifest, head: Head) -> str:
    """The section for people who run `model.onnx` with another program: inputs, and from logits to an answer."""
    graph, tokenizer, paired = manifest.graph, manifest.tokenizer, manifest.heads[0].text_pairs
    inputs = ", ".join(f"`{item.name}`" for item in graph.inputs)
    truncation = "True" if tokenizer.truncation == "longest_first" else repr(tokenizer.truncation)
    texts = "text, text_pair" if paired else "text"
    pair = (
        "- It answers pairs. `text` comes first and `text_pair` second, as in the training data. In the other order a "
        "pair gets another answer.\n"
        if paired
        else ""
    )
    longest = tokenizer.max_length
    reading = f"""batch = tokenizer({texts}, truncation={truncation}, max_length={longest}, return_tensors="np")
inputs = {{item.name: batch[item.name].astype("int64") for item in session.get_inputs()}}
{_reading(head)}"""
    if head.stride is not None:
        reading = f"""batch = tokenizer(
    {texts}, truncation="only_second", max_length={longest}, stride={head.stride},
    return_overflowing_tokens=True, return_offsets_mapping=True,
)
windows = [
    {{item.name: np.array([batch[item.name][number]], "int64") for item in session.get_inputs()}}
    for number in range(len(batch["input_ids"]))
]
logits = [session.run(["{head.spec.logits.tensor}"], inputs)[0][0] for inputs in windows]"""
    rules = "\n".join(f"- {rule}" for rule in head.rules())
    return f"""## The ONNX file without edge-ptf

`edge-ptf predict` and the C++ runner do all of this. A program that runs `{graph.file}` itself does it so:

```python
{reading}
```

Here `tokenizer` is `AutoTokenizer.from_pretrained(folder)`, and `session` is an `onnxruntime.InferenceSession`.

{pair}- Inputs: {inputs}, each int64 [batch, length]. Give one text in a call, without padding.
{_outputs(head)}
{rules}
- The logits need no temperature and no other correction: what edge-ptf added to them is part of the graph.
- `config.json` holds these settings under `edge_ptf`. With Optimum they are `model.config.edge_ptf`.
"""


def _reading(head: Head) -> str:
    """The line that runs the graph."""
    if len(head.parts) == 1:
        return f'logits = session.run(["{head.tensors[0]}"], inputs)[0][0]'
    names, tensors = (", ".join(parts) for parts in ([_variable(part) for part in head.parts], map(repr, head.tensors)))
    return f"{names} = (each[0] for each in session.run([{tensors}], inputs))"


def _variable(part: Head) -> str:
    return f"{part.spec.name.replace('-', '_')}_logits"


def _outputs(head: Head) -> str:
    """The outputs, and where the names of their labels are."""
    order = "The order of the labels is that of `labels.txt`."
    if len(head.parts) == 1:
        return f"- Output: `{head.tensors[0]}`, float32 [{', '.join(head.spec.logits.axes)}]. {order}"
    return "\n".join(
        f"- Output for `{part.spec.name}`: `{part.spec.logits.tensor}`, float32 [{', '.join(part.spec.logits.axes)}]. "
        f"The order of the labels is that of `edge_ptf.heads.{part.spec.name}.labels` in `config.json`."
        for part in head.parts
    )


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
