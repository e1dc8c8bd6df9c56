from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from edge_ptf import models
from edge_ptf.errors import CheckpointError
from edge_ptf.models import LayerShape
from edge_ptf.models.checkpoint import (
    INFO_FILE,
    WEIGHTS_FILE,
    Checkpoint,
    fresh_info,
    load_base_model,
    load_model,
    load_tokenizer,
    longest_sequence,
    open_checkpoint,
    save_checkpoint,
)
from edge_ptf.models.lineage import PruneFacts
from edge_ptf.tasks.base import Task
from edge_ptf.tasks.text_classification import TextClassification
from edge_ptf.tasks.token_classification import TokenClassification

FAMILIES = ("bert", "distilbert", "roberta", "xlm-roberta", "electra")
TASK = TextClassification(TextClassification.spec_for(("off", "on", "tür")))
MIXED = [([0, 2], range(64)), ([], range(0, 64, 3)), ([1], [])]

torch.set_num_threads(1)


def made(base: Path, out: Path, *, task: Task = TASK, cuts: Any = MIXED, seed: int = 0) -> tuple[Any, Checkpoint]:
    torch.manual_seed(seed)
    model = load_base_model(base, task).eval()
    for part, (heads, neurons) in zip(models.parts(model), cuts, strict=True):
        models.slice_layer(part, heads, neurons)
    info = fresh_info(model, task, "tiny", 64)
    return model, save_checkpoint(model, load_tokenizer(base), info, out)


