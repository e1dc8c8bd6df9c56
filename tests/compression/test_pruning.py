from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

from edge_ptf import models, tasks
from edge_ptf.compression import PruneConfig, prune, pruning
from edge_ptf.compression.latency_table import LatencyTable, LatencyTableConfig, measure_latency_table
from edge_ptf.compression.pruning import spread_layers
from edge_ptf.data.dataset import LabelledData
from edge_ptf.errors import BadInputError, CheckpointError
from edge_ptf.examples import Example
from edge_ptf.graph import QuantizeConfig
from edge_ptf.models import LayerShape
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
from edge_ptf.report.stage_lines import checkpoint_line
from edge_ptf.training.batching import Item, pad_inputs
from edge_ptf.training.finetuning import labelled_items

FAMILIES = ("bert", "roberta", "xlm-roberta", "distilbert", "electra")
TEXT, TOKEN = "text-classification", "token-classification"

torch.set_num_threads(1)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def shapes(checkpoint: Checkpoint) -> list[tuple[int, int]]:
    return [(layer.num_heads, layer.intermediate_size) for layer in checkpoint.info.layers]


def logits(checkpoint: Checkpoint, examples: tuple[Example, ...]) -> torch.Tensor:
    model, tokenizer = load_model(checkpoint), load_tokenizer(checkpoint.path)
    items = labelled_items(tokenizer, tasks.create(checkpoint.info.head), examples, checkpoint.info.max_length)
    inputs = model_inputs(model, tokenizer)
    with torch.no_grad():
        return model(**pad_inputs(items, inputs, int(tokenizer.pad_token_id))).logits


@pytest.mark.parametrize("task", [TEXT, TOKEN])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_smaller_vocabulary_changes_no_answer_to_the_texts_it_was_cut_for(
    tiny_teacher: Callable[..., Checkpoint],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
    family: str,
    task: str,
) -> None:
    teacher, data = tiny_teacher(family, task), tiny_data(task)
    student = prune(teacher, data, PruneConfig(), tmp_path / "out")
    facts = student.info.lineage[-1].facts
    assert facts["subwords_after"] < facts["subwords_before"] == len(load_tokenizer(teacher.path))
    model, tokenizer = load_model(student), load_tokenizer(student.path)
    rows = models.word_embeddings(model).weight.shape[0]
    assert rows == len(tokenizer) == facts["subwords_after"] == model.config.vocab_size
    assert model.config.pad_token_id == tokenizer.pad_token_id
    assert (logits(student, data.train) - logits(teacher, data.train)).abs().max() < 1e-5
    assert student.info.layers == teacher.info.layers
    assert facts["mean_tokens_before"] == facts["mean_tokens_after"]


