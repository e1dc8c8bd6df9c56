"""A model that was fine-tuned with transformers enters the stages and the whole job."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_ptf.package import open_payload
from edge_ptf.runtime import Runner

LABELS = ("timer", "music", "light")  # not in alphabetic order
QUICK = (
    *("--set", "distill.epochs=1", "--set", "distill.spliced_texts=0", "--set", "prune.num_layers=2"),
    *("--set", "bench.launches=5", "--set", "bench.calls=100", "--set", "bench.seconds=0"),
    *("--set", "bench.memory_launches=2", "--set", "prune.vocabulary=false"),
)


@pytest.fixture
def plain(tiny_base: Callable[[str], Path], tmp_path: Path) -> Path:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    torch.manual_seed(0)
    names = dict(enumerate(LABELS))
    ids = {label: number for number, label in names.items()}
    base, out = tiny_base("bert"), tmp_path / "my-finetuned"
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=3, id2label=names, label2id=ids)
    model.save_pretrained(out)
    AutoTokenizer.from_pretrained(base).save_pretrained(out)
    return out


def test_a_stage_takes_it_as_a_checkpoint(run: Callable, plain: Path, csv_data: Path, tmp_path: Path) -> None:
    done = run("export", "--checkpoint", plain, "--data", csv_data, "--out", "onnx")
    assert done.returncode == 0, done.stderr
    info = json.loads((tmp_path / "onnx" / "graph.json").read_text(encoding="utf-8"))
    assert info["head"]["labels"] == list(LABELS)
    wrong = run("export", "--checkpoint", plain, "--data", "demo", "--out", "other")
    assert wrong.returncode == 2
    assert wrong.stderr.count("\n") == 1
    assert "only in --data: " in wrong.stderr and "only in the model: light, music, timer" in wrong.stderr
    absent = run("export", "--checkpoint", tmp_path / "absent", "--data", csv_data, "--out", "other")
    assert absent.returncode == 2


def test_an_out_of_scope_label_is_that_of_the_command(
    run: Callable, plain: Path, csv_data: Path, tmp_path: Path
) -> None:
    done = run(*("export", "--checkpoint", plain, "--data", csv_data, "--out-of-scope-label", "light", "--out", "onnx"))
    assert done.returncode == 0, done.stderr
    info = json.loads((tmp_path / "onnx" / "graph.json").read_text(encoding="utf-8"))
    assert info["head"]["options"]["out_of_scope_label"] == "light"


@pytest.mark.slow
def test_it_is_the_teacher_of_the_whole_job(run: Callable, plain: Path, csv_data: Path, tmp_path: Path) -> None:
    command = ("compress", "--profile", "x86-generic", "--model", plain, "--data", csv_data)
    command += ("--task", "text-classification", "--out", "build", *QUICK)
    command += ("--set", "assemble.tune_temperature=false")  # so that scores are those of the model
    several = run(*command, "--skip-finetune", "--set", "ensemble.teachers=2")
    assert several.returncode == 2
    assert "ensemble.teachers is 2" in several.stderr

    done = run(*command, "--skip-finetune", "--max-drop", "accuracy=100", "--min-speedup", "0.01")
    assert done.returncode in (0, 4), done.stderr
    record = json.loads((tmp_path / "build" / "run.json").read_text(encoding="utf-8"))
    assert [stage["stage"] for stage in record["stages"]][:4] == ["export", "assemble", "prune", "distill"]
    package = open_payload(tmp_path / "build" / "package.eptf")
    assert package.manifest.head.labels == LABELS
    assert package.manifest.lineage.base_model == "my-finetuned"
    assert package.manifest.lineage.steps[0].stage == "prune"

    from transformers import pipeline

    texts = ["turn on the lights", "set a timer for ten minutes", "play some jazz"]
    theirs = pipeline("text-classification", str(plain))
    baseline = Runner(open_payload(tmp_path / "build" / "package-baseline.eptf"))
    for text in texts:
        wanted, found = theirs(text)[0], baseline.answer(text)
        assert found.label == wanted["label"]
        assert found.score == pytest.approx(wanted["score"], abs=1e-4)


def test_a_pretrained_model_is_no_teacher(
    run: Callable, tiny_base: Callable[[str], Path], csv_data: Path, tmp_path: Path
) -> None:
    command = ("compress", "--profile", "x86-generic", "--model", tiny_base("bert"), "--data", csv_data)
    done = run(*command, "--task", "text-classification", "--out", "build", "--skip-finetune", "--dry-run")
    assert done.returncode == 2
    assert "'BertModel' has no head" in done.stderr
