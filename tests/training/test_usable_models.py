"""Fine-tuning refuses a model that cannot become a package before the first step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModel

from edge_ptf import tasks
from edge_ptf.data.dataset import LabelledData
from edge_ptf.errors import CheckpointError
from edge_ptf.models.checkpoint import load_tokenizer
from edge_ptf.progress import Silent
from edge_ptf.training import FinetuneConfig, finetune

TEXT = "text-classification"
SIZES = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4, "num_hidden_layers": 2}

torch.set_num_threads(1)


class NeverTraining(Silent):
    """Fails when the training begins."""

    def start(self, title: str, total: int, done: int = 0) -> None:
        raise AssertionError(f"{title} has begun")


def base_of(kind: str, tokenizer: Any, folder: Path, **options: Any) -> Path:
    torch.manual_seed(0)
    sizes = {**SIZES, "vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id, **options}
    AutoModel.from_config(AutoConfig.for_model(kind, **sizes)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def tuned(base: Path, data: LabelledData, out: Path, progress: Silent) -> Any:
    task = tasks.create(tasks.get(TEXT).spec_for(data.labels))
    config = FinetuneConfig(epochs=1, batch_size=8, max_length=32, precision="fp32")
    return finetune(base, "base", data, task, config, out, progress)


@pytest.mark.parametrize(
    ("kind", "options"),
    [("longformer", {"attention_window": [4, 4], "max_position_embeddings": 64}), ("fnet", {})],
)
def test_a_family_that_cannot_be_exported_is_refused_before_training(
    tiny_base: Callable[[str], Path],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    kind: str,
    options: dict[str, Any],
) -> None:
    base = base_of(kind, load_tokenizer(tiny_base("bert")), tmp_path / "base", **options)
    capfd.readouterr()
    with pytest.raises(CheckpointError, match=f"'{kind}' cannot be exported") as caught:
        tuned(base, tiny_data(), tmp_path / "out", NeverTraining())
    assert "\n" not in str(caught.value)
    assert "bert" in caught.value.hint
    assert "onnxruntime" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("kind", "options"), [("data2vec-text", {}), ("ibert", {}), ("albert", {"embedding_size": 16}), ("big_bird", {})]
)
def test_a_text_as_long_as_the_position_table_allows_is_trained_on(
    tiny_base: Callable[[str], Path],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
    kind: str,
    options: dict[str, Any],
) -> None:
    tokenizer, data = load_tokenizer(tiny_base("bert")), tiny_data()
    base = base_of(kind, tokenizer, tmp_path / "base", max_position_embeddings=12, **options)
    found = tuned(base, data, tmp_path / "out", Silent())
    assert found.info.max_length == (11 if kind in ("data2vec-text", "ibert") else 12)
    assert max(len(ids) for ids in tokenizer([each.text for each in data.train])["input_ids"]) > 8


def test_a_token_without_an_embedding_row_is_refused_before_training(
    tiny_base: Callable[[str], Path], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    tokenizer = load_tokenizer(tiny_base("bert"))
    rows = len(tokenizer)
    tokenizer.add_tokens(["kitchen light"])
    base = base_of("bert", tokenizer, tmp_path / "base", vocab_size=rows)
    with pytest.raises(CheckpointError, match=rf"1 tokens without a row .* table of {rows} rows"):
        tuned(base, tiny_data(), tmp_path / "out", NeverTraining())
