from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import set_seed

from edge_ptf import models, tasks
from edge_ptf.data.dataset import LabelledData
from edge_ptf.errors import BadInputError
from edge_ptf.examples import Example
from edge_ptf.metrics import F1, Direction, Share
from edge_ptf.models.checkpoint import (
    Checkpoint,
    load_base_model,
    load_model,
    load_tokenizer,
    model_inputs,
    open_checkpoint,
)
from edge_ptf.progress import SILENT, Silent
from edge_ptf.tasks.base import Task
from edge_ptf.training import FinetuneConfig, finetune, finetuning
from edge_ptf.training.batching import collate
from edge_ptf.training.epoch_states import EpochState, kept_file, read_state, write_state
from edge_ptf.training.finetuning import labelled_items
from edge_ptf.training.trainer import STATE, _is_enough, kept_epoch

TEXT, TOKEN = "text-classification", "token-classification"
FAMILIES = ("bert", "distilbert", "roberta", "xlm-roberta", "electra", "albert")
QUICK = FinetuneConfig(epochs=3, batch_size=8, learning_rate=5e-3, max_length=32, precision="fp32")
SHAKY = QUICK.replace(dropout=0.1)
STEPS = math.ceil(26 / 8)

torch.set_num_threads(1)


class Killed(Exception):
    """Stands for a kill: nothing of the program runs after it."""


class Interrupted(Silent):
    """Raises after so many steps of the training loop, or when the loop is over."""

    def __init__(self, title: str, steps: float) -> None:
        self.watched, self.left, self.title, self.done = title, steps, "", 0

    def start(self, title: str, total: int, done: int = 0) -> None:
        self.title, self.done = title, done

    def advance(self, steps: int = 1, note: str = "") -> None:
        if self.title == self.watched:
            self.left -= steps
            if self.left < 0:
                raise Killed

    def finish(self) -> None:
        if self.title == self.watched:
            raise Killed


@pytest.fixture
def train(tiny_base: Callable[[str], Path], tiny_data: Callable[..., LabelledData]) -> Callable[..., Checkpoint]:
    def run(
        out: Path, config: FinetuneConfig = QUICK, family: str = "bert", task: str = TEXT, **rest: Any
    ) -> Checkpoint:
        data = rest.pop("data", tiny_data(task))
        return finetune(tiny_base(family), "tiny", data, made(task, data), config, out, rest.pop("progress", SILENT))

    return run


@pytest.fixture(scope="module")
def whole(
    tiny_base: Callable[[str], Path],
    tiny_data: Callable[..., LabelledData],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., Checkpoint]:
    """Runs that nothing interrupted, one for each family and configuration."""
    runs: dict[Any, Checkpoint] = {}

    def run(config: FinetuneConfig = QUICK, family: str = "bert") -> Checkpoint:
        key = (config.model_dump_json(), family)
        if key not in runs:
            data, out = tiny_data(), tmp_path_factory.mktemp("whole") / "out"
            runs[key] = finetune(tiny_base(family), "tiny", data, made(TEXT, data), config, out)
        return runs[key]

    return run


def made(task: str, data: LabelledData) -> Task:
    return tasks.create(tasks.get(task).spec_for(data.labels))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def loss(model: Any, tokenizer: Any, task: Task, examples: tuple[Example, ...]) -> float:
    items = labelled_items(tokenizer, task, examples, 32)
    inputs = model_inputs(model, tokenizer)
    tensors = collate(items, inputs, int(tokenizer.pad_token_id), task.head)
    with torch.no_grad():
        logits = model.eval()(**{name: tensors[name] for name in inputs}).logits
    return float(torch.nn.functional.cross_entropy(logits.flatten(0, -2), tensors["targets"].flatten()))


def facts(checkpoint: Checkpoint) -> dict[str, Any]:
    return checkpoint.info.lineage[-1].facts


