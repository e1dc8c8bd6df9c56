from __future__ import annotations

import errno
import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from edge_ptf import models, tasks
from edge_ptf.compression import PruneConfig, prune
from edge_ptf.data.dataset import LabelledData
from edge_ptf.errors import BadInputError, CheckpointError
from edge_ptf.examples import Encoding, Example
from edge_ptf.graph import QuantizeConfig
from edge_ptf.models.checkpoint import (
    Checkpoint,
    fresh_info,
    load_base_model,
    load_model,
    load_tokenizer,
    model_inputs,
    open_checkpoint,
    save_checkpoint,
)
from edge_ptf.progress import SILENT, Silent
from edge_ptf.training import DistillConfig, TrainingStopped, distill, distillation, teacher_outputs
from edge_ptf.training.activation_capture import ActivationCapture
from edge_ptf.training.batching import Item
from edge_ptf.training.distillation import matched_axes, matched_layers
from edge_ptf.training.fake_quantization import fake_quantized
from edge_ptf.training.finetuning import labelled_items
from edge_ptf.training.losses import relation_divergence
from edge_ptf.training.teacher_outputs import Stored, compute
from edge_ptf.training.trainer import STATE

TEXT, TOKEN = "text-classification", "token-classification"
TEXT_HEAD = tasks.create(tasks.get(TEXT).spec_for(("a", "b", "c", "d"))).head
FAMILIES = ("bert", "distilbert", "roberta", "xlm-roberta", "electra")
QUICK = DistillConfig(epochs=3, batch_size=8, learning_rate=3e-3, spliced_texts=1.0, precision="fp32")
STEPS = math.ceil(2 * 26 / 8)
SMALLER = PruneConfig(keep_layers=(0, 2), num_heads=(2, 0), intermediate_size=(32,), refit="none")

torch.set_num_threads(1)


class Killed(Exception):
    """Stands for a kill: nothing of the program runs after it."""


class Interrupted(Silent):
    """Raises after so many steps of one subword of work, or when it is over."""

    def __init__(self, title: str, steps: float) -> None:
        self.watched, self.left, self.title = title, steps, ""
        self.begun: dict[str, int] = {}

    def start(self, title: str, total: int, done: int = 0) -> None:
        self.title = title
        self.begun[title] = done

    def advance(self, steps: int = 1, note: str = "") -> None:
        if self.title == self.watched:
            self.left -= steps
            if self.left < 0:
                raise Killed

    def finish(self) -> None:
        if self.title == self.watched:
            raise Killed


@pytest.fixture(scope="module")
def student(
    tiny_teacher: Callable[..., Checkpoint],
    tiny_data: Callable[..., LabelledData],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., Checkpoint]:
    made: dict[Any, Checkpoint] = {}

    def build(family: str = "bert", task: str = TEXT) -> Checkpoint:
        if (family, task) not in made:
            out = tmp_path_factory.mktemp("student") / "out"
            config = SMALLER.replace(skip_unsupported=True)
            made[family, task] = prune(tiny_teacher(family, task), tiny_data(task), config, out)
        return made[family, task]

    return build


@pytest.fixture(scope="module")
def taught(
    tiny_teacher: Callable[..., Checkpoint],
    student: Callable[..., Checkpoint],
    tiny_data: Callable[..., LabelledData],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., Checkpoint]:
    """The student of `tiny_teacher`, taught without an interruption."""
    made: dict[Any, Checkpoint] = {}

    def build(config: DistillConfig = QUICK, family: str = "bert", task: str = TEXT) -> Checkpoint:
        key = (config.model_dump_json(), family, task)
        if key not in made:
            out = tmp_path_factory.mktemp("taught") / "out"
            made[key] = distill(tiny_teacher(family, task), student(family, task), tiny_data(task), config, out)
        return made[key]

    return build


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def weights(checkpoint: Checkpoint) -> bytes:
    return (checkpoint.path / "model.safetensors").read_bytes()


def facts(checkpoint: Checkpoint) -> dict[str, Any]:
    return checkpoint.info.lineage[-1].facts


def answers(checkpoint: Checkpoint, data: LabelledData) -> list[np.ndarray]:
    """Logits of each training text, alone."""
    model, tokenizer = load_model(checkpoint), load_tokenizer(checkpoint.path)
    inputs, found = model_inputs(model, tokenizer), []
    for example in data.train:
        batch = tokenizer(example.text, return_tensors="pt")
        with torch.no_grad():
            found.append(model(**{name: batch[name] for name in inputs}).logits[0].numpy())
    return found


def distance(left: Checkpoint, right: Checkpoint, data: LabelledData) -> float:
    pairs = zip(answers(left, data), answers(right, data), strict=True)
    return float(
        np.mean([((a - a.mean(-1, keepdims=True) - b + b.mean(-1, keepdims=True)) ** 2).mean() for a, b in pairs])
    )


