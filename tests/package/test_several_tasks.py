"""Several tasks on one encoder, from the teacher to the answers of the package."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from edge_ptf import models, profiles, tasks
from edge_ptf.bench import EvaluateConfig, evaluate
from edge_ptf.compression import PruneConfig
from edge_ptf.compression.pruning import prune
from edge_ptf.data.dataset import LabelledData
from edge_ptf.gate import gate
from edge_ptf.graph import ExportConfig, QuantizeConfig, export, quantize
from edge_ptf.models.checkpoint import Checkpoint, load_base_model, load_model, load_tokenizer, open_checkpoint
from edge_ptf.package import AssembleConfig, Payload, assemble, open_payload, unpack, verify
from edge_ptf.package.golden import golden_cases
from edge_ptf.profiles import Targets
from edge_ptf.progress import Silent
from edge_ptf.runtime import Runner
from edge_ptf.runtime.checkpoint import CheckpointRunner
from edge_ptf.runtime.native import NativeRunner, find_library, load_library
from edge_ptf.training import DistillConfig, FinetuneConfig, distill, finetune

SEVERAL = "intent=text-classification,slots=token-classification"
TEXT = "turn on the light in kitchen"


@pytest.fixture(scope="module")
def data(tiny_data: Callable[..., LabelledData]) -> LabelledData:
    """Both labels; the first text of each split has no tags, and the second one no intent."""
    whole = tiny_data(SEVERAL)

    def some(examples: tuple[Any, ...]) -> tuple[Any, ...]:
        first, second, *rest = examples
        return (replace(first, label=(first.label[0], None)), replace(second, label=(None, second.label[1])), *rest)

    return replace(
        whole, train=some(whole.train), validation=some(whole.validation), test=some(whole.test), fingerprint="several"
    )


@pytest.fixture(scope="module")
def teacher(tiny_teacher: Callable[..., Checkpoint]) -> Checkpoint:
    return tiny_teacher("bert", SEVERAL)


@pytest.fixture(scope="module")
def student(teacher: Checkpoint, data: LabelledData, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    out = tmp_path_factory.mktemp("student")
    sizes = PruneConfig(num_layers=2, num_heads=0.5, intermediate_size=0.5, hidden_size=24, vocabulary=True)
    small = prune(teacher, data, sizes, out / "pruned")
    config = DistillConfig(epochs=2, batch_size=4, learning_rate=5e-3, label_weight=0.5, precision="fp32")
    return distill(teacher, small, data, config, out / "taught")


@pytest.fixture(scope="module")
def payloads(
    teacher: Checkpoint, student: Checkpoint, data: LabelledData, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Payload, Payload]:
    """The teacher in FP32, and the student in INT8."""
    out = tmp_path_factory.mktemp("payloads")
    full = assemble(export(teacher, data, ExportConfig(), out / "full"), data, AssembleConfig(), out / "teacher")
    graph = export(student, data, ExportConfig(), out / "graph")
    small = quantize(graph, data, QuantizeConfig(mode="dynamic", embeddings="int8"), out / "int8")
    return full, assemble(small, data, AssembleConfig(), out / "package", baseline=full)


@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta"])
def test_each_head_computes_what_it_computes_in_a_model_of_its_own(
    tiny_teacher: Callable[..., Checkpoint], family: str
) -> None:
    checkpoint = tiny_teacher(family, SEVERAL)
    model, tokenizer = load_model(checkpoint), load_tokenizer(checkpoint.path)
    batch = dict(tokenizer([TEXT, "play"], padding=True, return_tensors="pt"))
    batch = {name: batch[name] for name in ("input_ids", "attention_mask")}
    with torch.no_grad():
        found = model(**batch).logits
        for name, part in zip(("intent", "slots"), model.heads, strict=True):
            alone = type(part)(part.config).eval()
            setattr(alone, alone.base_model_prefix, models.encoder(model))
            alone.load_state_dict(part.state_dict(), strict=False)
            torch.testing.assert_close(found[name], alone(**batch).logits)


def test_the_encoder_of_a_checkpoint_opens_with_plain_transformers(teacher: Checkpoint) -> None:
    from transformers import AutoModel

    plain, found = AutoModel.from_pretrained(teacher.path, output_loading_info=True)
    assert not found["missing_keys"]
    ours = models.encoder(load_model(teacher))
    torch.testing.assert_close(plain.state_dict(), ours.state_dict())
    assert open_checkpoint(teacher.path).info.head.task == SEVERAL


def test_pruning_narrows_the_input_of_every_head(student: Checkpoint) -> None:
    model = load_model(student)
    assert models.hidden_size(model) == 24
    intent, slots = model.heads
    assert models.encoder(model).pooler.dense.in_features == 24
    assert intent.classifier.in_features == models.encoder(model).pooler.dense.out_features == 32
    assert slots.classifier.in_features == 24


def test_the_package_has_a_head_and_an_output_for_each_task(payloads: tuple[Payload, Payload]) -> None:
    for payload in payloads:
        manifest = payload.manifest
        assert [(head.name, head.task, head.logits.tensor) for head in manifest.heads] == [
            ("intent", "text-classification", "intent.logits"),
            ("slots", "token-classification", "slots.logits"),
        ]
        assert manifest.head.task == SEVERAL
        outputs = onnx.load_model_from_string(payload.model()).graph.output
        assert [output.name for output in outputs] == ["intent.logits", "slots.logits"]
        notes = json.loads(payload.read("config.json"))["edge_ptf"]["heads"]
        assert {name: note["output"] for name, note in notes.items()} == {
            "intent": "intent.logits",
            "slots": "slots.logits",
        }
        assert "slots.B-room" in payload.read("labels.txt").decode().split("\n")
        for case in golden_cases(payload.read("golden.jsonl")):
            assert set(case.outputs) == {"intent.logits", "slots.logits"}
            assert set(case.answers) == {"intent", "slots"}
        assert verify(payload.path).golden == manifest.golden.count


def test_the_facts_of_the_package_name_the_head(payloads: tuple[Payload, Payload]) -> None:
    (facts,) = (step.facts for step in payloads[0].manifest.lineage.steps if step.stage == "assemble")
    assert set(facts["heads"]) == {"intent"}  # the scores of tags have no temperature
    assert facts["heads"]["intent"]["temperature"] > 0


def test_a_manifest_lists_the_heads_of_single_tasks(payloads: tuple[Payload, Payload], tmp_path: Path) -> None:
    from edge_ptf.errors import PackageError

    folder = unpack(payloads[0], tmp_path / "package")
    document = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    whole = payloads[0].manifest.head.model_dump(mode="json")
    whole["outputs"] = document["heads"][0]["outputs"]
    document["heads"] = [{**whole, "graph": "main"}]
    (folder / "manifest.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(PackageError, match="is not that of one task"):
        open_payload(folder)


def test_a_wrong_output_of_any_head_fails_the_golden_vectors(payloads: tuple[Payload, Payload], tmp_path: Path) -> None:
    from edge_ptf.errors import VerificationError
    from edge_ptf.package.payload import write_payload

    payload = payloads[0]
    files = {entry.path: payload.read(entry.path) for entry in payload.manifest.files}
    lines = [json.loads(line) for line in files["golden.jsonl"].decode().splitlines()]
    lines[3]["outputs"]["slots.logits"][0][0] += 5
    files["golden.jsonl"] = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
    with pytest.raises(VerificationError, match=r"golden text 4: the output 'slots.logits' is off"):
        verify(write_payload(payload.manifest, files, tmp_path / "wrong.eptf").path)


def test_the_package_answers_as_its_checkpoint(
    payloads: tuple[Payload, Payload], teacher: Checkpoint, data: LabelledData
) -> None:
    package, checkpoint = Runner(payloads[0]), CheckpointRunner(teacher)
    runs, run = list[int](), package.session.run
    package.session.run = lambda feeds: runs.append(1) or run(feeds)  # type: ignore[method-assign,func-returns-value]
    package.answer(TEXT)
    assert len(runs) == 1  # one pass of the encoder answers all tasks
    for example in data.test:
        found, wanted = package.answer(example.text), checkpoint.answer(example.text)
        assert found.label == wanted.label
        assert found.scores[1] == pytest.approx(wanted.scores[1], abs=1e-4)
        assert list(found.details) == ["intent", "slots"]


def test_the_runner_answers_as_python_in_one_pass(payloads: tuple[Payload, Payload], data: LabelledData) -> None:
    if find_library() is None:
        pytest.skip("the C++ runner is not built: make runner")
    for payload in payloads:
        python = Runner(payload)
        with NativeRunner(payload.path, 1, load_library()) as native:
            assert native.selftest().golden == payload.manifest.golden.count
            for example in (*data.test, *data.train):
                wanted, found = python.answer(example.text), native.answer(example.text)
                assert (found.label, found.rankings) == (wanted.label, wanted.rankings)
                np.testing.assert_allclose(found.scores, wanted.scores, atol=1e-6)
                assert found.details["slots"]["entities"] == [
                    {**entity, "score": pytest.approx(entity["score"], abs=1e-6)}
                    for entity in wanted.details["slots"]["entities"]
                ]
                for head, own in enumerate(python.logits(python.encode(example.text)).values()):
                    np.testing.assert_allclose(native.output("logits", head), own, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("runtime", ["python", "runner"])
def test_the_gate_judges_the_metrics_of_every_task(
    payloads: tuple[Payload, Payload], data: LabelledData, tmp_path: Path, runtime: Any
) -> None:
    if runtime == "runner" and find_library() is None:
        pytest.skip("the C++ runner is not built: make runner")
    full, small = payloads
    before = evaluate(full, data, EvaluateConfig(runtime=runtime), tmp_path / "before")
    after = evaluate(small, data, EvaluateConfig(runtime=runtime), tmp_path / "after")
    assert {"intent.accuracy", "slots.entity_f1"} <= set(after.metrics)
    assert after.rows[0].reference[1] is None  # type: ignore[index]
    assert len(after.rows[0].scores) == 2
    assert type(after).model_validate_json(after.model_dump_json()) == after
    assert sum(row["support"] for row in after.class_report if row["name"].startswith("intent.")) == len(data.test) - 1
    targets = Targets(max_drop={"intent.accuracy": 100.0, "slots.entity_f1": 100.0}, min_score={"slots.entity_f1": 1.0})
    verdict = gate(small, [after], [before], profiles.load("x86-generic"), targets)
    judged = {target.target: target for target in verdict.target_verdicts}
    assert {"max_drop.intent.accuracy", "max_drop.slots.entity_f1", "min_score.slots.entity_f1"} <= set(judged)
    assert judged["max_drop.slots.entity_f1"].title.startswith("slots entity F1, drop")
    assert judged["max_drop.intent.accuracy"].value == pytest.approx(
        before.metrics["intent.accuracy"] - after.metrics["intent.accuracy"], abs=0.01
    )


def test_the_code_of_the_card_gives_the_logits_of_every_head(payloads: tuple[Payload, Payload], tmp_path: Path) -> None:
    import onnxruntime
    from transformers import AutoTokenizer

    folder = unpack(payloads[0], tmp_path / "package")
    card = (folder / "README.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {
        "tokenizer": AutoTokenizer.from_pretrained(folder),
        "session": onnxruntime.InferenceSession(folder / "model.onnx"),
        "text": TEXT,
    }
    exec(card.split("```python\n")[1].split("```", maxsplit=1)[0], names)
    runner = Runner(payloads[0])
    wanted = runner.logits(runner.encode(TEXT))
    for name in ("intent", "slots"):
        np.testing.assert_allclose(names[f"{name}_logits"], wanted[name], rtol=1e-5, atol=1e-6)
    assert "Output for `slots`: `slots.logits`, float32 [batch, token, label]" in card


@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta", "electra"])
def test_hidden_dimensions_can_be_pruned_with_any_heads(
    tiny_base: Callable[[str], Path], data: LabelledData, family: str
) -> None:
    head = tasks.create(tasks.get(SEVERAL).spec_for(data.labels))
    model = load_base_model(tiny_base(family), head).eval()
    batch = {"input_ids": torch.tensor([[2, 7, 8, 9, 3]]), "attention_mask": torch.ones(1, 5, dtype=torch.long)}
    with torch.no_grad():
        whole = {name: logits.shape for name, logits in model(**batch).logits.items()}
        models.keep_hidden(model, range(24))
        narrow = {name: logits.shape for name, logits in model(**batch).logits.items()}
    assert whole == narrow == {"intent": (1, 4), "slots": (1, 5, 9)}
    assert models.hidden_size(model) == 24


def test_a_killed_training_goes_on_to_the_same_bytes(
    tiny_base: Callable[[str], Path], data: LabelledData, tmp_path: Path
) -> None:
    class Killed(Exception):
        pass

    class Interrupted(Silent):
        steps = 9  # in the second epoch

        def advance(self, steps: int = 1, note: str = "") -> None:
            self.steps -= steps
            if self.steps < 0:
                raise Killed

    task = tasks.create(tasks.get(SEVERAL).spec_for(data.labels))
    config = FinetuneConfig(epochs=2, batch_size=4, max_length=32, precision="fp32", sampling_temperature=2)
    run = partial(finetune, tiny_base("bert"), "tiny", data, task, config)
    with pytest.raises(Killed):
        run(tmp_path / "out", progress=Interrupted())
    assert run(tmp_path / "out").digest == run(tmp_path / "whole").digest