@pytest.mark.parametrize("task", [TEXT, TOKEN])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_loss_falls(
    tiny_base: Callable[[str], Path],
    tiny_data: Callable[..., LabelledData],
    tiny_teacher: Callable[..., Checkpoint],
    family: str,
    task: str,
) -> None:
    data, teacher = tiny_data(task), tiny_teacher(family, task)
    set_seed(0)
    before = load_base_model(tiny_base(family), made(task, data))
    tokenizer = load_tokenizer(teacher.path)
    first = loss(before, tokenizer, made(task, data), data.train)
    assert loss(load_model(teacher), tokenizer, made(task, data), data.train) < 0.93 * first
    assert max(facts(teacher)["validation"]) > 30
    assert facts(teacher)["texts"] == len(data.train)
    assert facts(teacher)["tokens_per_epoch"] == sum(
        len(item.encoding.input_ids) for item in labelled_items(tokenizer, made(task, data), data.train, 32)
    )
    assert open_checkpoint(teacher.path) == teacher
    table = models.word_embeddings(load_model(teacher)).weight
    assert len(table) == len(tokenizer) == load_model(teacher).config.vocab_size


def test_the_same_seed_gives_the_same_bytes(
    train: Callable[..., Checkpoint], whole: Callable[..., Checkpoint], tmp_path: Path
) -> None:
    first, second = whole(SHAKY), train(tmp_path / "elsewhere", SHAKY)
    assert contents(first.path) == contents(second.path)
    for name, content in contents(second.path).items():
        assert str(tmp_path).encode() not in content, name
    other = train(tmp_path / "other", SHAKY.replace(seed=1))
    assert contents(other.path)["model.safetensors"] != contents(first.path)["model.safetensors"]
    assert not (first.path / STATE).exists()


@pytest.mark.parametrize(
    ("family", "steps"),
    [*(("bert", steps) for steps in (1, STEPS, STEPS + 1, 2 * STEPS + 2, math.inf)), ("albert", STEPS + 1)],
)
def test_a_killed_run_goes_on_to_the_same_bytes(
    train: Callable[..., Checkpoint], whole: Callable[..., Checkpoint], tmp_path: Path, family: str, steps: float
) -> None:
    """Killed in the first epoch, after it, later, and when the loop was over but nothing was saved."""
    with pytest.raises(Killed):
        train(tmp_path / "out", SHAKY, family, progress=Interrupted("Fine-tune", steps))
    assert not (tmp_path / "out" / "edge_ptf.json").exists()
    if steps > STEPS:
        state = json.loads((tmp_path / "out" / STATE / "whole.json").read_text())
        assert len(state["history"]) == min(int(min(steps, 99)) // STEPS, SHAKY.epochs)
    torch.manual_seed(99)  # whatever the next process did before
    listener = Interrupted("nothing", 0)
    again = train(tmp_path / "out", SHAKY, family, progress=listener)
    assert contents(again.path) == contents(whole(SHAKY, family).path)
    assert listener.done == STEPS * min(int(min(steps, 99)) // STEPS, SHAKY.epochs)


def test_a_run_killed_twice_goes_on_too(
    train: Callable[..., Checkpoint], whole: Callable[..., Checkpoint], tmp_path: Path
) -> None:
    for steps in (STEPS + 1, STEPS + 1):
        with pytest.raises(Killed):
            train(tmp_path / "out", progress=Interrupted("Fine-tune", steps))
    assert contents(train(tmp_path / "out").path) == contents(whole().path)


def test_a_half_written_epoch_state_is_not_trusted(
    train: Callable[..., Checkpoint], whole: Callable[..., Checkpoint], tmp_path: Path
) -> None:
    with pytest.raises(Killed):
        train(tmp_path / "out", progress=Interrupted("Fine-tune", STEPS + 1))
    half = tmp_path / "out" / STATE / f"checkpoint-{2 * STEPS}"
    half.mkdir()
    (half / "model.safetensors").write_bytes(b"half")
    assert contents(train(tmp_path / "out").path) == contents(whole().path)
    with pytest.raises(Killed):
        train(tmp_path / "damaged", progress=Interrupted("Fine-tune", STEPS + 1))
    (tmp_path / "damaged" / STATE / "whole.json").write_text("{")
    assert contents(train(tmp_path / "damaged").path) == contents(whole().path)


def damaged_state(name: str, state: Path) -> Path:
    """The file of a kept state that a pattern names, with one bit changed."""
    file = next(path for path in sorted(state.rglob(name)) if path.stat().st_size)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    return file


@pytest.mark.parametrize(
    "name", ["whole.json", "kept-*.safetensors", "model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth"]
)
def test_a_damaged_state_is_said_and_not_used(
    train: Callable[..., Checkpoint],
    whole: Callable[..., Checkpoint],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    name: str,
) -> None:
    with pytest.raises(Killed):
        train(tmp_path / "out", progress=Interrupted("Fine-tune", STEPS + 1))
    file = damaged_state(name, tmp_path / "out" / STATE)
    listener = Interrupted("nothing", 0)
    assert contents(train(tmp_path / "out", progress=listener).path) == contents(whole().path)
    assert listener.done == 0
    assert f"{file}: damaged; the training begins anew" in caplog.text


def test_a_flipped_score_of_a_state_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "checkpoint-5").mkdir()
    (tmp_path / "checkpoint-5" / "weights").write_text("w")
    kept_file(tmp_path, 1).write_text("w")
    write_state(tmp_path, "checkpoint-5", [81.25], 1)
    assert read_state(tmp_path, SILENT).history == (81.25,)
    file = tmp_path / "whole.json"
    file.write_text(file.read_text().replace("81.25", "91.25"))
    assert read_state(tmp_path, SILENT) == EpochState()
    assert not file.exists() and not (tmp_path / "checkpoint-5").exists()


@pytest.fixture
def scores(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[float]], None]:
    """Sets the validation score of each epoch."""

    def put(values: list[float]) -> None:
        waiting = iter(values)
        monkeypatch.setattr(finetuning, "first_metric", lambda *_: 100 * next(waiting))

    return put


