"""Fine-tuned models as transformers saves them, without `edge_ptf.json`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from edge_ptf.compression import PruneConfig, prune
from edge_ptf.errors import BadInputError, CheckpointError
from edge_ptf.graph import ExportConfig, export
from edge_ptf.models.base_models import from_hub, model_name, resolve_base
from edge_ptf.models.checkpoint import WEIGHTS_FILE, load_model, load_tokenizer, open_checkpoint
from edge_ptf.preparation import check_labels
from edge_ptf.runtime.checkpoint import CheckpointRunner

LABELS = ("weather", "timer", "music", "light")  # not in alphabetic order
TAGS = ("O", "B-what", "I-what")
Save = Callable[..., Path]


@pytest.fixture
def save(tiny_base: Callable[[str], Path], tmp_path: Path) -> Save:
    """Writes what `Trainer.save_model` writes: `save(head, labels, family=…, **fields of config.json)`."""

    def write(
        head: str = "SequenceClassification",
        labels: tuple[str, ...] = LABELS,
        family: str = "bert",
        shard: str = "5GB",
        half: bool = False,
        **fields: Any,
    ) -> Path:
        import transformers

        torch.manual_seed(3)
        names = dict(enumerate(labels))
        ids = {label: number for number, label in names.items()}
        kind = getattr(transformers, f"AutoModelFor{head}")
        model = kind.from_pretrained(tiny_base(family), num_labels=len(labels), id2label=names, label2id=ids)
        out = tmp_path / "my-finetuned"
        model = model.half() if half else model
        model.save_pretrained(out, max_shard_size=shard)
        transformers.AutoTokenizer.from_pretrained(tiny_base(family)).save_pretrained(out)
        torch.save({}, out / "training_args.bin")
        (out / "checkpoint-5").mkdir()
        (out / "checkpoint-5" / "optimizer.pt").write_bytes(b"x")
        change(out, **fields)
        return out

    return write


def change(folder: Path, **fields: Any) -> None:
    """Sets fields of `config.json`; None removes one."""
    file = folder / "config.json"
    values = {**json.loads(file.read_text()), **fields}
    file.write_text(json.dumps({name: value for name, value in values.items() if value is not None}))


def refused(action: Callable[[], Any], *parts: str) -> BadInputError:
    with pytest.raises(BadInputError) as caught:
        action()
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    for part in parts:
        assert part in str(caught.value)
    return caught.value


@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta", "xlm-roberta", "electra", "albert"])
def test_it_answers_as_in_transformers(save: Save, family: str) -> None:
    from transformers import AutoModelForSequenceClassification

    folder = save(family=family)
    checkpoint = open_checkpoint(folder)
    theirs = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    ids = torch.randint(5, 60, (3, 9), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.equal(load_model(checkpoint)(input_ids=ids).logits, theirs(input_ids=ids).logits)
    assert checkpoint.info.head.labels == LABELS
    assert checkpoint.info.head.task == "text-classification"
    assert checkpoint.info.base_model == "my-finetuned"
    assert [shape.num_heads for shape in checkpoint.info.layers] == [4, 4, 4]


def test_a_regression_answers_as_in_transformers(save: Save) -> None:
    from transformers import AutoModelForSequenceClassification

    folder = save(labels=("LABEL_0",), problem_type="regression")
    checkpoint = open_checkpoint(folder)
    head = checkpoint.info.head
    assert (head.task, head.labels) == ("regression", ("value",))
    assert head.options == {"mean": 0.0, "deviation": 1.0}  # its answers are in the unit of the data already
    theirs = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    runner = CheckpointRunner(checkpoint)
    encoding = runner.encode("turn on the lights")
    with torch.no_grad():
        wanted = theirs(input_ids=torch.tensor([encoding.input_ids])).logits[0, 0]
    assert runner.answer("turn on the lights").label == pytest.approx(float(wanted), rel=1e-5)


def test_weights_in_half_precision_and_in_several_files_are_read(save: Save) -> None:
    folder = save(shard="20KB", half=True)
    assert not (folder / WEIGHTS_FILE).exists()
    assert len(list(folder.glob("*.safetensors"))) > 1
    model = load_model(open_checkpoint(folder))
    assert {value.dtype for value in model.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("head", "problem", "asked", "task"),
    [
        ("SequenceClassification", None, None, "text-classification"),
        ("SequenceClassification", "single_label_classification", None, "text-classification"),
        ("SequenceClassification", "multi_label_classification", None, "multi-label-classification"),
        ("SequenceClassification", None, "multi-label-classification", "multi-label-classification"),
        ("SequenceClassification", None, "sentence-pair-classification", "sentence-pair-classification"),
        ("TokenClassification", None, None, "token-classification"),
    ],
)
def test_the_task_comes_from_its_configuration(
    save: Save, head: str, problem: str | None, asked: str | None, task: str
) -> None:
    folder = save(head, TAGS if head.startswith("Token") else LABELS, problem_type=problem)
    checkpoint = open_checkpoint(folder, asked)
    assert checkpoint.info.head.task == task
    multi = task == "multi-label-classification"
    assert (load_model(checkpoint).config.problem_type == "multi_label_classification") == multi


def test_an_unclear_task_is_asked_for(save: Save) -> None:
    folder = save(architectures=None)
    refused(lambda: open_checkpoint(folder), "unclear", "--task")
    assert open_checkpoint(folder, "text-classification").info.head.labels == LABELS


@pytest.mark.parametrize(
    ("fields", "asked", "parts"),
    [
        ({"architectures": ["BertForMaskedLM"]}, None, ("BertForMaskedLM", "finetune")),
        ({"architectures": ["BertModel"]}, "text-classification", ("BertModel", "no head")),
        ({"problem_type": "regression"}, None, ("does not answer with one number", "id2label")),
        ({}, "token-classification", ("for text-classification or sentence-pair-classification or multi",)),
        ({"problem_type": "multi_label_classification"}, "text-classification", ("for multi-label-classification",)),
        ({"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}, None, ("no names", "LABEL_0", '"id2label": {"0"')),
        ({"id2label": None}, None, ("no names", "id2label")),
        ({"id2label": {"0": "a", "2": "b"}}, None, ("each number from 0 to 1",)),
        ({"id2label": {"0": "a", "1": "a"}}, None, ("'a' more than once",)),
        ({"vocab_size": 545_000, "hidden_size": 1024}, None, ("2.1", "less than 2 GiB")),
        ({"quantization_config": {"load_in_8bit": True}}, None, ("quantized already",)),
    ],
)
def test_what_it_cannot_be_is_said_in_one_line(
    save: Save, fields: dict[str, Any], asked: str | None, parts: tuple[str, ...]
) -> None:
    folder = save(**fields)
    refused(lambda: open_checkpoint(folder, asked), *parts)


def test_a_head_that_was_not_trained_is_refused(save: Save, tiny_base: Callable[[str], Path]) -> None:
    folder = save()
    shutil.copyfile(tiny_base("bert") / WEIGHTS_FILE, folder / WEIGHTS_FILE)
    refused(lambda: load_model(open_checkpoint(folder)), "classifier.bias", "not fine-tuned")


@pytest.mark.parametrize(("written", "longest"), [(64, 64), (1000, 130), (10**30, 130)])
def test_the_longest_text_comes_from_tokenizer_and_position_table(save: Save, written: int, longest: int) -> None:
    folder = save()
    file = folder / "tokenizer_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "model_max_length": written}))
    assert open_checkpoint(folder).info.max_length == longest


def test_files_that_do_not_count_do_not_change_its_digest(save: Save) -> None:
    folder = save()
    before = open_checkpoint(folder)
    (folder / "training_args.bin").write_bytes(b"other")
    assert open_checkpoint(folder).digest == before.digest
    assert open_checkpoint(folder, out_of_scope_label="none").digest != before.digest
    change(folder, hidden_act="relu")
    assert open_checkpoint(folder).digest != before.digest


def test_its_student_and_its_graph_are_ordinary_ones(save: Save, tiny_data: Callable[..., Any], tmp_path: Path) -> None:
    checkpoint, data = open_checkpoint(save()), tiny_data()
    student = prune(checkpoint, data, PruneConfig(num_layers=2, vocabulary=False), tmp_path / "student")
    assert not student.plain
    assert student.origin.layers_in(checkpoint.origin) == student.origin.layers
    assert student.info.head == checkpoint.info.head
    graph = export(checkpoint, data, ExportConfig(), tmp_path / "graph")
    assert graph.info.head.labels == LABELS
    assert graph.info.parity_max_difference < 1e-3
    names = {file.name for file in graph.path.iterdir()}
    assert "training_args.bin" not in names
    assert {"config.json", "tokenizer.json", "tokenizer_config.json"} <= names
    assert load_tokenizer(graph.path)("turn on")["input_ids"] == load_tokenizer(checkpoint.path)("turn on")["input_ids"]


def test_labels_are_compared_without_their_order(save: Save, tiny_data: Callable[..., Any]) -> None:
    data, head = tiny_data(), open_checkpoint(save()).info.head
    assert set(data.labels) == set(LABELS)
    check_labels(data, head)
    other = head.replace(labels=("weather", "timer", "music", "alarm"))
    refused(lambda: check_labels(data, other), "only in --data: light", "only in the model: alarm")
    fewer = head.replace(labels=("weather", "timer", "music"))
    refused(lambda: check_labels(data, fewer), "(only in --data: light)")


def test_a_model_need_not_have_a_tag_that_no_word_has(save: Save, tiny_labelled: Callable[..., Any]) -> None:
    data = tiny_labelled("token-classification")
    assert "I-what" in data.labels
    head = open_checkpoint(save("TokenClassification", ("B-what", "O"))).info.head
    check_labels(data, head)
    refused(lambda: check_labels(data, head.replace(labels=("O", "I-what"))), "only in --data: B-what")


def test_only_onnx_files_are_refused(save: Save) -> None:
    folder = save()
    (folder / WEIGHTS_FILE).unlink()
    (folder / "model.onnx").write_bytes(b"")
    error = refused(lambda: open_checkpoint(folder), "only ONNX files (model.onnx)")
    assert isinstance(error, CheckpointError)
    refused(lambda: resolve_base(str(folder)), "only ONNX files")


def test_the_folder_of_a_trainer_names_its_checkpoint(save: Save) -> None:
    folder = save()
    (folder / "config.json").rename(folder / "checkpoint-5" / "config.json")
    refused(lambda: open_checkpoint(folder), "no config.json", "checkpoint-5")


def sentence_model(base: Path, out: Path, *parts: tuple[str, str]) -> Path:
    shutil.copytree(base, out / "0_Transformer")
    (out / "1_Pooling").mkdir()
    listed = [{"idx": at, "name": str(at), "path": path, "type": kind} for at, (path, kind) in enumerate(parts)]
    (out / "modules.json").write_text(json.dumps(listed))
    return out


TRANSFORMER = ("0_Transformer", "sentence_transformers.models.Transformer")
POOLING = ("1_Pooling", "sentence_transformers.models.Pooling")


def test_a_sentence_transformers_model_is_a_base_model(tiny_base: Callable[[str], Path], tmp_path: Path) -> None:
    folder = sentence_model(tiny_base("bert"), tmp_path / "sentences", TRANSFORMER, POOLING)
    assert resolve_base(str(folder)) == folder / "0_Transformer"
    (folder / "modules.json").write_text("{")
    refused(lambda: resolve_base(str(folder)), "modules.json: damaged")


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (("0_WordEmbeddings", "sentence_transformers.models.WordEmbeddings"), "no transformer among the parts"),
        (("../other", "sentence_transformers.models.Transformer"), "not in its folder"),
        (("1_Absent", "sentence_transformers.models.Transformer"), "not there"),
    ],
)
def test_a_sentence_transformers_model_without_an_encoder_inside_is_refused(
    tiny_base: Callable[[str], Path], tmp_path: Path, part: tuple[str, str], said: str
) -> None:
    folder = sentence_model(tiny_base("bert"), tmp_path / "sentences", part, POOLING)
    refused(lambda: resolve_base(str(folder)), said)


def test_an_encoder_in_the_cache_of_the_hub_is_followed(tiny_base: Callable[[str], Path], tmp_path: Path) -> None:
    snapshot = tmp_path / "models--owner--sentences" / "snapshots" / "0123"
    folder = sentence_model(tiny_base("bert"), snapshot, TRANSFORMER, POOLING)
    blobs = tmp_path / "models--owner--sentences" / "blobs"
    blobs.mkdir()
    for file in (folder / "0_Transformer").iterdir():
        file.rename(blobs / file.name)
        file.symlink_to(Path("../../../blobs") / file.name)
    assert resolve_base(str(folder)) == folder / "0_Transformer"
    assert model_name(snapshot) == "owner/sentences"


def test_only_what_can_be_no_path_is_asked_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "work").mkdir()
    asked: list[str] = []
    monkeypatch.setattr("edge_ptf.models.base_models.resolve_base", lambda name: asked.append(name) or tmp_path)
    for name in ("work/teacher", "teacher", "./a/b", "/a/b", "a/b/c"):
        assert from_hub(name) is None
    assert from_hub("owner/name") == tmp_path
    assert asked == ["owner/name"]