@pytest.mark.parametrize(
    ("config", "wanted", "kept"),
    [
        ({"num_layers": 2}, [(4, 64)] * 2, [1, 2]),
        ({"num_layers": 1}, [(4, 64)], [2]),
        ({"num_layers": 0.5}, [(4, 64)] * 2, [1, 2]),
        ({"num_layers": 0.01}, [(4, 64)], [2]),
        ({"num_layers": 3}, [(4, 64)] * 3, [0, 1, 2]),
        ({"keep_layers": "2,0"}, [(4, 64)] * 2, [0, 2]),
        ({"keep_layers": 1}, [(4, 64)], [1]),
        ({"keep_layers": (1, 1), "num_layers": 3}, [(4, 64)], [1]),
        ({"num_heads": 2}, [(2, 64)] * 3, [0, 1, 2]),
        ({"num_heads": 0.5}, [(2, 64)] * 3, [0, 1, 2]),
        ({"num_heads": 0.01}, [(1, 64)] * 3, [0, 1, 2]),
        ({"num_heads": "4,0,1"}, [(4, 64), (0, 64), (1, 64)], [0, 1, 2]),
        ({"intermediate_size": 32}, [(4, 32)] * 3, [0, 1, 2]),
        ({"intermediate_size": 0.5}, [(4, 32)] * 3, [0, 1, 2]),
        ({"intermediate_size": 0.01}, [(4, 32)] * 3, [0, 1, 2]),
        ({"intermediate_size": 0.99}, [(4, 64)] * 3, [0, 1, 2]),
        ({"intermediate_size": (7, 0, 0.5), "num_heads": 1}, [(1, 7), (1, 0), (1, 32)], [0, 1, 2]),
        ({"num_layers": 2, "num_heads": (1, 3), "intermediate_size": "0,64"}, [(1, 0), (3, 64)], [1, 2]),
    ],
)
def test_sizes_are_counts_or_shares(
    tiny_teacher: Callable[..., Checkpoint],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
    config: dict[str, Any],
    wanted: list[tuple[int, int]],
    kept: list[int],
) -> None:
    options = PruneConfig.model_validate({**config, "importance": "magnitude", "vocabulary": False})
    student = prune(tiny_teacher("bert"), tiny_data(), options, tmp_path / "out")
    assert shapes(student) == wanted
    assert student.info.lineage[-1].facts["kept_layers"] == kept
    assert [tuple(shape.values()) for shape in student.info.lineage[-1].facts["shapes"]] == wanted
    assert models.shapes(load_model(student)) == student.info.layers


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"num_layers": 4}, "num_layers: cannot keep 4 of 3"),
        ({"num_layers": 1.5}, "num_layers: cannot keep 1.5"),
        ({"keep_layers": (0, 3)}, "no layer 3"),
        ({"keep_layers": (-1,)}, "no layer -1"),
        ({"keep_layers": ""}, "the list is empty"),
        ({"num_heads": 5}, "num_heads: cannot keep 5 of 4"),
        ({"num_heads": -1}, "num_heads: cannot keep -1"),
        ({"num_heads": 1.5}, "num_heads: cannot keep 1.5"),
        ({"num_heads": (1, 2)}, "num_heads: 2 numbers for 3 layers"),
        ({"intermediate_size": 65}, "intermediate_size: cannot keep 65 of 64"),
        ({"intermediate_size": (1, 1, 1), "num_layers": 2}, "intermediate_size: 3 numbers for 2 layers"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(
    tiny_teacher: Callable[..., Checkpoint],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
    config: dict[str, Any],
    message: str,
) -> None:
    with pytest.raises(BadInputError) as caught:
        prune(tiny_teacher("bert"), tiny_data(), PruneConfig.model_validate(config), tmp_path / "out")
    assert message in caught.value.message
    assert caught.value.hint
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "config", [{"num_layers": 0}, {"num_layers": -1}, {"num_heads": "many"}, {"importance": "random"}]
)
def test_values_that_are_never_right_are_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PruneConfig.model_validate(config)


@pytest.mark.parametrize(
    ("count", "kept", "wanted"),
    [(6, 3, [1, 3, 5]), (6, 2, [2, 5]), (6, 1, [5]), (6, 6, [0, 1, 2, 3, 4, 5]), (12, 4, [2, 5, 8, 11])],
)
def test_layers_are_spread_evenly_and_the_last_one_stays(count: int, kept: int, wanted: list[int]) -> None:
    assert spread_layers(count, kept) == wanted


def test_spread_layers_are_always_distinct() -> None:
    for count in range(1, 25):
        for kept in range(1, count + 1):
            found = spread_layers(count, kept)
            assert found == sorted(set(found))
            assert len(found) == kept
            assert 0 <= found[0] <= found[-1] == count - 1


@pytest.mark.parametrize("importance", ["fisher", "magnitude"])
@pytest.mark.parametrize("family", FAMILIES)
def test_parts_that_do_nothing_go_first(
    tiny_teacher: Callable[..., Checkpoint],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
    family: str,
    importance: str,
) -> None:
    """Half of the teacher's heads and neurons are switched off. A student of half the size gives equal answers."""
    teacher, data = tiny_teacher(family), tiny_data()
    model = load_model(teacher)
    with torch.no_grad():
        for part in models.parts(model):
            part.get(part.family.attention_output).weight.view(32, 4, 8)[:, [0, 3]] = 0
            part.get(part.family.feed_forward_output).weight[:, ::2] = 0
    idle = save_checkpoint(model, load_tokenizer(teacher.path), teacher.info, tmp_path / "idle")
    options = PruneConfig(num_heads=(2,), intermediate_size=(0.5,), importance=importance)
    student = prune(idle, data, options, tmp_path / "student")
    assert shapes(student) == [(2, 32)] * 3
    assert (logits(student, data.train) - logits(idle, data.train)).abs().max() < 1e-5


