"""Typed facts, the lineage that is written from them, and what is left of an unpruned model."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pydantic import TypeAdapter

import edge_ptf
from edge_ptf.models.lineage import CheckpointFacts, DistillFacts, FinetuneFacts, LineageStep, Origin, PruneFacts

TRAINED = {
    "validation": [50.0, float("nan"), 75.5],
    "kept_epoch": 3,
    "texts": 8,
    "tokens_per_epoch": 80,
    "device": "cpu",
    "precision": "fp32",
    "threads": 1,
    "cpu_capability": "AVX2",
}


def test_the_lineage_holds_what_was_found_out() -> None:
    step = PruneFacts(kept_layers=(1, 3), kept_hidden=None, subwords_before=10).step()
    assert step == LineageStep(stage="prune", facts={"kept_layers": [1, 3], "subwords_before": 10})
    options = {"smooth": None, "mode": "dynamic"}
    taught = DistillFacts(
        **TRAINED,
        further_texts=1,
        split_words=2,
        quantization=options,
        matched_layers=(),
        texts_tokenized_differently=0,
    ).step()
    assert taught.facts["quantization"] == options
    assert taught.facts["matched_layers"] == []
    assert "teachers" not in taught.facts


@pytest.mark.parametrize("facts", [FinetuneFacts(**TRAINED), PruneFacts(skipped="family albert")])
def test_facts_are_read_back_as_what_they_are(facts: FinetuneFacts | PruneFacts) -> None:
    again = TypeAdapter(CheckpointFacts).validate_python(json.loads(json.dumps(facts.model_dump(mode="json"))))
    assert type(again) is type(facts)
    assert again.step().facts.keys() == facts.step().facts.keys()


def test_what_is_left_is_counted_in_the_unpruned_model() -> None:
    whole = Origin(model="a", layers=(0, 1, 2, 3))
    once = whole.pruned([1, 2, 3], [0, 2, 4])
    twice = once.pruned([0, 2], [1, 2])
    assert (twice.layers, twice.hidden) == ((1, 3), (2, 4))
    assert once.pruned([0], None).hidden == (0, 2, 4)
    assert twice.layers_in(once) == (0, 2)
    assert twice.hidden_in(once, 3) == (1, 2)
    assert twice.hidden_in(whole, 8) == (2, 4)
    assert whole.layers_in(once) is None
    assert whole.hidden_in(once, 3) is None
    assert whole.hidden_in(whole, 3) == (0, 1, 2)
    stranger = Origin(model="b", layers=(0, 1, 2, 3))
    assert twice.layers_in(stranger) is None
    assert twice.hidden_in(stranger, 8) is None


def test_the_program_does_not_read_the_lineage_back() -> None:
    """A stage that needs something of an earlier one reads typed facts; only pages for people show the lineage."""
    package = Path(edge_ptf.__file__).parent
    reading = re.compile(r"\.facts\s*(\[|\.get\()|lineage\s*\[|\bstep\.facts")
    found = {
        str(file.relative_to(package))
        for file in package.rglob("*.py")
        if reading.search(file.read_text(encoding="utf-8"))
    }
    assert found == {"report/contents.py"}
