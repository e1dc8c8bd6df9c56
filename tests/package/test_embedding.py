"""Vectors from a table to a package: training, pruning, distillation, INT8, the gate, and both runners."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from tokenizers import Tokenizer

from edge_ptf import profiles, tasks
from edge_ptf.bench import EvaluateConfig, evaluate
from edge_ptf.compression import PruneConfig
from edge_ptf.compression.pruning import prune
from edge_ptf.data import LabelledData, load
from edge_ptf.gate import gate
from edge_ptf.graph import ExportConfig, QuantizeConfig, export, quantize
from edge_ptf.heads import Pooling
from edge_ptf.models.checkpoint import Checkpoint
from edge_ptf.models.sentence_models import with_vectors
from edge_ptf.package import AssembleConfig, assemble
from edge_ptf.profiles import Targets
from edge_ptf.runtime import Runner
from edge_ptf.runtime.native import NativeRunner, find_library, load_library
from edge_ptf.tasks.sentence_embedding import SentenceEmbedding
from edge_ptf.training import DistillConfig, FinetuneConfig, distill, finetune
from tests.cli.test_embedding import NEAR, TOPICS

SIZES = {"train": 60, "validation": 32, "test": 32}


def like_pair(number: int, split: str) -> str:
    texts = list(TOPICS.values())[number % 4]
    return f"{texts[number % 3]} {split} {number},{texts[(number + 1) % 3]} {number}"


def text_and_topic(number: int, split: str) -> str:
    name, texts = list(TOPICS.items())[number % 4]
    return f"{texts[(number // 4) % 3]} {split} {number},{name}"


def trained(
    base: Path, folder: Path, head: str, row: Callable[[int, str], str], pooling: Pooling
) -> tuple[LabelledData, Checkpoint]:
    """Data with these rows, and a model that learned from them."""
    for split, count in SIZES.items():
        rows = "\n".join([head, *(row(number, split) for number in range(count))])
        (folder / f"{split}.csv").write_text(f"{rows}\n", encoding="utf-8")
    data = load(str(folder), SentenceEmbedding)
    config = FinetuneConfig(epochs=3, learning_rate=0.005, max_length=32, precision="fp32", pooling=pooling)
    task = with_vectors(base, tasks.create(SentenceEmbedding.spec_for(data.labels)), pooling, ())
    return data, finetune(base, "tiny", data, task, config, folder / "teacher")


@pytest.mark.slow
def test_texts_of_a_class_are_learned_and_judged_by_search(tiny_base: Callable[[str], Path], tmp_path: Path) -> None:
    data, teacher = trained(tiny_base("distilbert"), tmp_path, "text,label", text_and_topic, "first")
    pruned = prune(teacher, data, PruneConfig(num_layers=2, intermediate_size=(32,)), tmp_path / "pruned")
    lessons = DistillConfig(epochs=1, learning_rate=0.005, spliced_texts=0.2, precision="fp32")
    student = distill(teacher, pruned, data, lessons, tmp_path / "student")
    whole = export(teacher, data, ExportConfig(), tmp_path / "whole")
    small = export(student, data, ExportConfig(), tmp_path / "small")
    int8 = quantize(small, data, QuantizeConfig(), tmp_path / "int8")
    baseline = assemble(whole, data, AssembleConfig(name="baseline"), tmp_path / "baseline")
    payload = assemble(int8, data, AssembleConfig(name="package", dimensions=16), tmp_path / "package")
    before = evaluate(baseline, data, EvaluateConfig(), tmp_path / "before")
    after = evaluate(payload, data, EvaluateConfig(), tmp_path / "after")
    assert payload.manifest.head.options["pooling"] == "first"
    assert after.metrics["recall_at_1"] > 50
    assert all(len(row.label) == 16 and isinstance(row.reference, str) for row in after.rows)
    limits = Targets(max_drop={"recall_at_1": 60.0}, min_score={"recall_at_10": 20.0})
    verdict = gate(payload, [after], [before], profiles.load("x86-generic"), limits)
    units = {each.target: each.unit for each in verdict.target_verdicts}
    assert units["max_drop.recall_at_1"] == "points" and "min_score.recall_at_10" in units


@pytest.mark.slow
def test_pairs_of_like_texts_are_learned_and_judged_by_search(tiny_base: Callable[[str], Path], tmp_path: Path) -> None:
    data, teacher = trained(tiny_base("bert"), tmp_path, "anchor,positive", like_pair, "mean")
    graph = export(teacher, data, ExportConfig(), tmp_path / "graph")
    payload = assemble(graph, data, AssembleConfig(name="package"), tmp_path / "package")
    found = evaluate(payload, data, EvaluateConfig(), tmp_path / "answers")
    assert set(found.metrics) == {"recall_at_1", "recall_at_10"} and found.metrics["recall_at_1"] > 20
    assert all(len(row.label) == 64 and len(row.reference) == 2 for row in found.rows)
    if find_library() is not None:
        text, pair = TOPICS["light"][:2]
        with NativeRunner(payload.path, 1, load_library()) as native:
            one, other = Runner(payload).answer(text, pair), native.answer(text, pair)
        assert other.label == pytest.approx(one.label, abs=NEAR) and other.score == pytest.approx(one.score, abs=NEAR)


def test_a_package_is_used_with_onnxruntime_and_tokenizers_alone(make_payload: Callable) -> None:
    payload = make_payload(kind="sentence-embedding", mode="dynamic")
    session = onnxruntime.InferenceSession(payload.read("model.onnx"), providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_str(payload.read("tokenizer.json").decode())
    runner = Runner(payload)
    for text in ("turn on the lights", "x", "play some jazz music please"):
        encoding = tokenizer.encode(text)
        values = {
            "input_ids": encoding.ids,
            "attention_mask": encoding.attention_mask,
            "token_type_ids": encoding.type_ids,
        }
        feeds = {item.name: np.asarray([values[item.name]], np.int64) for item in session.get_inputs()}
        vector = session.run(None, feeds)[0][0]
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
        assert runner.answer(text).label == pytest.approx(vector.tolist(), abs=1e-6)
    assert "Answer: a vector" in payload.read("README.md").decode()