def test_the_same_teacher_gives_the_same_bytes(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    options = PruneConfig(num_layers=2, num_heads=(0.5,), intermediate_size=(0.5,))
    first = prune(tiny_teacher("bert"), tiny_data(), options, tmp_path / "first")
    second = prune(tiny_teacher("bert"), tiny_data(), options, tmp_path / "elsewhere" / "second")
    assert contents(first.path) == contents(second.path)
    assert [step.stage for step in first.info.lineage] == ["finetune", "prune"]
    assert first.info.lineage[-1].config == options.model_dump(mode="json")


def test_a_student_can_be_pruned_further(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    first = prune(
        tiny_teacher("bert"),
        tiny_data(),
        PruneConfig(num_heads=(3, 0, 2), intermediate_size=(64, 32, 0)),
        tmp_path / "1",
    )
    second = prune(first, tiny_data(), PruneConfig(keep_layers=(0, 2), num_heads=(0.5,)), tmp_path / "2")
    assert shapes(second) == [(2, 64), (1, 0)]
    assert second.info.lineage[-1].facts["subwords_before"] == second.info.lineage[-1].facts["subwords_after"]


def test_a_share_of_an_odd_width_stays_within_it(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    options = PruneConfig(intermediate_size=(50,), importance="magnitude", vocabulary=False)
    odd = prune(tiny_teacher("bert"), tiny_data(), options, tmp_path / "odd")
    options = options.replace(intermediate_size=(0.99, 0.5, 0.01))
    assert [ffn for _, ffn in shapes(prune(odd, tiny_data(), options, tmp_path / "out"))] == [50, 32, 32]


def test_few_samples_are_enough_for_fisher(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    student = prune(tiny_teacher("bert"), tiny_data(), PruneConfig(num_heads=(1,), samples=1), tmp_path / "out")
    assert shapes(student) == [(1, 64)] * 3


def test_importance_is_taken_from_all_over_validation(
    tiny_teacher: Callable[..., Checkpoint],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Example] = []

    def shown(tokenizer: Any, task: Any, examples: list[Example], longest: int) -> list[Item]:
        seen.extend(examples)
        return labelled_items(tokenizer, task, examples, longest)

    monkeypatch.setattr(pruning, "labelled_items", shown)
    teacher, data = tiny_teacher("bert"), tiny_data()
    count = len(data.validation) - 1
    prune(teacher, data, PruneConfig(num_heads=(1,), samples=count, refit="none"), tmp_path / "out")
    assert len(seen) == len({id(example) for example in seen}) == count
    assert seen[0] is data.validation[0]
    assert seen[-1] is data.validation[-1]


def test_texts_without_a_label_say_nothing_about_importance(
    tiny_teacher: Callable[..., Checkpoint],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unlabelled(*arguments: Any) -> list[Item]:
        return [replace(item, target=np.asarray(-100)) for item in labelled_items(*arguments)]

    monkeypatch.setattr(pruning, "labelled_items", unlabelled)
    with pytest.raises(BadInputError, match=r"none of the .* has a label of a class"):
        prune(tiny_teacher("bert"), tiny_data(), PruneConfig(num_heads=(1,)), tmp_path / "out")


def test_the_vocabulary_is_filled_to_the_size_asked_for(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    student = prune(tiny_teacher("bert"), tiny_data(), PruneConfig(vocabulary_size=130), tmp_path / "out")
    assert len(load_tokenizer(student.path)) == 130
    rare = prune(tiny_teacher("bert"), tiny_data(), PruneConfig(vocabulary_min_count=5), tmp_path / "rare")
    assert len(load_tokenizer(rare.path)) < 125
    assert rare.info.lineage[-1].facts["mean_tokens_after"] > rare.info.lineage[-1].facts["mean_tokens_before"]


@pytest.mark.parametrize(("family", "kept"), [("bert", 100), ("roberta", 300)])
def test_the_vocabulary_has_the_size_asked_for_wherever_the_padding_token_is(
    tiny_data: Callable[..., LabelledData],
    tiny_base: Callable[[str], Path],
    tmp_path: Path,
    family: str,
    kept: int,
) -> None:
    base, data = tiny_base(family), tiny_data()
    if family == "bert":
        tokenizer = load_tokenizer(base)
        tokenizer.add_special_tokens({"pad_token": "[LAST]"})
        AutoModel.from_config(
            AutoConfig.from_pretrained(base, vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id)
        ).save_pretrained(tmp_path / "base")
        tokenizer.save_pretrained(tmp_path / "base")
        base = tmp_path / "base"
        assert tokenizer.pad_token_id == len(tokenizer) - 1
    whole = saved(base, data, tmp_path / "whole")
    student = prune(whole, data, PruneConfig(vocabulary_size=kept), tmp_path / "out")
    small, model = load_tokenizer(student.path), load_model(student)
    least = len(load_tokenizer(prune(whole, data, PruneConfig(), tmp_path / "least").path))
    assert len(small) == max(kept, least) < len(load_tokenizer(base))
    assert model.config.pad_token_id == small.pad_token_id
    text = data.train[0].text
    answers = []
    for checkpoint in (whole, student):
        batch = load_tokenizer(checkpoint.path)([text, f"{text} {text}"], padding=True, return_tensors="pt")
        with torch.no_grad():
            answers.append(load_model(checkpoint)(**batch).logits)
    assert torch.allclose(*answers, atol=1e-6)


def test_a_vocabulary_that_cannot_be_pruned_stays_and_the_facts_say_why(
    tiny_data: Callable[..., LabelledData], tiny_base: Callable[[str], Path], tmp_path: Path
) -> None:
    from tokenizers import Tokenizer, pre_tokenizers, processors
    from tokenizers import models as tokenizer_models

    data, base = tiny_data(), tmp_path / "base"
    words = sorted({word for example in data.train for word in example.text.split()})
    numbers = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words])}
    core = Tokenizer(tokenizer_models.WordLevel(numbers, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    core.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokens = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep")}
    PreTrainedTokenizerFast(tokenizer_object=core, **tokens).save_pretrained(base)
    AutoModel.from_config(AutoConfig.from_pretrained(tiny_base("bert"), vocab_size=len(numbers))).save_pretrained(base)
    student = prune(saved(base, data, tmp_path / "whole"), data, PruneConfig(keep_layers=(0, 2)), tmp_path / "out")
    assert len(load_tokenizer(student.path)) == len(numbers)
    assert "WordLevel" in student.info.lineage[-1].facts["vocabulary_skipped"]
    assert "vocabulary not pruned: the elementary subwords of a WordLevel" in checkpoint_line(student)


def odd_base(base: Path, out: Path, *, rows: int = 0, extra_tokens: tuple[str, ...] = (), **config: Any) -> Path:
    """A base model with more or fewer embedding rows than its tokenizer has subwords."""
    tokenizer = load_tokenizer(base)
    settings = AutoConfig.from_pretrained(base, vocab_size=len(tokenizer) + rows, **config)
    tokenizer.add_tokens(list(extra_tokens))
    torch.manual_seed(0)
    AutoModel.from_config(settings).save_pretrained(out)
    tokenizer.save_pretrained(out)
    return out


def saved(base: Path, data: LabelledData, out: Path) -> Checkpoint:
    task = tasks.create(tasks.get(TEXT).spec_for(data.labels))
    torch.manual_seed(0)
    model = load_base_model(base, task).eval()
    return save_checkpoint(model, load_tokenizer(base), fresh_info(model, task, "odd", 32), out)


@pytest.mark.parametrize(("rows", "extra"), [(7, ()), (0, ("☕",)), (2, ("☕",))])
def test_tables_and_tokenizers_of_unlike_size_are_cut(
    tiny_base: Callable[[str], Path],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
    rows: int,
    extra: tuple[str, ...],
) -> None:
    data = tiny_data()
    whole = saved(odd_base(tiny_base("bert"), tmp_path / "base", rows=rows, extra_tokens=extra), data, tmp_path / "w")
    student = prune(whole, data, PruneConfig(), tmp_path / "out")
    assert (logits(student, data.train) - logits(whole, data.train)).abs().max() < 1e-5
    assert models.word_embeddings(load_model(student)).weight.shape[0] == 124 + (rows > 0) * len(extra)


def test_positions_stay_right_where_the_padding_piece_stands_late(
    tiny_base: Callable[[str], Path], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    """RoBERTa counts positions from the id of the padding subword."""
    base, data = tiny_base("xlm-roberta"), tiny_data()
    load_tokenizer(base).save_pretrained(tmp_path / "base")
    document = json.loads((tmp_path / "base" / "tokenizer.json").read_text())
    names = [subword for subword, _ in document["model"]["vocab"]]
    spare = names.index("▁volume")
    entries = document["model"]["vocab"]
    entries[1], entries[spare] = entries[spare], entries[1]  # exchanges the padding subword and a rare word
    for item in document["added_tokens"]:
        item["id"] = spare if item["content"] == "<pad>" else item["id"]
    (tmp_path / "base" / "tokenizer.json").write_text(json.dumps(document))
    tokenizer = load_tokenizer(tmp_path / "base")
    assert tokenizer.pad_token_id == spare > 20
    settings = AutoConfig.from_pretrained(base, pad_token_id=spare, max_position_embeddings=200)
    torch.manual_seed(0)
    AutoModel.from_config(settings).save_pretrained(tmp_path / "base")
    whole = saved(tmp_path / "base", data, tmp_path / "whole")
    student = prune(whole, data, PruneConfig(), tmp_path / "out")
    assert len(load_tokenizer(student.path)) < len(tokenizer)
    assert (logits(student, data.train) - logits(whole, data.train)).abs().max() < 1e-5


def test_an_unknown_family_is_refused_or_left_as_it_is(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    teacher, data = tiny_teacher("albert"), tiny_data()
    options = PruneConfig(num_layers=2, num_heads=(1,))
    with pytest.raises(CheckpointError, match="'albert' cannot be pruned"):
        prune(teacher, data, options, tmp_path / "refused")
    assert not (tmp_path / "refused").exists()
    student = prune(teacher, data, options.replace(skip_unsupported=True), tmp_path / "out")
    assert student.info.lineage[-1].facts == {"skipped": "family albert"}
    assert student.info.layers == teacher.info.layers
    assert torch.equal(logits(student, data.train), logits(teacher, data.train))
    assert open_checkpoint(student.path) == student


def test_skipping_does_not_touch_a_family_that_can_be_pruned(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    options = PruneConfig(num_layers=1, skip_unsupported=True)
    assert shapes(prune(tiny_teacher("bert"), tiny_data(), options, tmp_path / "out")) == [(4, 64)]


def test_the_second_text_of_a_pair_counts_too(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    from dataclasses import replace

    data = tiny_data()
    pairs = tuple(replace(example, text_pair="stop the volume") for example in data.train)
    student = prune(tiny_teacher("bert"), replace(data, train=pairs), PruneConfig(), tmp_path / "out")
    assert {"stop", "volume"} <= set(load_tokenizer(student.path).get_vocab())


def latency_table(teacher: Checkpoint, data: LabelledData, out: Path) -> LatencyTable:
    return measure_latency_table(teacher, data, QuantizeConfig(), LatencyTableConfig(source="estimated"), out)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_speedup_is_met_by_the_widths_that_are_found(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path, family: str
) -> None:
    teacher, data = tiny_teacher(family), tiny_data()
    latencies = latency_table(teacher, data, tmp_path / "costs")
    student = prune(teacher, data, PruneConfig(speedup=1.3), tmp_path / "out", latencies=latencies)
    facts = student.info.lineage[-1].facts
    assert facts["latency_table"] == "estimated"
    assert facts["predicted_ms"] == pytest.approx(latencies.predict(student.info.layers), abs=1e-4)
    assert latencies.predict(student.info.layers) <= latencies.unpruned_predicted_ms / 1.3
    assert len(facts["refit_error_left"]) == 2 * len(facts["kept_layers"])
    assert models.shapes(load_model(student)) == student.info.layers
    again = prune(teacher, data, PruneConfig(speedup=1.3), tmp_path / "again", latencies=latencies)
    assert contents(again.path) == contents(student.path)


def test_a_speedup_without_costs_is_refused(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    with pytest.raises(BadInputError, match="needs a latency table"):
        prune(tiny_teacher("bert"), tiny_data(), PruneConfig(speedup=1.3), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("sizes", [{"layers": 4}, {"heads": 8}, {"neurons": 128}])
def test_costs_of_a_smaller_model_are_refused(
    tiny_teacher: Callable[..., Checkpoint],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
    sizes: dict[str, int],
) -> None:
    teacher, data = tiny_teacher("bert"), tiny_data()
    latencies = latency_table(teacher, data, tmp_path / "costs")
    wanted = {"layers": 3, "heads": 4, "neurons": 64}
    less = {name: wanted[name] // 2 for name in sizes}
    found = {**wanted, **less}
    layer = LayerShape(num_heads=found["heads"], intermediate_size=found["neurons"])
    other = latencies.replace(unpruned=[layer.model_dump()] * found["layers"])
    with pytest.raises(BadInputError, match="the latency table is for a model with"):
        prune(teacher, data, PruneConfig(speedup=1.3), tmp_path / "out", latencies=other)


def test_layers_that_are_gone_are_made_up_for_where_the_others_stay_whole(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    teacher, data, distances = tiny_teacher("bert"), tiny_data(), {}
    for refit in ("none", "weights"):
        options = PruneConfig(keep_layers=(0, 2), refit=refit, vocabulary=False)
        student = prune(teacher, data, options, tmp_path / refit)
        assert ("refit_error_left" in student.info.lineage[-1].facts) == (refit == "weights")
        distances[refit] = float((logits(student, data.train) - logits(teacher, data.train)).square().mean())
    assert distances["weights"] < distances["none"]


def test_a_speedup_that_is_out_of_reach_is_refused(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    teacher, data = tiny_teacher("bert"), tiny_data()
    with pytest.raises(BadInputError, match="no structure takes"):
        prune(
            teacher,
            data,
            PruneConfig(speedup=99),
            tmp_path / "out",
            latencies=latency_table(teacher, data, tmp_path / "c"),
        )


@pytest.mark.parametrize(
    "sizes", [{"num_layers": 2}, {"intermediate_size": 0.5}, {"keep_layers": "0,1"}, {"num_heads": 1}]
)
def test_a_speedup_and_sizes_do_not_go_together(sizes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="computes the widths itself"):
        PruneConfig.model_validate({"speedup": 2, **sizes})


@pytest.mark.parametrize("task", [TEXT, TOKEN])
def test_what_is_refitted_answers_more_like_the_teacher(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path, task: str
) -> None:
    teacher, data = tiny_teacher("bert", task), tiny_data(task)
    distances = {}
    for refit in ("none", "scales", "weights"):
        options = PruneConfig(intermediate_size=(0.5,), num_heads=(2,), refit=refit, vocabulary=False)
        student = prune(teacher, data, options, tmp_path / refit)
        distances[refit] = float((logits(student, data.train) - logits(teacher, data.train)).square().mean())
    assert distances["weights"] < distances["none"]
    assert distances["weights"] < distances["scales"]


@pytest.mark.parametrize("importance", ["fisher", "magnitude"])
@pytest.mark.parametrize("family", FAMILIES)
def test_hidden_states_are_cut_to_a_count_or_a_share(
    tiny_teacher: Callable[..., Checkpoint],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
    family: str,
    importance: str,
) -> None:
    teacher, data = tiny_teacher(family), tiny_data()
    options = PruneConfig(num_layers=2, num_heads=(2,), hidden_size=20, importance=importance)
    student = prune(teacher, data, options, tmp_path / "count")
    model = load_model(student)
    assert student.info.hidden_size == models.hidden_size(model) == 20
    kept = student.info.lineage[-1].facts["kept_hidden"]
    assert kept == sorted(set(kept))
    assert len(kept) == 20
    assert logits(student, data.test).isfinite().all()
    further = prune(student, data, PruneConfig(hidden_size=12, vocabulary=False), tmp_path / "further")
    assert further.info.hidden_size == models.hidden_size(load_model(further)) == 12
    assert open_checkpoint(further.path) == further
    whole = prune(teacher, data, PruneConfig(hidden_size=0.9), tmp_path / "share")  # rounded to 32, the whole size
    assert whole.info.hidden_size is None
    assert "kept_hidden" not in whole.info.lineage[-1].facts


def test_more_hidden_numbers_than_there_are_cannot_be_kept(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    with pytest.raises(BadInputError, match="hidden_size: cannot keep 40 of 32"):
        prune(tiny_teacher("bert"), tiny_data(), PruneConfig(hidden_size=40), tmp_path / "out")
    with pytest.raises(ValidationError, match="remove hidden"):
        PruneConfig(hidden_size=20, speedup=2)
