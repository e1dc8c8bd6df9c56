"""Packages and checkpoints for other programs, with our answers: `python -m tests.interop.packages FOLDER [CASE…]`.

Models are tiny and random, tokenizers are real. `tests/interop/others.py` loads them in an environment of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch

from edge_ptf import models, tasks
from edge_ptf.graph import ExportConfig, QuantizeConfig, export, quantize
from edge_ptf.heads.span import best_span
from edge_ptf.models.checkpoint import Checkpoint, fresh_info, load_base_model, load_tokenizer, save_checkpoint
from edge_ptf.models.sentence_models import with_vectors
from edge_ptf.package import AssembleConfig, assemble, open_payload
from edge_ptf.runtime import Runner
from edge_ptf.training.vocabulary import add_tokens
from tests import conftest

TEXTS = (
    "turn on the lights",
    "turn off the light in the kitchen and the bedroom please now",
    "play some jazz music",
    "unplayable playing lighter",
    "Turn ON the LIGHTS, please!",
    "what is the weather today and tomorrow",
    "x",
    "turn on " * 60,
)
MIXED_HEADS = ((0, 2), (1,), (0, 1, 2, 3))
"""The attention heads that each layer keeps in a model of the structure "mixed"."""


@dataclass(frozen=True, slots=True)
class Case:
    """One package. The structure is that of the base model (whole), has fewer layers of one narrower width (alike), or
    layers of several widths (mixed), which no model of transformers has."""

    name: str
    family: str = "bert"
    task: str = "text-classification"
    mode: str = "none"
    paired: bool = False
    scope: str | None = None
    side: str = "right"
    structure: Literal["whole", "alike", "mixed"] = "whole"


CASES = (
    *(Case(f"text-{family}", family) for family in ("bert", "distilbert", "roberta", "xlm-roberta", "electra")),
    Case("text-int8", mode="dynamic"),
    Case("text-pairs", paired=True),
    Case("text-pairs-roberta", "roberta", paired=True),
    Case("text-scope", scope="none"),
    Case("text-scope-int8", mode="dynamic", scope="none"),
    Case("text-alike", structure="alike"),
    Case("text-mixed", structure="mixed", mode="dynamic"),
    Case("sentences", task="sentence-pair-classification", paired=True),
    Case("sentences-int8", task="sentence-pair-classification", mode="dynamic", paired=True),
    Case("labels", task="multi-label-classification"),
    Case("labels-int8", task="multi-label-classification", mode="dynamic"),
    Case("numbers", task="regression"),
    Case("numbers-int8", task="regression", mode="dynamic", paired=True),
    Case("relations", task="relation-extraction"),
    Case("relations-int8", task="relation-extraction", mode="dynamic"),
    Case("triples", task="entities-and-relations"),
    Case("triples-int8", task="entities-and-relations", mode="dynamic"),
    Case("questions", task="question-answering", paired=True),
    Case("questions-roberta", "roberta", "question-answering", paired=True),
    Case("questions-int8", task="question-answering", mode="dynamic", paired=True),
    Case("vectors", task="sentence-embedding"),
    Case("vectors-int8", task="sentence-embedding", mode="dynamic", paired=True),
    Case("prototypes", task="prototype-classification"),
    Case("prototypes-int8", task="prototype-classification", mode="dynamic"),
    Case("tokens", task="token-classification"),
    Case("tokens-roberta", "roberta", "token-classification"),
    Case("tokens-left", task="token-classification", side="left"),
    Case("tokens-int8", task="token-classification", mode="dynamic"),
)


def main() -> None:
    """Writes all cases, or those that are named; what each folder must answer stands in `answers.json`."""
    out, names = Path(sys.argv[1]), sys.argv[2:]
    torch.set_num_threads(1)
    for case in CASES:
        if names and case.name not in names:
            continue
        folder = out / case.name
        folder.mkdir(parents=True)
        _make(case, folder)
        print(f"{case.name}: made", flush=True)


def _make(case: Case, folder: Path) -> None:
    data = _data(case)
    base = conftest.set_truncation_side(conftest.build_base(case.family, _made(folder / "base")), case.side)
    checkpoint = _checkpoint(case, base, data, folder / "checkpoint")
    graph = export(checkpoint, data, ExportConfig(), folder / "fp32")
    if case.mode != "none":
        graph = quantize(graph, data, QuantizeConfig.model_validate({"mode": case.mode}), folder / "int8")
    if case.scope:
        data = _out_of_scope(Runner(assemble(graph, data, AssembleConfig(), folder / "untuned")), data, case.scope)
    if case.task == "question-answering" and case.mode != "none":
        data = _half_answered(Runner(assemble(graph, data, AssembleConfig(), folder / "untuned")), data)
    exact = case.mode == "none"  # its checkpoint is compared too, and a checkpoint has no temperature
    payload = assemble(graph, data, AssembleConfig(name=case.name, tune_temperature=not exact), folder / "payload")
    command = ("inspect", str(payload.path), "--unpack", str(folder / "package"))
    subprocess.run([sys.executable, "-m", "edge_ptf", *command], check=True, stdout=subprocess.DEVNULL)
    answers = {
        "task": case.task,
        "structure": case.structure,
        "exact": exact,
        "rows": _rows(Runner(open_payload(folder / "package")), case.paired),
    }
    if case.task == "question-answering" and case.mode != "none" and all(row["label"] for row in answers["rows"]):
        raise SystemExit(f"{case.name}: the threshold decides nothing")
    if case.scope and len({row["label"] == case.scope for row in answers["rows"]}) < 2:
        raise SystemExit(f"{case.name}: the threshold decides nothing")
    (folder / "answers.json").write_text(json.dumps(answers, ensure_ascii=False), encoding="utf-8")


def _data(case: Case) -> Any:
    """Data of three classes; several labels for each text in multi-label classification; in FP32 every question has an
    answer."""
    if case.task == "question-answering" and case.mode == "none":
        data = conftest.labelled(case.task)
        rows = tuple(row for row in data.train if row.label)
        return replace(data, train=rows, validation=rows, test=rows)
    if case.task != "multi-label-classification":
        return conftest.labelled(case.task, paired=case.paired)
    data = conftest.labelled()
    rows = tuple(replace(row, label=("a", "b", "c")[number % 3 :]) for number, row in enumerate(data.train))
    return replace(data, train=rows, validation=rows, test=rows)


def _out_of_scope(runner: Runner, data: Any, scope: str) -> Any:
    """The data with the answers as labels; the half with the lower scores is out of scope. So a threshold is chosen."""
    found = [runner.answer(row.text) for row in data.validation]
    middle = sorted(each.score for each in found)[len(found) // 2]
    rows = tuple(
        replace(row, label=scope if each.score < middle else each.label)
        for row, each in zip(data.validation, found, strict=True)
    )
    return replace(data, validation=rows)


def _half_answered(runner: Runner, data: Any) -> Any:
    """The data with the model's best answers as labels; the half with the lower scores has none. So a threshold is
    chosen."""
    found = []
    for row in data.validation:
        encoding = runner.encode(row.text, row.text_pair)
        best = best_span(runner.logits(encoding), encoding, runner.task.head.options.max_answer_tokens)
        assert best is not None
        place = encoding.places[best.first][0], encoding.places[best.last][1]
        found.append((best.score - best.none, place))
    middle = sorted(score for score, _ in found)[len(found) // 2]
    rows = tuple(
        replace(row, label=(row.text_pair[slice(*place)],) if score >= middle else (), spans=())
        for row, (score, place) in zip(data.validation, found, strict=True)
    )
    return replace(data, validation=rows)


def _checkpoint(case: Case, base: Path, data: Any, out: Path) -> Checkpoint:
    """A random model whose answers differ between texts, with its parts removed."""
    task = tasks.create(tasks.get(case.task).spec_for(data.labels, case.scope)).fitted(data.train)
    task = with_vectors(base, task, None, ())
    torch.manual_seed(0)
    model, tokenizer = load_base_model(base, task).eval(), load_tokenizer(base)
    add_tokens(tokenizer, model, task.head.added_tokens)
    if case.structure == "alike":
        models.keep_layers(model, (0, 2))
        for part in models.parts(model):
            models.slice_layer(part, range(part.num_heads), range(24))
    if case.structure == "mixed":
        for part, heads in zip(models.parts(model), MIXED_HEADS, strict=True):
            models.slice_layer(part, heads, range(part.intermediate_size))
    count = len(task.head.spec.labels)
    head = [item for item in model.modules() if getattr(item, "out_features", 0) == count][-1]
    head.weight.data.mul_(100)
    with torch.no_grad():
        logits = model(**tokenizer(list(conftest.PAYLOAD_TEXTS), padding=True, return_tensors="pt")).logits
        head.bias -= logits.reshape(-1, count).mean(0)
    return save_checkpoint(model, tokenizer, fresh_info(model, task, "tiny", 64), out)


def _rows(runner: Runner, paired: bool) -> list[dict[str, Any]]:
    rows = []
    for number, plain in enumerate(TEXTS):
        text, pair = runner.task.sample_text(plain), TEXTS[number - 1] if paired else None
        found = runner.answer(text, pair)
        label = list(found.label) if isinstance(found.label, tuple) else found.label
        rows.append({"text": text, "pair": pair, "label": label, "score": found.score})
    return rows


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


if __name__ == "__main__":
    main()