STEADY = QUICK.replace(schedule="constant", warmup=0, epochs=6)


@pytest.mark.parametrize(
    ("patience", "values", "ran", "best"),
    [
        (0, [1.0, 0.4, 0.3, 0.2, 0.1, 0.0], 6, 1),
        (1, [0.5, 0.1, 0.9, 0.9, 0.9, 0.9], 2, 1),
        (2, [0.1, 0.5, 0.5, 0.1, 0.9, 0.9], 4, 3),
        (2, [0.1, 0.5, 0.1, 1.0, 0.9, 0.9], 6, 4),
        (3, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0], 4, 4),
    ],
)
def test_training_stops_when_nothing_gets_better(
    train: Callable[..., Checkpoint],
    scores: Callable[[list[float]], None],
    tmp_path: Path,
    patience: int,
    values: list[float],
    ran: int,
    best: int,
) -> None:
    scores(values)
    stopped = train(tmp_path / "out", STEADY.replace(patience=patience))
    assert facts(stopped)["validation"] == [round(100 * value, 2) for value in values[:ran]]
    assert facts(stopped)["kept_epoch"] == best  # of equal ones the last
    scores([0.0] * best)
    shorter = train(tmp_path / "shorter", STEADY.replace(epochs=best))
    assert contents(shorter.path)["model.safetensors"] == contents(stopped.path)["model.safetensors"]


@pytest.mark.parametrize(
    ("history", "scored", "kept"),
    [
        ([0.95], 100, 1),
        ([0.90, 0.95, 0.94, 0.93], 100, 4),  # one standard error of 0.95 over 100 is 0.0218
        ([0.90, 0.95, 0.94, 0.92], 100, 3),
        ([0.90, 0.95, 0.94, 0.93], 10_000, 2),
        ([0.0, 0.0], 5, 2),
        ([1.0, 0.999], 5, 1),
    ],
)
def test_the_last_epoch_within_noise_of_the_best_is_kept(history: list[float], scored: int, kept: int) -> None:
    accuracy = Share(name="accuracy", title="accuracy", count=lambda *_: (1, 1))
    assert kept_epoch([100 * score for score in history], accuracy, scored) == kept


@given(st.integers(1, 3_000), st.lists(st.floats(0, 1), min_size=1, max_size=12), st.booleans())
@settings(max_examples=300, deadline=None)
def test_the_kept_epoch_of_a_percentage_is_that_of_shares_of_one(scored: int, drawn: list[float], f1: bool) -> None:
    """Ties included: scores are hits over texts, or any number for an F1."""
    percent = drawn if f1 else [100.0 * round(share * scored) / scored for share in drawn]
    history = [score / 100 for score in percent]
    best = max(history)
    noise = (best * (1 - best) / scored) ** 0.5
    expected = max(epoch for epoch, score in enumerate(history, 1) if score >= best - noise)
    kind = F1 if f1 else Share
    assert kept_epoch(percent, kind(name="m", title="m", count=lambda *_: (1, 1)), scored) == expected