@pytest.mark.parametrize("task", [TEXT, TOKEN])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_student_comes_to_answer_as_its_teacher(
    tiny_teacher: Callable[..., Checkpoint],
    student: Callable[..., Checkpoint],
    taught: Callable[..., Checkpoint],
    tiny_data: Callable[..., LabelledData],
    family: str,
    task: str,
) -> None:
    teacher, before, data = tiny_teacher(family, task), student(family, task), tiny_data(task)
    after = taught(QUICK, family, task)
    assert distance(after, teacher, data) < 0.7 * distance(before, teacher, data)
    assert after.info.layers == before.info.layers
    assert [step.stage for step in after.info.lineage] == ["finetune", "prune", "distill"]
    assert facts(after)["matched_layers"] == [1, 3]
    assert facts(after)["texts_tokenized_differently"] <= facts(after)["further_texts"] == len(data.train)
    assert load_tokenizer(after.path).get_vocab() == load_tokenizer(before.path).get_vocab()
    assert open_checkpoint(after.path) == after
    assert not (after.path / STATE).exists()


def test_a_family_that_cannot_be_pruned_is_taught(
    tiny_teacher: Callable[..., Checkpoint], taught: Callable[..., Checkpoint]
) -> None:
    after = taught(QUICK.replace(epochs=1), "albert")
    assert facts(after)["matched_layers"] == [1, 2, 3]
    assert after.info.layers == tiny_teacher("albert").info.layers


