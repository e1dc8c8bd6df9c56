"""Parameter-efficient fine-tuning: little is trained, the rest stays, and the merged model is the trained one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from edge_ptf import models, tasks
from edge_ptf.data.dataset import LabelledData
from edge_ptf.errors import BadInputError
from edge_ptf.models.checkpoint import Checkpoint, load_base_model, load_model, load_tokenizer
from edge_ptf.models.lineage import FinetuneFacts
from edge_ptf.progress import SILENT
from edge_ptf.tasks.base import Task
from edge_ptf.training import FinetuneConfig, adapters, finetune
from edge_ptf.training.adapters import FOLDER, Adapter, layer_rates, trained_parameters

TEXT, TOKEN, RELATION = "text-classification", "token-classification", "relation-extraction"
METHODS = ("lora", "dora", "ia3", "bitfit")
FAMILIES = sorted(models.FAMILIES)
QUICK = FinetuneConfig(epochs=2, batch_size=8, learning_rate=2e-2, max_length=32, precision="fp32")
Train = Callable[..., Checkpoint]


class Killed(Exception):
    """What a killed process looks like to the code under it."""


class Kills:
    """Stops after a number of steps."""

    def __init__(self, left: int) -> None:
        self.left = left

    def start(self, title: str, total: int, done: int = 0) -> None: ...

    def advance(self, steps: int = 1, note: str = "") -> None:
        self.left -= steps
        if self.left < 0:
            raise Killed

    def finish(self) -> None: ...


def made(task: str, data: LabelledData) -> Task:
    return tasks.create(tasks.get(task).spec_for(data.labels))


@pytest.fixture
def train(
    tiny_base: Callable[[str], Path],
    tiny_data: Callable[..., LabelledData],
    tiny_labelled: Callable[..., LabelledData],
) -> Train:
    def run(out: Path, family: str = "bert", task: str = TEXT, progress: Any = SILENT, **options: Any) -> Checkpoint:
        data, config = tiny_labelled(task) if task == RELATION else tiny_data(task), QUICK.replace(**options)
        return finetune(tiny_base(family), "tiny", data, made(task, data), config, out, progress)

    return run


def weights(checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
    return load_file(checkpoint.path / "model.safetensors")


def facts_of(checkpoint: Checkpoint) -> FinetuneFacts:
    found = checkpoint.info.facts
    assert isinstance(found, FinetuneFacts)
    return found


def fresh(base: Path, task: Task) -> Any:
    torch.manual_seed(0)
    return load_base_model(base, task)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("method", METHODS)
def test_the_output_is_the_same_before_training_and_after_merging(
    method: Any, family: str, tiny_base: Callable[[str], Path], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    """Adapters begin as nothing; with other values the merged model gives what the model with adapters gave."""
    model = fresh(tiny_base(family), made(TEXT, tiny_data())).eval()
    ids = torch.arange(5, 17)[None]
    whole = sum(value.numel() for value in model.parameters())
    with torch.no_grad():
        before = model(input_ids=ids).logits
        adapter = Adapter(model, method, 4, 8, 0.0)
        torch.testing.assert_close(model.eval()(input_ids=ids).logits, before, rtol=1e-5, atol=1e-6)
        assert 0 < trained_parameters(model) < whole
        for value in model.parameters():
            if value.requires_grad:
                value.add_(0.05 * torch.randn_like(value))
        trained = model(input_ids=ids).logits
        adapter.merge(tmp_path, "tiny")
        merged = model.eval()(input_ids=ids).logits
    assert (trained - before).abs().max() > 1e-3
    torch.testing.assert_close(merged, trained, rtol=1e-4, atol=1e-5)
    assert sum(value.numel() for value in model.parameters()) == trained_parameters(model) == whole
    assert model.state_dict().keys() == fresh(tiny_base(family), made(TEXT, tiny_data())).state_dict().keys()


@pytest.mark.parametrize("task", [TEXT, TOKEN])
@pytest.mark.parametrize("method", METHODS)
def test_the_encoder_changes_only_where_the_method_says(
    method: str, task: str, train: Train, tiny_base: Callable[[str], Path], tmp_path: Path
) -> None:
    checkpoint = train(tmp_path / "out", task=task, method=method)
    before, after = load_file(tiny_base("bert") / "model.safetensors"), weights(checkpoint)
    changed = {
        name
        for name, value in before.items()
        if name.startswith("encoder.") and not torch.equal(value, after[f"bert.{name}"])
    }
    assert changed
    if method == "bitfit":
        assert all(name.endswith("bias") for name in changed)
    elif method == "ia3":  # its numbers multiply a projection with its bias
        assert {name.rpartition(".")[0].rpartition(".")[2] for name in changed} == {"key", "value", "dense"}
        assert not any("attention.output" in name or "intermediate" in name for name in changed)
    else:
        assert all(name.endswith("weight") and "LayerNorm" not in name for name in changed)
    assert torch.equal(before["embeddings.word_embeddings.weight"], after["bert.embeddings.word_embeddings.weight"])
    facts = facts_of(checkpoint)
    assert facts.trained_parameters is not None
    assert facts.parameters == sum(value.numel() for value in after.values())
    assert 0 < facts.trained_parameters < 0.5 * facts.parameters


@pytest.mark.parametrize("method", ["lora", "dora", "ia3"])
def test_the_adapter_alone_gives_the_same_model(
    method: str, train: Train, tiny_base: Callable[[str], Path], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    """As somebody loads it with `peft`: on the pretrained model, with the head in the adapter."""
    from peft import PeftModel

    checkpoint = train(tmp_path / "out", method=method)
    folder = checkpoint.path / FOLDER
    assert {file.name for file in folder.iterdir()} == set(adapters.FILES)
    about = json.loads((folder / "adapter_config.json").read_text())
    assert about["base_model_name_or_path"] == "tiny"
    assert str(tmp_path) not in (folder / "adapter_config.json").read_text()
    base = fresh(tiny_base("bert"), made(TEXT, tiny_data()))
    loaded = PeftModel.from_pretrained(base, str(folder)).merge_and_unload().eval()
    found, wanted = loaded.state_dict(), weights(checkpoint)
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, rtol=1e-5, atol=1e-6)
    assert (
        sum(file.stat().st_size for file in folder.iterdir())
        < 0.5 * (checkpoint.path / "model.safetensors").stat().st_size
    )


def test_the_same_run_gives_the_same_bytes_also_after_a_stop(train: Train, tmp_path: Path) -> None:
    whole = train(tmp_path / "a", method="lora")
    with pytest.raises(Killed):
        train(tmp_path / "b", method="lora", progress=Kills(5))
    resumed = train(tmp_path / "b", method="lora")
    assert resumed.digest == whole.digest
    assert not list((tmp_path / "b").rglob(".training*"))


def test_a_checkpoint_with_an_adapter_goes_through_the_next_stages(train: Train, tmp_path: Path) -> None:
    checkpoint = train(tmp_path / "out", method="lora")
    model, tokenizer = load_model(checkpoint), load_tokenizer(checkpoint.path)
    assert type(model).__name__ == "BertForSequenceClassification"
    assert not any("lora" in name for name, _ in model.named_modules())
    assert tokenizer("turn on")["input_ids"]
    assert not hasattr(model, "peft_config")


def test_new_tokens_are_trained_and_no_other_row(
    train: Train, tiny_base: Callable[[str], Path], tmp_path: Path
) -> None:
    checkpoint = train(tmp_path / "out", task=RELATION, method="lora")
    before = load_file(tiny_base("bert") / "model.safetensors")["embeddings.word_embeddings.weight"]
    after = weights(checkpoint)["bert.embeddings.word_embeddings.weight"]
    assert torch.equal(after[: len(before)], before)
    first = train(tmp_path / "first", task=RELATION, method="lora", learning_rate=1e-12)
    moved = (after - weights(first)["bert.embeddings.word_embeddings.weight"]).abs().amax(1)
    tokenizer = load_tokenizer(checkpoint.path)
    markers = tokenizer.convert_tokens_to_ids(list(made_relation(checkpoint).head.added_tokens))
    assert set(torch.nonzero(moved > 1e-6).flatten().tolist()) <= set(markers)
    assert max(moved[markers]) > 1e-3


def made_relation(checkpoint: Checkpoint) -> Task:
    return tasks.create(checkpoint.info.head)


def test_all_heads_of_a_joint_model_are_trained(
    tiny_base: Callable[[str], Path], tiny_data: Callable[..., LabelledData], train: Train, tmp_path: Path
) -> None:
    checkpoint = train(tmp_path / "out", task="intent=text-classification,slots=token-classification", method="lora")
    plain = train(tmp_path / "still", task="intent=text-classification,slots=token-classification", learning_rate=1e-12)
    found, before = weights(checkpoint), weights(plain)
    heads = [name for name in found if "classifier.weight" in name]
    assert len(heads) == 2
    assert all(not torch.equal(found[name], before[name]) for name in heads)


def test_what_does_not_fit_is_refused(train: Train, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="method is lora, which freezes the encoder"):
        train(tmp_path / "out", method="lora", freeze_layers=1)
    with pytest.raises(ValueError, match="method"):
        FinetuneConfig.model_validate({"method": "prefix"})


def test_full_training_writes_no_adapter_and_no_share(train: Train, tmp_path: Path) -> None:
    checkpoint = train(tmp_path / "out")
    assert not (checkpoint.path / FOLDER).exists()
    facts = facts_of(checkpoint)
    assert (facts.trained_parameters, facts.parameters) == (None, None)
    assert "trained_parameters" not in facts.model_dump()
    assert not {"method", "rank", "alpha", "layer_decay"} & FinetuneConfig().model_dump().keys()


@pytest.mark.parametrize("family", FAMILIES)
def test_the_rate_falls_from_layer_to_layer(
    family: str, tiny_base: Callable[[str], Path], tiny_data: Callable[..., LabelledData]
) -> None:
    model = fresh(tiny_base(family), made(TEXT, tiny_data()))
    names = {id(value): name for name, value in model.named_parameters()}
    factors = {names[id(value)]: factor for value, factor in layer_rates(model, 0.5)}
    assert factors.keys() == {name for name, _ in model.named_parameters()}
    for number, layer in enumerate(models.layers(model)):
        for value in layer.parameters():
            assert factors[names[id(value)]] == 0.5 ** (3 - number)
    assert factors[names[id(models.word_embeddings(model).weight)]] == 0.5**4
    assert {factor for name, factor in factors.items() if "classifier" in name} == {1.0}


def test_a_layer_with_a_smaller_rate_moves_less(train: Train, tiny_base: Callable[[str], Path], tmp_path: Path) -> None:
    before = load_file(tiny_base("bert") / "model.safetensors")
    after = weights(train(tmp_path / "out", layer_decay=0.1, learning_rate=1e-3, weight_decay=0.0))
    name = "encoder.layer.{}.attention.self.query.weight"
    moved = [float((after[f"bert.{name.format(i)}"] - before[name.format(i)]).abs().mean()) for i in range(3)]
    assert moved[0] < 0.3 * moved[1] < 0.3 * 0.3 * moved[2]