def answers(model: Any) -> torch.Tensor:
    ids = torch.randint(5, 60, (3, 9), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return model(input_ids=ids).logits


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def saved(tiny_base: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tiny_base("bert"), tmp_path_factory.mktemp("saved") / "checkpoint")[1].path


@pytest.fixture
def copied(saved: Path, tmp_path: Path) -> Path:
    """A checkpoint that a test may damage."""
    return Path(shutil.copytree(saved, tmp_path / "copy"))


@pytest.mark.parametrize("family", FAMILIES)
def test_pruned_models_answer_exactly_the_same_after_loading(
    tiny_base: Callable[[str], Path], tmp_path: Path, family: str
) -> None:
    model, checkpoint = made(tiny_base(family), tmp_path / "out")
    loaded = load_model(open_checkpoint(checkpoint.path))
    assert torch.equal(answers(loaded), answers(model))
    assert checkpoint.info.layers == models.shapes(loaded)
    assert [shape.num_heads for shape in checkpoint.info.layers] == [2, 0, 1]
    assert not loaded.training
    assert {value.dtype for value in loaded.parameters()} == {torch.float32}


@pytest.mark.parametrize("family", FAMILIES)
def test_equal_models_give_equal_bytes(tiny_base: Callable[[str], Path], tmp_path: Path, family: str) -> None:
    first = made(tiny_base(family), tmp_path / "first")[1]
    second = made(tiny_base(family), tmp_path / "elsewhere" / "second")[1]
    assert contents(first.path) == contents(second.path)
    assert first.digest == second.digest
    other = made(tiny_base(family), tmp_path / "other", seed=1)[1]
    assert other.digest != first.digest


@pytest.mark.parametrize("family", FAMILIES)
def test_saving_what_was_loaded_gives_the_same_bytes(
    tiny_base: Callable[[str], Path], tmp_path: Path, family: str
) -> None:
    first = made(tiny_base(family), tmp_path / "first")[1]
    again = save_checkpoint(load_model(first), load_tokenizer(first.path), first.info, tmp_path / "again")
    assert contents(again.path) == contents(first.path)


def test_a_tokenizer_that_was_used_is_saved_as_if_it_was_not(saved: Path, tmp_path: Path) -> None:
    checkpoint, tokenizer = open_checkpoint(saved), load_tokenizer(saved)
    tokenizer(["turn on", "x"], truncation=True, max_length=8, padding=True)
    again = save_checkpoint(load_model(checkpoint), tokenizer, checkpoint.info, tmp_path / "again")
    assert contents(again.path) == contents(saved)
    stored = json.loads((again.path / "tokenizer.json").read_text())
    assert stored["truncation"] is stored["padding"] is None


@pytest.mark.parametrize(
    ("family", "given"),
    [("distilbert", ("input_ids", "attention_mask")), ("bert", ("input_ids", "token_type_ids", "attention_mask"))],
)
def test_a_saved_tokenizer_gives_only_what_the_model_reads(
    tiny_base: Callable[[str], Path], tmp_path: Path, family: str, given: tuple[str, ...]
) -> None:
    from transformers import pipeline

    tokenizer = load_tokenizer(tiny_base(family))
    assert "token_type_ids" in tokenizer.model_input_names
    _, checkpoint = made(tiny_base(family), tmp_path / "out", cuts=[(range(4), range(64))] * 3)
    assert set(load_tokenizer(checkpoint.path)("turn on")) == set(given)
    found = pipeline("text-classification", str(checkpoint.path))("turn on the lights")
    assert found[0]["label"] in TASK.head.spec.labels


def test_no_path_of_this_machine_is_stored(saved: Path, tiny_base: Callable[[str], Path]) -> None:
    for name, content in contents(saved).items():
        for folder in (saved.parent, tiny_base("bert"), Path.home()):
            assert str(folder).encode() not in content, name


def test_files_have_the_permissions_of_the_users_umask(tiny_base: Callable[[str], Path], tmp_path: Path) -> None:
    for mask, wanted in ((0o022, 0o644), (0o077, 0o600)):
        before = os.umask(mask)
        try:
            checkpoint = made(tiny_base("bert"), tmp_path / f"{mask}")[1]
        finally:
            os.umask(before)
        modes = {path.name: path.stat().st_mode & 0o777 for path in checkpoint.path.iterdir()}
        assert modes == dict.fromkeys(modes, wanted)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kept", ["all layers", "two layers", "narrow feed-forward"])
def test_a_checkpoint_of_alike_layers_loads_with_plain_transformers(
    tiny_base: Callable[[str], Path], tmp_path: Path, family: str, kept: str
) -> None:
    torch.manual_seed(0)
    model = load_base_model(tiny_base(family), TASK).eval()
    if kept == "two layers":
        models.keep_layers(model, [0, 2])
    elif kept == "narrow feed-forward":
        for part in models.parts(model):
            models.slice_layer(part, range(4), range(24))
    checkpoint = save_checkpoint(
        model, load_tokenizer(tiny_base(family)), fresh_info(model, TASK, "x", 64), tmp_path / "out"
    )
    plain, notes = TASK.head.auto_model().from_pretrained(checkpoint.path, output_loading_info=True)
    assert torch.equal(answers(plain.eval()), answers(model))
    assert not notes["missing_keys"] and not notes["mismatched_keys"]
    assert plain.config.id2label == {0: "off", 1: "on", 2: "tür"}
    assert torch.equal(answers(load_model(checkpoint)), answers(model))


def test_info_travels_unchanged(tiny_base: Callable[[str], Path], tmp_path: Path) -> None:
    model, first = made(tiny_base("bert"), tmp_path / "first")
    facts = PruneFacts(skipped="übrig", kept_layers=(0, 2), shapes=(LayerShape(num_heads=1, intermediate_size=2),))
    origin = first.origin.pruned([0, 2], [5, 6])
    spec = TextClassification.spec_for(TASK.head.spec.labels, "oos").with_options(threshold=0.25)
    info = first.info.replace(origin=origin, head=spec).made_by(facts, facts)
    second = save_checkpoint(model, load_tokenizer(first.path), info, tmp_path / "second")
    assert open_checkpoint(second.path).info == info


def test_token_classifiers_are_saved_with_their_head(tiny_base: Callable[[str], Path], tmp_path: Path) -> None:
    task = TokenClassification(TokenClassification.spec_for(("O", "B-A", "I-A")))
    model, checkpoint = made(tiny_base("roberta"), tmp_path / "out", task=task)
    loaded = load_model(checkpoint)
    assert answers(loaded).shape == (3, 9, 3)
    assert torch.equal(answers(loaded), answers(model))


@pytest.mark.parametrize(("family", "longest"), [("bert", 130), ("distilbert", 128), ("roberta", 128)])
def test_the_longest_sequence_is_one_the_model_can_answer(
    tiny_base: Callable[[str], Path], family: str, longest: int
) -> None:
    model = load_base_model(tiny_base(family), TASK).eval()
    assert longest_sequence(model) == longest
    with torch.no_grad():
        model(input_ids=torch.full((1, longest), 7))
        with pytest.raises((IndexError, RuntimeError)):
            model(input_ids=torch.full((1, longest + 1), 7))
    assert fresh_info(model, TASK, "x", 10_000).max_length == longest


def test_a_fresh_head_follows_the_seed_and_dropout_can_be_set(tiny_base: Callable[[str], Path]) -> None:
    for family in FAMILIES:
        states = []
        for seed in (0, 0, 1):
            torch.manual_seed(seed)
            states.append(load_base_model(tiny_base(family), TASK, dropout=0.0))
        same = [torch.equal(answers(states[0].eval()), answers(other.eval())) for other in states[1:]]
        assert same == [True, False]
        ids = torch.full((1, 5), 7)
        trained = states[0].train()
        classifier_dropout = [
            m.p for n, m in trained.named_modules() if isinstance(m, torch.nn.Dropout) and "layer" in n
        ]
        assert set(classifier_dropout) == {0.0}
        assert trained(input_ids=ids).logits.shape == (1, 3)


def refused(action: Callable[[], Any], *parts_of_message: str) -> CheckpointError:
    with pytest.raises(CheckpointError) as caught:
        action()
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 500
    for part in parts_of_message:
        assert part in caught.value.message
    return caught.value


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    error = refused(lambda: open_checkpoint(tmp_path / "none"), "none: no such directory")
    assert "finetune" in error.hint


def test_a_pruned_checkpoint_without_its_info_is_another_model(copied: Path) -> None:
    (copied / INFO_FILE).unlink()
    refused(lambda: load_model(open_checkpoint(copied)), "of another shape")


@pytest.mark.parametrize("name", ["config.json", WEIGHTS_FILE, "tokenizer.json"])
def test_a_missing_file_is_named(copied: Path, name: str) -> None:
    (copied / name).unlink()
    refused(lambda: open_checkpoint(copied), f"no {name}")


def test_pickled_weights_are_never_read(copied: Path) -> None:
    (copied / WEIGHTS_FILE).unlink()
    torch.save({}, copied / "pytorch_model.bin")
    refused(lambda: open_checkpoint(copied), f"no {WEIGHTS_FILE}")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"{}", b'{"schema_version": 99}'])