@pytest.mark.parametrize(
    ("direction", "history", "patience", "enough"),
    [
        (Direction.HIGHER, [-0.5, -0.4], 1, False),
        (Direction.HIGHER, [-0.4, -0.5], 1, True),
        (Direction.LOWER, [5.0, 4.0], 1, False),
        (Direction.LOWER, [4.0, 5.0], 1, True),
        (Direction.LOWER, [4.0, math.nan], 1, True),
        (Direction.LOWER, [4.0, 5.0], 0, False),
    ],
)
def test_training_stops_by_the_metrics_direction(
    direction: Direction, history: list[float], patience: int, enough: bool
) -> None:
    assert _is_enough(history, direction, patience) is enough


def test_a_run_killed_when_it_had_just_stopped_does_not_go_on(
    train: Callable[..., Checkpoint], scores: Callable[[list[float]], None], tmp_path: Path
) -> None:
    config = STEADY.replace(patience=1)
    scores([0.5, 0.4, 0.9])
    stopped = train(tmp_path / "stopped", config)
    scores([0.5, 0.4, 0.9])
    with pytest.raises(Killed):
        train(tmp_path / "out", config, progress=Interrupted("Fine-tune", math.inf))
    assert contents(train(tmp_path / "out", config).path) == contents(stopped.path)


@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta"])
def test_frozen_parts_stay_as_they_are(
    train: Callable[..., Checkpoint],
    whole: Callable[..., Checkpoint],
    tiny_base: Callable[[str], Path],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
    family: str,
) -> None:
    before = load_base_model(tiny_base(family), made(TEXT, tiny_data()))
    config = QUICK.replace(freeze_embeddings=True, freeze_layers=2)
    after = load_model(train(tmp_path / "out", config, family))
    frozen = [models.encoder(after).embeddings, *models.layers(after)[:2]]
    original = [models.encoder(before).embeddings, *models.layers(before)[:2]]
    for left, right in zip(frozen, original, strict=True):
        assert all(torch.equal(value, right.state_dict()[name]) for name, value in left.state_dict().items())
    last, first = models.layers(after)[2], models.layers(before)[2]
    assert not any(
        torch.equal(value, first.get_parameter(name)) for name, value in last.named_parameters() if value.ndim == 2
    )
    whole = load_model(train(tmp_path / "whole", QUICK, family))
    assert not torch.equal(models.word_embeddings(whole).weight, models.word_embeddings(before).weight)


def test_pieces_that_no_text_uses_stay_as_they_are(
    tiny_base: Callable[[str], Path], tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData]
) -> None:
    teacher, data = tiny_teacher("bert"), tiny_data()
    before = models.word_embeddings(load_base_model(tiny_base("bert"), made(TEXT, data))).weight
    after = models.word_embeddings(load_model(teacher)).weight
    names = load_tokenizer(teacher.path).get_vocab()
    for subword in ("volume", "mom", "z", "##able"):
        assert torch.equal(after[names[subword]], before[names[subword]])
    for subword in ("turn", "kitchen", "[CLS]"):
        assert not torch.equal(after[names[subword]], before[names[subword]])


def test_freezing_what_is_not_there_is_refused(train: Callable[..., Checkpoint], tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="freeze_layers is 4, but the model has 3 layers"):
        train(tmp_path / "out", QUICK.replace(freeze_layers=4))
    with pytest.raises(BadInputError, match="'albert' are not known"):
        train(tmp_path / "out", QUICK.replace(freeze_layers=1), "albert")
    train(tmp_path / "embeddings", QUICK.replace(freeze_embeddings=True, epochs=1), "albert")


@pytest.mark.parametrize(
    "changes",
    [
        {"schedule": "cosine"},
        {"schedule": "constant", "warmup": 0.5},
        {"label_smoothing": 0.1},
        {"max_gradient_norm": 0.1},
        {"batch_size": 100},
        {"dropout": 0.3},
        {"precision": "bf16"},
    ],
)
def test_options_change_the_result_and_it_still_learns(
    train: Callable[..., Checkpoint],
    whole: Callable[..., Checkpoint],
    tiny_base: Callable[[str], Path],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
    changes: dict[str, Any],
) -> None:
    config = QUICK.replace(dropout=0.0)
    task, data = made(TEXT, tiny_data()), tiny_data()
    plain, changed = whole(config), train(tmp_path / "changed", config.replace(**changes))
    assert contents(plain.path)["model.safetensors"] != contents(changed.path)["model.safetensors"]
    set_seed(0)
    tokenizer, base = load_tokenizer(plain.path), load_base_model(tiny_base("bert"), task)
    model = load_model(changed)
    assert loss(model, tokenizer, task, data.train) < loss(base, tokenizer, task, data.train)
    assert {value.dtype for value in model.state_dict().values() if value.is_floating_point()} == {torch.float32}
    assert facts(changed)["precision"] == config.replace(**changes).precision