@pytest.mark.parametrize(
    ("title", "steps"),
    [
        ("Ask the teacher", 10),
        ("Ask the teacher", math.inf),
        ("Distill", 1),
        ("Distill", STEPS + 1),
        ("Distill", 2 * STEPS),
        ("Distill", math.inf),
    ],
)
def test_a_killed_run_goes_on_to_the_same_bytes(
    tiny_teacher: Callable[..., Checkpoint],
    student: Callable[..., Checkpoint],
    taught: Callable[..., Checkpoint],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
    title: str,
    steps: float,
) -> None:
    config = QUICK.replace(dropout=0.1, relation_weight=0.5)
    with pytest.raises(Killed):
        distill(tiny_teacher(), student(), tiny_data(), config, tmp_path / "out", progress=Interrupted(title, steps))
    assert not (tmp_path / "out" / "edge_ptf.json").exists()
    torch.manual_seed(99)
    listener = Interrupted("nothing", 0)
    again = distill(tiny_teacher(), student(), tiny_data(), config, tmp_path / "out", progress=listener)
    assert contents(again.path) == contents(taught(config).path)
    assert ("Ask the teacher" in listener.begun) == (title == "Ask the teacher")  # it is asked once
    done = 0 if title != "Distill" else STEPS * min(int(min(steps, 99)) // STEPS, 3)
    assert listener.begun["Distill"] == done


@pytest.mark.parametrize("task", [TEXT, TOKEN])
def test_a_student_that_int8_is_taught_for_answers_better_in_int8(
    tiny_teacher: Callable[..., Checkpoint],
    student: Callable[..., Checkpoint],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
    task: str,
) -> None:
    """In a coarse INT8 (7 bits, one scale for a matrix, whose largest weight is enormous) the difference is seen."""
    data, teacher, small = tiny_data(task), tiny_teacher("bert", task), student("bert", task)
    model = load_model(small)
    for part in models.parts(model):
        part.get("output.dense").weight.data[0, 0] = 20.0
    spiky = save_checkpoint(model, load_tokenizer(small.path), small.info, tmp_path / "spiky")
    quantization = QuantizeConfig(reduce_range=True, per_channel=False)
    config = QUICK.replace(epochs=6)
    lost = []
    for aware in (False, True):
        after = distill(
            *(teacher, spiky, data, config.replace(quantization_aware=aware), tmp_path / str(aware)),
            quantization=quantization,
        )
        assert ("quantization" in facts(after)) == aware
        model, tokenizer = load_model(after), load_tokenizer(after.path)
        with torch.no_grad(), fake_quantized(model, quantization, one_token=task == TEXT):
            texts = [tokenizer(example.text, return_tensors="pt") for example in data.train]
            found = [model(**text).logits[0].numpy() for text in texts]
        pairs = zip(found, answers(teacher, data), strict=True)
        lost.append(float(np.mean([np.square(a - b - (a - b).mean(-1, keepdims=True)).mean() for a, b in pairs])))
    assert lost[1] < 0.5 * lost[0]


def test_a_killed_run_that_teaches_for_int8_goes_on_to_the_same_bytes(
    tiny_teacher: Callable[..., Checkpoint],
    student: Callable[..., Checkpoint],
    taught: Callable[..., Checkpoint],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
) -> None:
    config = QUICK.replace(dropout=0.1, quantization_aware=True)
    teacher, small, data, quantization = tiny_teacher(), student(), tiny_data(), QuantizeConfig(embeddings="int4")
    whole = distill(teacher, small, data, config, tmp_path / "whole", quantization=quantization)
    assert weights(whole) != weights(taught(QUICK.replace(dropout=0.1)))
    assert load_model(whole).state_dict().keys() == load_model(small).state_dict().keys()
    with pytest.raises(Killed):
        killed = Interrupted("Distill", STEPS + 2)
        distill(teacher, small, data, config, tmp_path / "out", progress=killed, quantization=quantization)
    torch.manual_seed(99)
    listener = Interrupted("nothing", 0)
    again = distill(teacher, small, data, config, tmp_path / "out", progress=listener, quantization=quantization)
    assert contents(again.path) == contents(whole.path)
    assert listener.begun["Distill"] == STEPS


def test_without_a_flavour_nothing_is_taught_for_int8(
    tiny_teacher: Callable[..., Checkpoint],
    student: Callable[..., Checkpoint],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
) -> None:
    config = QUICK.replace(quantization_aware=True)
    with pytest.raises(BadInputError, match=r"quantize\.mode is none"):
        distill(tiny_teacher(), student(), tiny_data(), config, tmp_path, quantization=QuantizeConfig(mode="none"))
    assert not list(tmp_path.iterdir())


def test_whoever_watches_may_stop_it_and_it_can_be_taken_up_again(
    tiny_teacher: Callable[..., Checkpoint],
    student: Callable[..., Checkpoint],
    taught: Callable[..., Checkpoint],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
) -> None:
    seen: list[int] = []

    def watch(history: Any) -> str | None:
        seen.append(len(history))
        return "hopeless" if len(history) == 2 else None

    with pytest.raises(TrainingStopped, match="hopeless") as caught:
        distill(tiny_teacher(), student(), tiny_data(), QUICK, tmp_path / "out", watch=watch)
    assert len(caught.value.history) == 2
    assert not (tmp_path / "out" / STATE).exists()  # a search stops many, and nobody goes on with them
    again = distill(tiny_teacher(), student(), tiny_data(), QUICK, tmp_path / "out", watch=lambda _: seen.append(0))
    assert seen == [1, 2, 0, 0]  # the last epoch is done anyway, so nobody is asked
    assert contents(again.path) == contents(taught().path)


def test_what_was_taught_is_not_lost_before_it_is_written(
    tiny_teacher: Callable[..., Checkpoint],
    student: Callable[..., Checkpoint],
    taught: Callable[..., Checkpoint],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: Any) -> Any:
        raise OSError("no space left")

    with monkeypatch.context() as patched, pytest.raises(OSError, match="no space left"):
        patched.setattr(distillation, "save_checkpoint", full)
        distill(tiny_teacher(), student(), tiny_data(), QUICK, tmp_path / "out")
    seen = Interrupted("nothing", 0)
    again = distill(tiny_teacher(), student(), tiny_data(), QUICK, tmp_path / "out", progress=seen)
    assert seen.begun["Distill"] == QUICK.epochs * STEPS
    assert contents(again.path) == contents(taught().path)


def test_texts_that_were_cut_off_are_alike_only_where_their_pieces_are() -> None:
    names = {5: "un", 6: "##cut", 7: "uncut", 8: "word"}
    tokenizer = SimpleNamespace(convert_ids_to_tokens=lambda ids: [names[number] for number in ids])

    def items(*texts: list[int]) -> list[Item]:
        return [Item(Encoding(ids, None), np.asarray(0), row) for row, ids in enumerate(texts)]

    theirs, own = items([7, 8], [7, 8, 8], [7, 8, 8], [8, 8, 8]), items([7, 8], [5, 6, 8], [5, 6, 8, 8], [8, 8, 8])
    assert distillation._alike(theirs, own, (tokenizer, tokenizer), 3) == [True, False, False, True]


def test_the_same_seed_gives_the_same_bytes_and_no_path_is_stored(
    tiny_teacher: Callable[..., Checkpoint],
    student: Callable[..., Checkpoint],
    taught: Callable[..., Checkpoint],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
) -> None:
    again = distill(tiny_teacher(), student(), tiny_data(), QUICK, tmp_path / "again")
    assert contents(again.path) == contents(taught().path)
    for name, content in contents(again.path).items():
        assert str(tmp_path).encode() not in content, name
    assert weights(taught(QUICK.replace(seed=1))) != weights(again)


@pytest.mark.parametrize("task", [TEXT, TOKEN])
def test_every_weight_of_the_loss_counts(taught: Callable[..., Checkpoint], task: str) -> None:
    nothing = {"logit_weight": 0.0, "label_weight": 0.0, "hidden_weight": 0.0, "relation_weight": 0.0}
    options = [
        {"logit_weight": 1.0},
        {"logit_weight": 1.0, "logit_loss": "kl"},
        {"logit_weight": 1.0, "logit_loss": "kl", "temperature": 5.0},
        {"label_weight": 1.0},
        {"hidden_weight": 1.0},
        {"relation_weight": 1.0},
        {"logit_weight": 1.0, "hidden_weight": 1.0, "relation_weight": 1.0, "label_weight": 1.0},
    ]
    found = [taught(QUICK.replace(**{**nothing, **option, "epochs": 1}), "bert", task) for option in options]
    assert len({weights(checkpoint) for checkpoint in found}) == len(options)
    for checkpoint, option in zip(found, options, strict=True):
        assert facts(checkpoint)["matched_layers"] == ([1, 3] if "hidden_weight" in option else [])


def test_every_kind_of_further_text_is_learned_from(
    tiny_teacher: Callable[..., Checkpoint],
    student: Callable[..., Checkpoint],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
) -> None:
    data = tiny_data()
    logs = replace(data, unlabelled=tuple(Example(f"{each.text} now", "a") for each in data.train[:5]))
    config = QUICK.replace(epochs=1, spliced_texts=0.5, substituted_texts=1.5)
    counts = {}
    for name, each, source in (
        ("plain", QUICK.replace(epochs=1, spliced_texts=0.0), data),
        ("logs", QUICK.replace(epochs=1, spliced_texts=0.0), logs),
        ("all", config, logs),
    ):
        after = distill(tiny_teacher(), student(), source, each, tmp_path / name)
        counts[name] = facts(after)["further_texts"]
        assert facts(after)["texts"] == len(data.train) + counts[name]
    assert counts == {"plain": 0, "logs": 5, "all": 5 + 2 * len(data.train)}


def test_hidden_states_come_nearer(
    tiny_teacher: Callable[..., Checkpoint],
    student: Callable[..., Checkpoint],
    taught: Callable[..., Checkpoint],
    tiny_data: Callable[..., LabelledData],
) -> None:
    after = taught(QUICK.replace(logit_weight=0.0, hidden_weight=1.0, spliced_texts=0))

    def apart(checkpoint: Checkpoint) -> float:
        states = []
        for one in (checkpoint, tiny_teacher()):
            model, tokenizer = load_model(one), load_tokenizer(one.path)
            with torch.no_grad():
                batch = tokenizer("turn on the light in kitchen", return_tensors="pt")
                states.append(model(**batch, output_hidden_states=True).hidden_states[-1])
        return float((states[0] - states[1]).square().mean())

    assert apart(after) < 0.5 * apart(student())


def test_narrower_hidden_states_come_nearer_to_the_numbers_they_were_cut_from(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    teacher, data = tiny_teacher(), tiny_data()
    first = prune(teacher, data, PruneConfig(num_layers=2, hidden_size=24), tmp_path / "24")
    cut = prune(first, data, PruneConfig(hidden_size=16), tmp_path / "16")
    config = QUICK.replace(logit_weight=0.0, hidden_weight=1.0, spliced_texts=0)
    after = distill(teacher, cut, data, config, tmp_path / "taught")
    axes = matched_axes(teacher, cut, 32)
    first_kept, then_kept = (step.facts["kept_hidden"] for step in cut.info.lineage[-2:])
    assert axes == tuple(first_kept[place] for place in then_kept)

    def apart(checkpoint: Checkpoint) -> float:
        states = []
        for one in (checkpoint, teacher):
            model, tokenizer = load_model(one), load_tokenizer(one.path)
            with torch.no_grad():
                batch = tokenizer("turn on the light in kitchen", return_tensors="pt")
                states.append(model(**batch, output_hidden_states=True).hidden_states[-1])
        return float((states[0] - states[1][..., list(axes)]).square().mean())

    assert apart(after) < 0.5 * apart(cut)
    assert load_model(after).classifier.in_features == 32  # what a head makes of hidden states stays as wide


def test_hidden_states_of_another_model_of_another_width_are_not_compared(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    """The student was cut from a teacher whose history is another, so which of its numbers are whose is not known."""
    data = tiny_data()
    cut = prune(tiny_teacher("electra"), data, PruneConfig(hidden_size=16), tmp_path / "cut")
    with pytest.raises(BadInputError, match="hidden states of 16 and 32 numbers cannot be compared"):
        distill(tiny_teacher(), cut, data, QUICK.replace(hidden_weight=1.0), tmp_path / "out")


def test_layers_can_be_held_against_the_nearest_ones(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    """Of a student that is the teacher without its second layer, the nearest layers are the ones it was cut from."""
    teacher, data = tiny_teacher(), tiny_data()
    cut = prune(teacher, data, PruneConfig(keep_layers=(0, 2), vocabulary=False), tmp_path / "cut")
    config = QUICK.replace(logit_weight=0.0, hidden_weight=1.0, spliced_texts=0, epochs=1)
    origin, nearest = (
        distill(teacher, cut, data, config.replace(layer_map=name), tmp_path / name) for name in ("origin", "nearest")
    )
    assert facts(origin)["matched_layers"] == [1, 3]
    assert facts(nearest)["matched_layers"] == [1, 2, 3]
    assert weights(nearest) != weights(cut)


def test_nothing_to_learn_leaves_the_student_as_it_is(
    student: Callable[..., Checkpoint], taught: Callable[..., Checkpoint]
) -> None:
    config = QUICK.replace(logit_weight=0.0, hidden_weight=0.0, spliced_texts=0, weight_decay=0.0, epochs=1)
    assert weights(taught(config)) == weights(student())


@pytest.mark.parametrize("task", [TEXT, TOKEN])
def test_a_student_with_another_tokenizer_is_taught(
    tiny_teacher: Callable[..., Checkpoint],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
    task: str,
) -> None:
    """Its tokens differ from the teacher's in most texts; states are compared where their count is the same."""
    teacher, other, data = tiny_teacher("bert", task), tiny_teacher("roberta", task), tiny_data(task)
    config = QUICK.replace(relation_weight=0.5, epochs=4)
    after = distill(teacher, other, data, config, tmp_path / "out")
    assert 0 < facts(after)["texts_tokenized_differently"] < facts(after)["texts"]
    assert facts(after)["matched_layers"] == [1, 2, 3]
    if task == TEXT:
        assert distance(after, teacher, data) < distance(other, teacher, data)
    assert all(np.isfinite(logits).all() for logits in answers(after, data))


@pytest.mark.parametrize("task", [TEXT, TOKEN])
def test_a_student_that_cuts_every_text_differently_is_taught(
    tiny_teacher: Callable[..., Checkpoint],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
    task: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(distillation, "_alike", lambda asked, *_: [False] * len(asked))
    config = QUICK.replace(relation_weight=1.0, label_weight=1.0, epochs=1)
    after = distill(tiny_teacher("bert", task), tiny_teacher("bert", task), tiny_data(task), config, tmp_path / "out")
    assert facts(after)["texts_tokenized_differently"] == facts(after)["texts"]
    assert all(np.isfinite(logits).all() for logits in answers(after, tiny_data(task)))


def narrow(base: Path, data: LabelledData, folder: Path) -> Checkpoint:
    """A student of 24 instead of 32 numbers, with fewer heads."""
    from transformers import AutoConfig, AutoModel

    load_tokenizer(base).save_pretrained(folder / "base")
    torch.manual_seed(0)
    AutoModel.from_config(
        AutoConfig.from_pretrained(base, hidden_size=24, num_attention_heads=3, num_hidden_layers=2)
    ).save_pretrained(folder / "base")
    task = tasks.create(tasks.get(TEXT).spec_for(data.labels))
    model = load_base_model(folder / "base", task)
    return save_checkpoint(model, load_tokenizer(base), fresh_info(model, task, "narrow", 32), folder / "narrow")


def test_a_narrower_student_learns_by_relations_not_by_states(
    tiny_base: Callable[[str], Path],
    tiny_teacher: Callable[..., Checkpoint],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
) -> None:
    other = narrow(tiny_base("bert"), tiny_data(), tmp_path)
    with pytest.raises(BadInputError, match="24 and 32") as caught:
        distill(tiny_teacher(), other, tiny_data(), QUICK, tmp_path / "refused")
    assert "relation_weight" in caught.value.hint
    config = QUICK.replace(logit_weight=0.0, hidden_weight=0.0, relation_weight=1.0)
    after = distill(tiny_teacher(), other, tiny_data(), config, tmp_path / "out")
    assert relations_apart(after, tiny_teacher(), tiny_data()) < 0.8 * relations_apart(
        other, tiny_teacher(), tiny_data()
    )


def relations_apart(student: Checkpoint, teacher: Checkpoint, data: LabelledData) -> float:
    """Mean divergence of the relations within the last layer's queries, keys and values, over the training texts."""
    batch = load_tokenizer(teacher.path)([example.text for example in data.train], padding=True, return_tensors="pt")

    def projected(checkpoint: Checkpoint) -> list[torch.Tensor]:
        model = load_model(checkpoint)
        with torch.no_grad(), ActivationCapture(models.projections(model)) as capture:
            model(**batch)
            return list(capture.given)

    pairs = zip(projected(student), projected(teacher), strict=True)
    return float(torch.stack([relation_divergence(*pair, batch["attention_mask"], 4) for pair in pairs]).mean())


@pytest.mark.parametrize("family", ["bert", "distilbert", "electra"])
def test_relations_are_learned_across_other_numbers_of_heads(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path, family: str
) -> None:
    """Three heads of four, and the last layer's attention is gone: its relations are those of the layer before."""
    teacher, data = tiny_teacher(family), tiny_data()
    cut = prune(teacher, data, PruneConfig(num_heads=(3, 3, 0), hidden_size=24, vocabulary=False), tmp_path / "cut")
    config = QUICK.replace(logit_weight=0.0, hidden_weight=0.0, relation_weight=1.0, spliced_texts=0)
    after = distill(teacher, cut, data, config, tmp_path / "out")
    assert relations_apart(after, teacher, data) < 0.8 * relations_apart(cut, teacher, data)


def test_relations_of_a_model_without_attention_are_refused(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    cut = prune(tiny_teacher(), tiny_data(), PruneConfig(num_heads=(0,), refit="none"), tmp_path / "cut")
    with pytest.raises(CheckpointError, match="no layer has attention heads"):
        distill(tiny_teacher(), cut, tiny_data(), QUICK.replace(relation_weight=1.0), tmp_path / "out")


def test_a_student_with_other_labels_is_refused(
    tiny_teacher: Callable[..., Checkpoint],
    tiny_base: Callable[[str], Path],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
) -> None:
    task = tasks.create(tasks.get(TEXT).spec_for(("a", "b")))
    model = load_base_model(tiny_base("bert"), task)
    other = save_checkpoint(
        model, load_tokenizer(tiny_base("bert")), fresh_info(model, task, "x", 32), tmp_path / "other"
    )
    with pytest.raises(BadInputError, match="other labels"):
        distill(tiny_teacher(), other, tiny_data(), QUICK, tmp_path / "out")


def unpruned(checkpoint: Checkpoint, layers: int, digest: str = "teacher") -> Checkpoint:
    """A checkpoint of so many layers that was never pruned."""
    return Checkpoint(checkpoint.path, checkpoint.info.replace(layers=checkpoint.info.layers[:1] * layers), digest)


def pruned(checkpoint: Checkpoint, kept: list[int], hidden: list[int] | None = None) -> Checkpoint:
    """It with these layers, and these numbers of the hidden states, alone."""
    layers, origin = checkpoint.info.layers[: len(kept)], checkpoint.origin.pruned(kept, hidden)
    return Checkpoint(checkpoint.path, checkpoint.info.replace(layers=layers, origin=origin), f"{checkpoint.digest}-")


def test_student_layers_are_matched_to_those_they_were_cut_from(tiny_teacher: Callable[..., Checkpoint]) -> None:
    teacher = unpruned(tiny_teacher(), 6)
    assert matched_layers(teacher, pruned(teacher, [1, 3, 5])) == (2, 4, 6)
    assert matched_layers(teacher, pruned(teacher, [0, 1])) == (1, 2)
    assert matched_layers(teacher, teacher) == (1, 2, 3, 4, 5, 6)
    once = pruned(teacher, [0, 2, 4])
    assert matched_layers(teacher, once) == (1, 3, 5)
    assert matched_layers(teacher, pruned(once, [0, 2])) == (1, 5)  # pruned twice
    assert matched_layers(once, pruned(once, [0, 2])) == (1, 3)  # the teacher was pruned once itself
    assert matched_layers(once, teacher) == (0, 1, 2, 2, 2, 3)  # which has layers that the teacher lacks
    other = unpruned(tiny_teacher(), 4, "other")
    assert matched_layers(teacher, unpruned(tiny_teacher(), 2, "other")) == (3, 6)  # of another origin
    assert matched_layers(teacher, pruned(other, [1, 2])) == (3, 6)


def test_numbers_of_hidden_states_are_matched_to_those_they_were_cut_from(
    tiny_teacher: Callable[..., Checkpoint],
) -> None:
    teacher = unpruned(tiny_teacher(), 2)
    narrow = pruned(teacher, [0, 1], [1, 2, 4, 7])
    assert matched_axes(teacher, pruned(teacher, [1]), 8) == tuple(range(8))
    assert matched_axes(teacher, narrow, 8) == (1, 2, 4, 7)
    assert matched_axes(teacher, pruned(narrow, [0], [1, 3]), 8) == (2, 7)
    assert matched_axes(narrow, pruned(narrow, [0], [1, 3]), 4) == (1, 3)
    assert matched_axes(narrow, pruned(narrow, [0]), 4) == (0, 1, 2, 3)
    assert matched_axes(narrow, teacher, 4) == (0, 1, 2, 3)  # not known, which distill refuses by their count
    assert matched_axes(teacher, unpruned(teacher, 2, "other"), 8) == tuple(range(8))


@pytest.mark.parametrize("task", [TEXT, TOKEN])
@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta", "albert"])
def test_kept_teacher_outputs_are_those_of_each_text_alone(
    tiny_teacher: Callable[..., Checkpoint],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
    family: str,
    task: str,
) -> None:
    teacher, data = tiny_teacher(family, task), tiny_data(task)
    model, tokenizer = load_model(teacher), load_tokenizer(teacher.path)
    items = labelled_items(tokenizer, tasks.create(teacher.info.head), data.train, 32)
    inputs, pad = model_inputs(model, tokenizer), int(tokenizer.pad_token_id)
    outputs = compute(
        model, tasks.create(teacher.info.head).head, items, (3, 1), inputs, pad, tmp_path / "kept", SILENT
    )
    assert outputs.per_token == (task == TOKEN)
    assert outputs.hidden is not None
    for row, example in enumerate(data.train):
        batch = tokenizer(example.text, return_tensors="pt")
        with torch.no_grad():
            direct = model(**{name: batch[name] for name in inputs}, output_hidden_states=True)
        rows = slice(*outputs.offsets[row : row + 2])
        kept = outputs.logits["logits"][rows if task == TOKEN else row]
        assert np.allclose(kept, direct.logits[0].numpy(), atol=1e-5)
        hidden = outputs.hidden.of([row])
        assert len(hidden) == batch["input_ids"].shape[1]
        for place, layer in enumerate((3, 1)):
            assert np.allclose(hidden[:, place], direct.hidden_states[layer][0].numpy(), rtol=2e-3, atol=2e-3)
    both = [outputs.hidden.of([row]) for row in (2, 0)]
    assert np.array_equal(outputs.hidden.of([2, 0]), np.concatenate(both))
    assert outputs.hidden.of([]).shape == (0, 2, 32)


def test_a_file_of_teacher_outputs_that_was_cut_short_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "hidden.bin"
    file.write_bytes(np.zeros((3, 2, 4), np.float16).tobytes())
    stored = Stored(file, (4, 2, 4), np.array([0, 2, 4]))
    assert stored.of([0]).shape == (2, 2, 4)
    with pytest.raises(OSError, match=r"hidden\.bin is shorter than it was"):
        stored.of([1])


def test_teacher_outputs_are_opened_again_and_hidden_states_left_out_where_not_asked(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    model, tokenizer = load_model(tiny_teacher()), load_tokenizer(tiny_teacher().path)
    items = labelled_items(tokenizer, tasks.create(tiny_teacher().info.head), tiny_data().train, 32)
    inputs = model_inputs(model, tokenizer)
    first = compute(model, TEXT_HEAD, items, (), inputs, 0, tmp_path, SILENT)
    assert first.hidden is first.projections is None
    assert not (tmp_path / "hidden.bin").exists()
    assert not (tmp_path / "projections.bin").exists()
    again = compute(None, TEXT_HEAD, items, (), inputs, 0, tmp_path, SILENT)  # the teacher is not needed
    assert np.array_equal(first.logits["logits"], again.logits["logits"])


@pytest.mark.parametrize("name", ["shapes.json", "logits.bin", "hidden.bin", "offsets.npy"])
def test_damaged_outputs_of_a_teacher_are_said_and_made_again(
    tiny_teacher: Callable[..., Checkpoint],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    name: str,
) -> None:
    model, tokenizer = load_model(tiny_teacher()), load_tokenizer(tiny_teacher().path)
    items = labelled_items(tokenizer, tasks.create(tiny_teacher().info.head), tiny_data().train, 32)
    inputs = model_inputs(model, tokenizer)
    first = np.array(compute(model, TEXT_HEAD, items, (1,), inputs, 0, tmp_path, SILENT).logits["logits"])
    content = bytearray((tmp_path / name).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / name).write_bytes(content)
    again = compute(model, TEXT_HEAD, items, (1,), inputs, 0, tmp_path, SILENT)
    assert np.array_equal(first, again.logits["logits"])
    assert f"{tmp_path / name}: damaged; the teacher is asked again" in caplog.text
    again = compute(None, TEXT_HEAD, items, (1,), inputs, 0, tmp_path, SILENT)
    assert np.array_equal(first, again.logits["logits"])


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system cannot take space for a file")
def test_a_disk_that_is_too_small_is_found_before_the_teacher_is_asked(
    tiny_teacher: Callable[..., Checkpoint],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    model, tokenizer = load_model(tiny_teacher()), load_tokenizer(tiny_teacher().path)
    items = labelled_items(tokenizer, tasks.create(tiny_teacher().info.head), tiny_data().train, 32)
    with pytest.raises(OSError, match="No space left"):
        compute(model, TEXT_HEAD, items, (1,), model_inputs(model, tokenizer), 0, tmp_path, SILENT)
    assert not (tmp_path / "shapes.json").exists()


@pytest.mark.parametrize("family", ["bert", "distilbert"])
def test_teacher_outputs_hold_query_key_and_value_of_the_last_layer(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path, family: str
) -> None:
    teacher = tiny_teacher(family)
    model, tokenizer = load_model(teacher), load_tokenizer(teacher.path)
    items = labelled_items(tokenizer, tasks.create(teacher.info.head), tiny_data().train, 32)
    kept = compute(model, TEXT_HEAD, items, (), model_inputs(model, tokenizer), 0, tmp_path, SILENT, projections=True)
    assert kept.projections is not None
    ids = torch.tensor([items[5].encoding.input_ids])
    part = models.parts(model)[-1]
    with torch.no_grad():
        before = model(input_ids=ids, output_hidden_states=True).hidden_states[-2]
        wanted = torch.stack([part.get(path)(before)[0] for path in part.family.projections], 1)
    assert np.allclose(kept.projections.of([5]), wanted, atol=0.01)


def test_joined_outputs_hold_the_mean_of_all_logits_and_the_states_of_the_first(
    tiny_teacher: Callable[..., Checkpoint],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(teacher_outputs, "JOINED_ROWS", 7)
    model, tokenizer = load_model(tiny_teacher()), load_tokenizer(tiny_teacher().path)
    items = labelled_items(tokenizer, tasks.create(tiny_teacher().info.head), tiny_data().train, 32)
    inputs = model_inputs(model, tokenizer)
    found = []
    for number in range(3):
        with torch.no_grad():
            model.classifier.weight.mul_(1 + number)
        found.append(compute(model, TEXT_HEAD, items, (1,), inputs, 0, tmp_path / str(number), SILENT))
    joined = found[0].joined(found[1:], tmp_path / "mean", TEXT_HEAD)
    mean = np.mean([outputs.logits["logits"] for outputs in found], axis=0)
    assert np.allclose(joined.logits["logits"], mean, atol=1e-6)
    assert not np.allclose(joined.logits["logits"], found[0].logits["logits"], atol=1e-3)
    assert joined.hidden is found[0].hidden


@pytest.mark.parametrize("task", [TEXT, TOKEN])
def test_a_student_of_several_teachers_answers_as_their_mean(
    tiny_teacher: Callable[..., Checkpoint],
    student: Callable[..., Checkpoint],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
    task: str,
) -> None:
    data, teacher = tiny_data(task), tiny_teacher("bert", task)
    model = load_model(teacher)
    with torch.no_grad():
        model.classifier.weight.neg_()  # disagrees with the teacher in everything
        model.classifier.bias.neg_()
    info = teacher.info.replace(lineage=())
    opposite = save_checkpoint(model, load_tokenizer(teacher.path), info, tmp_path / "opposite")
    config = QUICK.replace(hidden_weight=0.0, epochs=6)
    taught = distill(teacher, student("bert", task), data, config, tmp_path / "out", extra_teachers=[opposite])
    assert facts(taught)["teachers"] == 2
    assert not (taught.path / STATE).exists()
    centred = [logits - logits.mean(-1, keepdims=True) for logits in answers(taught, data)]
    theirs = [logits - logits.mean(-1, keepdims=True) for logits in answers(teacher, data)]
    size, full = (float(np.mean([(logits**2).mean() for logits in each])) for each in (centred, theirs))
    assert size < 0.1 * full  # the mean of both is nothing


def test_a_teacher_that_cuts_texts_differently_or_has_other_labels_cannot_assist(
    tiny_teacher: Callable[..., Checkpoint],
    student: Callable[..., Checkpoint],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
) -> None:
    teacher, data = tiny_teacher(), tiny_data()
    shorter = save_checkpoint(
        load_model(teacher), load_tokenizer(teacher.path), teacher.info.replace(max_length=16), tmp_path / "shorter"
    )
    head = teacher.info.head.with_options(out_of_scope_label="none")
    scoped = save_checkpoint(
        load_model(teacher), load_tokenizer(teacher.path), teacher.info.replace(head=head), tmp_path / "scoped"
    )
    for other, message in (
        (shorter, "cuts texts differently"),
        (tiny_teacher("bert", TOKEN), "other labels"),
        (scoped, "other settings of its head"),
    ):
        with pytest.raises(BadInputError, match=message):
            distill(teacher, student(), data, QUICK, tmp_path / "out", extra_teachers=[other])


def test_dropout_replaces_the_students_own(
    student: Callable[..., Checkpoint], taught: Callable[..., Checkpoint]
) -> None:
    from edge_ptf.training.distillation import _set_dropout

    for family in ("bert", "distilbert", "electra", "albert"):
        model = load_model(student(family))
        _set_dropout(model, 0.0)
        assert {module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)} == {0.0}
        ids = torch.randint(5, 60, (2, 8), generator=torch.Generator().manual_seed(0))
        model.train()
        with torch.no_grad():
            assert torch.equal(model(input_ids=ids).logits, model(input_ids=ids).logits)
    assert weights(taught(QUICK.replace(dropout=0.3, epochs=1))) != weights(taught(QUICK.replace(epochs=1)))


def test_bf16_runs(taught: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData]) -> None:
    after = taught(QUICK.replace(precision="bf16", epochs=1, relation_weight=1.0))
    assert facts(after)["precision"] == "bf16"
    assert {value.dtype for value in load_model(after).parameters()} == {torch.float32}
    assert models.shapes(load_model(after)) == after.info.layers


def test_pieces_outside_the_training_texts_stay(
    student: Callable[..., Checkpoint], taught: Callable[..., Checkpoint]
) -> None:
    before, after = (models.word_embeddings(load_model(checkpoint)).weight for checkpoint in (student(), taught()))
    names = load_tokenizer(student().path).get_vocab()
    assert torch.equal(after[names["z"]], before[names["z"]])
    assert not torch.equal(after[names["kitchen"]], before[names["kitchen"]])
