from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import AutoConfig, AutoModel, BertConfig, BertForSequenceClassification

from edge_ptf import models
from edge_ptf.errors import CheckpointError
from edge_ptf.models import FAMILIES, families, family_named
from edge_ptf.models.checkpoint import UNLIMITED, load_base_model, longest_sequence
from edge_ptf.models.families import MODULES, register
from edge_ptf.tasks.text_classification import TextClassification
from edge_ptf.tasks.token_classification import TokenClassification

torch.set_num_threads(1)

each_family = pytest.mark.parametrize("name", FAMILIES)
each_task = pytest.mark.parametrize("kind", [TextClassification, TokenClassification])


def loaded(base: Path, kind: Any = TextClassification) -> Any:
    """A tiny model with a head, loaded from a checkpoint."""
    labels = ("O", "B-A", "I-A") if kind is TokenClassification else ("a", "b", "c")
    torch.manual_seed(1)
    return load_base_model(base, kind(kind.spec_for(labels))).eval()


def recorded(module: nn.Module) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Input and output of each call of a module."""
    found: list[tuple[torch.Tensor, torch.Tensor]] = []

    def hook(_: Any, given: Any, kwargs: Any, output: Any) -> None:
        entered = given[0] if given else kwargs.get("hidden_states", kwargs.get("input_ids"))
        found.append((entered.detach(), (output[0] if isinstance(output, tuple) else output).detach()))

    module.register_forward_hook(hook, with_kwargs=True)
    return found


IDS = torch.tensor([[5, 6, 7, 8, 9, 10]])


def test_the_registry_has_one_module_for_each_family() -> None:
    files = {path.stem for path in Path(families.__file__).parent.glob("*.py")} - {"__init__", "base"}
    assert files == set(MODULES)
    assert [name.replace("-", "_") for name in FAMILIES] == list(MODULES)
    assert all(family.name == name for name, family in FAMILIES.items())


@each_task
@each_family
def test_every_path_leads_to_a_module_of_a_real_model(tiny_base: Callable[[str], Path], name: str, kind: Any) -> None:
    model, family = loaded(tiny_base(name), kind), family_named(name)
    encoder = models.encoder(model)
    assert model.config.model_type == name
    assert len(encoder.get_submodule(family.layers)) == getattr(model.config, family.layer_count) == 3
    assert getattr(model.config, family.feed_forward_size) == 64
    for part in models.parts(model):
        linear = (*family.projections, family.attention_output, family.feed_forward_input, family.feed_forward_output)
        assert all(isinstance(part.get(path), nn.Linear) for path in linear)
        assert all(isinstance(part.get(path), nn.LayerNorm) for path in family.norms)
        assert {path.rpartition(".")[0] for path in family.projections} == {family.attention}
        inside = getattr(part.get(family.attention), family.output_inside_attention or "", None)
        assert inside is (part.get(family.attention_output) if family.output_inside_attention else None)
        assert part.get(family.feed_forward_input).out_features == 64
        assert part.head_size == 8
    words, places = (encoder.get_submodule(path) for path in (family.word_embeddings, family.position_embeddings))
    assert words is encoder.get_input_embeddings() is models.word_embeddings(model)
    assert places.num_embeddings == model.config.max_position_embeddings
    assert isinstance(encoder.get_submodule(family.embeddings_norm), nn.LayerNorm)


@each_task
@each_family
def test_the_head_reads_the_hidden_states_where_the_family_says(
    tiny_base: Callable[[str], Path], name: str, kind: Any
) -> None:
    model, family = loaded(tiny_base(name), kind), family_named(name)
    encoder, inside = models.encoder(model), models.encoder(model).named_modules()
    pooler = family.pooler if family.pooler in dict(inside) else None
    known = dict(model.named_modules())
    paths = [path for path in family.heads if isinstance(known.get(path), nn.Linear)]
    reader = encoder.get_submodule(pooler) if pooler else known[paths[0]]
    hidden, entered = recorded(models.parts(model)[-1].layer), recorded(reader)
    with torch.no_grad():
        model(input_ids=IDS)
    width = entered[0][0].shape[-1]
    assert torch.equal(entered[0][0].reshape(-1, width)[0], hidden[0][1][0, 0])


@each_family
def test_the_norms_are_placed_as_the_family_says(tiny_base: Callable[[str], Path], name: str) -> None:
    model, family = loaded(tiny_base(name)), family_named(name)
    part = models.parts(model)[0]
    with torch.no_grad():
        for path in family.norms:
            part.get(path).weight.normal_(1, 0.3)
    layer, norm = recorded(part.layer), recorded(part.get(family.feed_forward_norm))
    query = recorded(part.get(family.projections[0]))
    with torch.no_grad():
        model(input_ids=IDS)
    ends_with_norm = torch.equal(layer[0][1], norm[0][1])
    begins_with_norm = not torch.equal(layer[0][0], query[0][0])
    assert (ends_with_norm, begins_with_norm) == ((True, False) if family.norm_placement == "post" else (False, True))


@each_family
def test_the_first_layer_reads_what_the_embeddings_give(tiny_base: Callable[[str], Path], name: str) -> None:
    model = loaded(tiny_base(name))
    written, layer = recorded(models.embedded(model)), recorded(models.parts(model)[0].layer)
    with torch.no_grad():
        model(input_ids=IDS)
    assert torch.equal(written[0][1], layer[0][0])


@each_family
def test_a_projection_of_the_embeddings_is_there_where_the_widths_differ(
    tiny_base: Callable[[str], Path], name: str
) -> None:
    family, config = family_named(name), AutoConfig.from_pretrained(tiny_base(name))
    if family.embeddings_projection is None:
        assert getattr(config, "embedding_size", config.hidden_size) == config.hidden_size
        return
    assert isinstance(models.embedded(AutoModel.from_config(config)), nn.Linear)
    config.embedding_size = config.hidden_size
    equal = AutoModel.from_config(config)
    assert models.embedded(equal) is equal.get_submodule(family.embeddings)


@each_family
def test_positions_start_where_the_family_says(tiny_base: Callable[[str], Path], name: str) -> None:
    model, family = loaded(tiny_base(name)), family_named(name)
    table = models.encoder(model).get_submodule(family.position_embeddings)
    seen: list[torch.Tensor] = []
    table.register_forward_hook(lambda _module, given, _output: seen.append(given[0]))
    with torch.no_grad():
        model(input_ids=IDS)
    first = model.config.pad_token_id + 1 if "roberta" in name else 0
    assert models.first_position(model) == first
    assert seen[0].flatten().tolist() == list(range(first, first + IDS.shape[1]))
    longest = longest_sequence(model)
    assert longest == table.num_embeddings - first
    with torch.no_grad():
        model(input_ids=torch.full((1, longest), 5))
        with pytest.raises((IndexError, RuntimeError)):
            model(input_ids=torch.full((1, longest + 1), 5))


AFTER_PADDING = (
    "mpnet",
    "camembert",
    "longformer",
    "roberta-prelayernorm",
    "xlm-roberta-xl",
    "data2vec-text",
    "ibert",
    "luke",
    "xmod",
    "markuplm",
    "lilt",
    "esm",
)


@pytest.mark.parametrize(
    ("kind", "options", "longest"),
    [
        *((kind, {"pad_token_id": 1}, 512) for kind in AFTER_PADDING),
        ("camembert", {"pad_token_id": 3}, 510),
        ("albert", {"pad_token_id": 0}, 514),
        ("bert", {"pad_token_id": 3}, 514),
        ("deberta-v2", {"pad_token_id": 0}, 514),
        ("modernbert", {"pad_token_id": 3}, 514),
    ],
)
def test_positions_of_families_that_cannot_be_pruned(kind: str, options: dict[str, int], longest: int) -> None:
    sizes = {"num_hidden_layers": 1, "hidden_size": 64, "num_attention_heads": 4, "vocab_size": 99}
    if kind == "xmod":
        sizes["default_language"] = "en_XX"
    config = AutoConfig.for_model(kind, max_position_embeddings=514, **options, **sizes)
    with torch.device("meta"):
        model = AutoModel.from_config(config)
    assert longest_sequence(model) == longest
    config.max_position_embeddings = -1
    assert longest_sequence(model) == UNLIMITED


class MadeUpConfig(BertConfig):
    model_type = "made-up"


def test_a_new_family_is_one_module_and_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "made_up.py").write_text(
        textwrap.dedent("""
        from dataclasses import replace

        from edge_ptf.models.families import bert

        FAMILY = replace(bert.FAMILY, name="made-up")
        """)
    )
    monkeypatch.setattr(families, "__path__", [*families.__path__, str(tmp_path)])
    config = MadeUpConfig(
        vocab_size=60, hidden_size=32, intermediate_size=64, num_attention_heads=4, num_hidden_layers=2
    )
    model = BertForSequenceClassification(config).eval()
    assert not models.is_known(model)
    found = register((*MODULES, "made_up"))
    assert list(found) == [*FAMILIES, "made-up"]
    monkeypatch.setitem(FAMILIES, "made-up", found["made-up"])
    assert models.is_known(model)
    assert family_named("made-up") is models.family_of(model)
    assert longest_sequence(model) == 512
    for part in models.parts(model):
        models.slice_layer(part, [1, 3], range(40))
    models.keep_hidden(model, range(24))
    assert models.shapes(model) == (models.LayerShape(num_heads=2, intermediate_size=40),) * 2
    with torch.no_grad():
        assert model(input_ids=IDS).logits.isfinite().all()


def test_two_modules_for_one_family_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "second_bert.py").write_text("from edge_ptf.models.families.bert import FAMILY\n")
    monkeypatch.setattr(families, "__path__", [*families.__path__, str(tmp_path)])
    with pytest.raises(ValueError, match="two modules define the family 'bert'"):
        register((*MODULES, "second_bert"))


def test_an_unknown_family_is_refused_with_the_known_ones() -> None:
    with pytest.raises(CheckpointError, match="'gpt2' cannot be pruned") as caught:
        family_named("gpt2")
    assert all(family in caught.value.hint for family in FAMILIES)