def test_a_damaged_info_file_is_named(copied: Path, content: bytes) -> None:
    (copied / INFO_FILE).write_bytes(content)
    refused(lambda: open_checkpoint(copied), INFO_FILE, "damaged")


def test_a_wrong_value_in_the_info_file_is_told(copied: Path) -> None:
    values = json.loads((copied / INFO_FILE).read_text())
    (copied / INFO_FILE).write_text(json.dumps({**values, "max_length": -5}))
    error = refused(lambda: open_checkpoint(copied), INFO_FILE)
    assert "max_length" in str(error)


@pytest.mark.parametrize("size", [0, 4, 100, -1])
def test_weights_that_were_cut_off_are_refused(copied: Path, size: int) -> None:
    data = (copied / WEIGHTS_FILE).read_bytes()
    (copied / WEIGHTS_FILE).write_bytes(data[:size])
    refused(lambda: load_model(open_checkpoint(copied)), "cannot be loaded")


def test_weights_that_are_no_safetensors_are_refused(copied: Path) -> None:
    torch.save({"weight": torch.zeros(3)}, copied / WEIGHTS_FILE)
    refused(lambda: load_model(open_checkpoint(copied)), "cannot be loaded")


def changed(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.mark.parametrize(
    "layers",
    [
        [LayerShape(num_heads=2, intermediate_size=64)],
        [LayerShape(num_heads=2, intermediate_size=64)] * 4,
        [LayerShape(num_heads=4, intermediate_size=64)] * 3,
        [
            LayerShape(num_heads=2, intermediate_size=64),
            LayerShape(num_heads=0, intermediate_size=21),
            LayerShape(num_heads=1, intermediate_size=0),
        ],
        [
            LayerShape(num_heads=2, intermediate_size=64),
            LayerShape(num_heads=0, intermediate_size=22),
            LayerShape(num_heads=2, intermediate_size=0),
        ],
    ],
)
def test_layers_that_do_not_fit_the_weights_are_refused(copied: Path, layers: list[LayerShape]) -> None:
    changed(copied / INFO_FILE, layers=[shape.model_dump() for shape in layers])
    refused(lambda: load_model(open_checkpoint(copied)))


def test_a_configuration_of_another_width_is_refused(copied: Path) -> None:
    changed(copied / "config.json", hidden_size=48)
    refused(lambda: load_model(open_checkpoint(copied)))


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"model_type": "unheard-of"}', '{"model_type": "bert", "hidden_size": "wide"}']
)
def test_a_damaged_configuration_is_refused(copied: Path, content: str) -> None:
    (copied / "config.json").write_text(content)
    refused(lambda: load_model(open_checkpoint(copied)), "config.json")
    refused(lambda: load_base_model(copied, TASK), "config.json")


def test_a_family_that_cannot_be_pruned_is_refused(copied: Path) -> None:
    (copied / "config.json").write_text('{"model_type": "gpt2", "n_embd": 32, "n_layer": 1, "n_head": 2}')
    refused(lambda: load_base_model(copied, TASK), "'gpt2'")
    refused(lambda: load_model(open_checkpoint(copied)), "'gpt2'")


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"version": "1.0", "model": {"type": "New"}}'])
def test_a_damaged_tokenizer_is_refused(copied: Path, content: str) -> None:
    (copied / "tokenizer.json").write_text(content)
    refused(lambda: load_tokenizer(copied), "tokenizer")


def test_damaged_base_weights_are_refused(tiny_base: Callable[[str], Path], tmp_path: Path) -> None:
    base = Path(shutil.copytree(tiny_base("bert"), tmp_path / "base"))
    (base / WEIGHTS_FILE).write_bytes((base / WEIGHTS_FILE).read_bytes()[:1000])
    refused(lambda: load_base_model(base, TASK), "cannot be loaded")
    (base / WEIGHTS_FILE).unlink()
    refused(lambda: load_base_model(base, TASK), "cannot be loaded")