def test_plain_gradient_descent_learns(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    """From weights that are some way already: it is slow from a random start."""
    data, start = tiny_data(), tiny_teacher("bert")
    config = QUICK.replace(optimizer="sgd", learning_rate=0.05, epochs=5, dropout=0.0)
    after = finetune(start.path, "tiny", data, made(TEXT, data), config, tmp_path / "out")
    tokenizer = load_tokenizer(start.path)
    before, found = (loss(load_model(one), tokenizer, made(TEXT, data), data.train) for one in (start, after))
    assert found < 0.9 * before
    assert after.info.lineage[0].config["optimizer"] == "sgd"


@pytest.mark.parametrize("family", ["bert", "distilbert"])
def test_dropout_is_switched_off_where_it_is_zero(
    train: Callable[..., Checkpoint], tmp_path: Path, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without dropout the result does not depend on torch's generator once the head is drawn."""
    config = QUICK.replace(dropout=0.0, epochs=1)
    first = train(tmp_path / "first", config, family)
    right = torch.nn.functional.cross_entropy

    def stirred(*args: Any, **options: Any) -> Any:
        torch.rand(3)
        return right(*args, **options)

    monkeypatch.setattr(torch.nn.functional, "cross_entropy", stirred)
    second = train(tmp_path / "second", config, family)
    tensors = [contents(checkpoint.path)["model.safetensors"] for checkpoint in (first, second)]
    assert (tensors[0] == tensors[1]) == (family == "bert")  # DistilBERT's head has a dropout of its own


def test_long_texts_are_cut(
    train: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    data = tiny_data()
    long = replace(data, train=tuple(replace(example, text=f"{example.text} play" * 40) for example in data.train))
    for limit, wanted in ((8, 8), (10_000, 130)):
        checkpoint = train(tmp_path / f"{limit}", QUICK.replace(max_length=limit, epochs=1), data=long)
        assert checkpoint.info.max_length == wanted
        assert facts(checkpoint)["tokens_per_epoch"] == wanted * len(data.train)


def test_texts_of_no_class_do_not_train(
    train: Callable[..., Checkpoint],
    tiny_base: Callable[[str], Path],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
) -> None:
    """An out-of-scope label that train lacks occurs in validation only."""
    data = tiny_data()
    data = replace(data, validation=(*data.validation, Example("call mom", "oos")))
    task = tasks.create(tasks.get(TEXT).spec_for(data.labels, "oos"))
    checkpoint = finetune(tiny_base("bert"), "tiny", data, task, QUICK, tmp_path / "out")
    assert checkpoint.info.head.options["out_of_scope_label"] == "oos"
    assert load_model(checkpoint).config.num_labels == 4


class Noting(Silent):
    """Keeps the notes of the training's steps."""

    def __init__(self) -> None:
        self.title, self.notes = "", list[str]()

    def start(self, title: str, total: int, done: int = 0) -> None:
        self.title = title

    def advance(self, steps: int = 1, note: str = "") -> None:
        if self.title == "Fine-tune":
            self.notes.append(note)


def test_a_step_notes_epoch_loss_and_validation(train: Callable[..., Checkpoint], tmp_path: Path) -> None:
    seen = Noting()
    found = train(tmp_path / "out", progress=seen)
    assert len(seen.notes) == 3 * STEPS == 12
    assert set(seen.notes[:9]) == {""}  # the mean loss of ten steps is shown
    facts = found.info.facts
    assert facts is not None
    noted = re.fullmatch(r"epoch 3 of 3, loss (\d+\.?\d*), validation (\d+\.\d+)", seen.notes[9])
    assert noted
    assert 0 < float(noted[1]) < 10
    assert float(noted[2]) == facts.validation[1]
