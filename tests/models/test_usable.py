"""A model that would load as another one, or could not become a package, is refused with one line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForMaskedLM

from edge_ptf.compression.vocabulary import rewritten
from edge_ptf.errors import CheckpointError
from edge_ptf.models.checkpoint import (
    fresh_info,
    load_base_model,
    load_model,
    load_tokenizer,
    open_checkpoint,
    save_checkpoint,
)
from edge_ptf.models.usable import check_rows
from edge_ptf.tasks.text_classification import TextClassification
from edge_ptf.tasks.token_classification import TokenClassification

TASK = TextClassification(TextClassification.spec_for(("a", "b")))
TAGS = TokenClassification(TokenClassification.spec_for(("O", "B-A", "I-A")))
WEIGHTS = "model.safetensors"
WITHOUT_PLACE = ("encoder.layer.0.attention.self.distance_embedding.weight", "encoder.layer.3.output.dense.weight")


@pytest.fixture
def copied(tiny_base: Callable[[str], Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_base("bert"), tmp_path / "base"))


def refused(action: Callable[[], Any], *parts: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        action()
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    for part in parts:
        assert part in caught.value.message


def changed(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def with_weights(folder: Path, **weights: torch.Tensor) -> None:
    named = {name.replace("__", "."): value for name, value in weights.items()}
    save_file({**load_file(folder / WEIGHTS), **named}, folder / WEIGHTS, {"format": "pt"})


@pytest.mark.parametrize("name", WITHOUT_PLACE)
@pytest.mark.parametrize("headed", [False, True])
def test_weights_of_the_encoder_without_a_place_are_named(copied: Path, name: str, headed: bool) -> None:
    if headed:
        AutoModelForMaskedLM.from_config(AutoConfig.from_pretrained(copied)).save_pretrained(copied)
    name = f"bert.{name}" if headed else name
    with_weights(copied, **{name: torch.zeros(2, 2)})
    refused(lambda: load_base_model(copied, TASK), "1 weights of the encoder have no place", f"({name})")


@pytest.mark.parametrize("family", ["bert", "roberta", "xlm-roberta", "electra", "distilbert", "albert"])
@pytest.mark.parametrize("task", [TASK, TAGS], ids=["text", "tags"])
def test_heads_and_poolers_of_the_pretrained_model_may_be_dropped(
    tiny_base: Callable[[str], Path], tmp_path: Path, family: str, task: Any
) -> None:
    base = Path(shutil.copytree(tiny_base(family), tmp_path / "base"))
    load_base_model(base, task)
    AutoModelForMaskedLM.from_config(AutoConfig.from_pretrained(base)).save_pretrained(base)
    load_base_model(base, task)
    prefix = "roberta" if "roberta" in family else family
    extra = {f"{prefix}.pooler.dense.weight": torch.zeros(2, 2), f"{prefix}.embeddings.position_ids": torch.zeros(2)}
    with_weights(base, **extra, **{"cls.seq_relationship.weight": torch.zeros(2, 2)})
    load_base_model(base, task)


@pytest.mark.parametrize("kind", [torch.int8, torch.uint8, torch.float8_e4m3fn])
def test_weights_that_are_codes_are_refused(copied: Path, kind: torch.dtype) -> None:
    name = "encoder.layer.1.output.dense.weight"
    with_weights(copied, **{name: load_file(copied / WEIGHTS)[name].to(kind)})
    refused(lambda: load_base_model(copied, TASK), name, "quantized already")


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_another_precision_are_numbers(copied: Path, kind: torch.dtype) -> None:
    save_file({name: value.to(kind) for name, value in load_file(copied / WEIGHTS).items()}, copied / WEIGHTS)
    assert {value.dtype for value in load_base_model(copied, TASK).parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("quantization_config", {"quant_method": "gptq"}),
        ("compression_config", {"format": "int-quantized"}),
        ("quant_mode", True),
    ],
)
def test_quantized_configurations_are_refused(copied: Path, field: str, value: Any) -> None:
    changed(copied / "config.json", **{field: value})
    refused(lambda: load_base_model(copied, TASK), f"'{field}'", "quantized already")


@pytest.mark.parametrize("value", ["flash_attention_2", "flex_attention", "kernels-community/flash-attn"])
def test_attention_of_kernels_is_refused(copied: Path, value: str) -> None:
    changed(copied / "config.json", attn_implementation=value)
    refused(lambda: load_base_model(copied, TASK), "attn_implementation")


def test_the_form_of_the_outputs_is_ours(copied: Path, tmp_path: Path) -> None:
    ids = torch.full((1, 5), 7)
    before = load_base_model(copied, TASK)
    asked = {"return_dict": False, "output_hidden_states": True, "output_attentions": True}
    changed(copied / "config.json", **asked)
    model = load_base_model(copied, TASK).eval()
    assert set(model(input_ids=ids)) == {"logits"}
    save_checkpoint(model, load_tokenizer(copied), fresh_info(before, TASK, "x", 64), tmp_path / "out")
    changed(tmp_path / "out" / "config.json", **asked)
    saved = load_model(open_checkpoint(tmp_path / "out"))
    assert torch.equal(saved(input_ids=ids).logits, model(input_ids=ids).logits)


def test_more_weights_than_an_onnx_file_holds_are_refused_unread(copied: Path) -> None:
    changed(copied / "config.json", vocab_size=545_000, hidden_size=1024)
    (copied / WEIGHTS).write_bytes(b"not read")
    refused(lambda: load_base_model(copied, TASK), "the weights are 2.1", "less than 2 GiB")


def test_a_token_without_an_embedding_row_is_named(copied: Path) -> None:
    model, tokenizer = load_base_model(copied, TASK), load_tokenizer(copied)
    check_rows(copied, tokenizer, model)
    rows = model.config.vocab_size
    tokenizer.add_tokens(["[ORDER]", "[ITEM]"])
    refused(lambda: check_rows(copied, tokenizer, model), "2 tokens", f"'[ORDER]', id {rows}", f"table of {rows} rows")


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("pad_token", None, "no padding token"),
        ("split_special_tokens", True, "split_special_tokens is true"),
    ],
)
def test_options_of_a_tokenizer_that_a_package_has_not_are_refused(
    copied: Path, field: str, value: Any, said: str
) -> None:
    changed(copied / "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")
    load_tokenizer(copied)
    changed(copied / "tokenizer_config.json", **{field: value})
    refused(lambda: load_tokenizer(copied), "tokenizer_config.json", said)


@pytest.mark.parametrize("place", ["tokenizer_config.json", "tokenizer.json"])
def test_a_tokenizer_that_removes_the_beginning_of_long_texts_stays_so(
    copied: Path, tmp_path: Path, tiny_data: Callable[..., Any], place: str
) -> None:
    changed(copied / "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")
    side = {"direction": "Left", "max_length": 16, "strategy": "LongestFirst", "stride": 0}
    changed(
        copied / place, **({"truncation_side": "left"} if place == "tokenizer_config.json" else {"truncation": side})
    )
    model, tokenizer = load_base_model(copied, TASK), load_tokenizer(copied)
    checkpoint = save_checkpoint(model, tokenizer, fresh_info(model, TASK, "tiny", 16), tmp_path / "checkpoint")
    small = rewritten(tokenizer, range(len(tokenizer) - 1))
    again = save_checkpoint(model, small, checkpoint.info, tmp_path / "again")
    whole = tokenizer("turn on the lights in the kitchen please", add_special_tokens=False)["input_ids"]
    for found in (tokenizer, load_tokenizer(checkpoint.path), small, load_tokenizer(again.path)):
        ids = found("turn on the lights in the kitchen please", truncation=True, max_length=6)["input_ids"]
        assert ids[1:-1] == whole[-4:]


def test_weights_with_the_old_names_of_bert_have_their_place(copied: Path) -> None:
    state = load_file(copied / WEIGHTS)
    old = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
        for name, value in state.items()
    }
    save_file(old, copied / WEIGHTS, {"format": "pt"})
    loaded = load_base_model(copied, TASK).bert.state_dict()
    assert set(old) != set(state)
    assert all(torch.equal(loaded[name], value) for name, value in state.items() if "pooler" not in name)
