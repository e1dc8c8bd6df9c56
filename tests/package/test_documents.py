"""The papers of a package."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from edge_ptf.digests import bytes_digest
from edge_ptf.package import Manifest, Payload, unpack
from edge_ptf.package.documents import bill_of_materials, licence_notes, model_card
from edge_ptf.runtime import Runner


@pytest.fixture
def manifest(make_payload: Callable[..., Payload]) -> Manifest:
    return make_payload().manifest


def based_on(manifest: Manifest, name: str) -> Manifest:
    return manifest.model_copy(update={"lineage": manifest.lineage.model_copy(update={"base_model": name})})


def asked(manifest: Manifest, labels: tuple[str, ...] = ("a", "b"), **options: object) -> Manifest:
    spec = manifest.head.replace(labels=labels).with_options(**options)
    head = manifest.heads[0].model_copy(update=dict(spec))
    return manifest.model_copy(update={"heads": (head,)})


@pytest.mark.parametrize("name", ["tiny", "org/model-v1.2", "odd: name #1", 'quo"ted', "yes", "naïve"])
def test_the_card_begins_with_what_hubs_read(manifest: Manifest, name: str) -> None:
    front = model_card(based_on(manifest, name)).split("---\n")[1]
    assert yaml.safe_load(front) == {
        "library_name": "onnx",
        "pipeline_tag": "text-classification",
        "base_model": name,
        "tags": ["edge-ptf", "onnx"],
    }


def test_the_card_says_what_the_package_is(make_payload: Callable[..., Payload], manifest: Manifest) -> None:
    card = model_card(manifest)
    assert "Labels: a, b, c\n" in card
    assert "INT8, dynamic" in card
    assert "64 tokens" in card
    assert "quantize" in card
    assert "Out-of-scope" not in card
    assert "Form: FP32" in model_card(make_payload(mode="fp32").manifest)


def test_many_labels_are_counted_and_a_scope_is_explained(manifest: Manifest) -> None:
    card = model_card(asked(manifest, labels=tuple(f"l{n}" for n in range(30)), out_of_scope_label="oos"))
    assert "l11, … (30 in all)" in card
    assert "l12" not in card
    assert "- Out-of-scope label: oos\n- Threshold on the probability: not set\n" in card
    card = model_card(asked(manifest, out_of_scope_label="oos", threshold=0.25))
    assert "- Threshold on the probability: 0.250, chosen on validation\n" in card


def test_licence_notes_name_the_licence_or_say_that_it_is_unknown(manifest: Manifest) -> None:
    assert "Licence of the base model: not stated" in licence_notes(manifest, "")
    assert "Licence of the base model: MIT" in licence_notes(manifest, "MIT")
    assert "Apache-2.0" in licence_notes(based_on(manifest, "minilm-l6"), "")


def test_the_bill_of_materials_names_model_data_and_tools(manifest: Manifest) -> None:
    document = json.loads(bill_of_materials(manifest, b"model", "MIT"))
    assert (document["bomFormat"], document["specVersion"], document["version"]) == ("CycloneDX", "1.6", 1)
    kinds = [part["type"] for part in document["components"]]
    assert set(kinds) == {"machine-learning-model", "data", "library"}
    assert kinds.count("library") == len(manifest.lineage.tools)
    subject = document["metadata"]["component"]
    assert subject["hashes"] == [{"alg": "SHA-256", "content": bytes_digest(b"model")}]
    references = [part["bom-ref"] for part in document["components"]] + [subject["bom-ref"]]
    assert len(references) == len(set(references))
    for link in document["dependencies"]:
        assert {link["ref"], *link["dependsOn"]} <= set(references)
    assert document["components"][0]["licenses"] == [{"license": {"name": "MIT"}}]


def test_the_serial_number_is_a_uuid_of_the_content(manifest: Manifest) -> None:
    def serial(model: bytes) -> str:
        return str(json.loads(bill_of_materials(manifest, model, ""))["serialNumber"])

    number = uuid.UUID(serial(b"one"))
    assert (number.version, number.variant) == (5, uuid.RFC_4122)
    assert serial(b"one") == serial(b"one") != serial(b"two")
    assert bill_of_materials(manifest, b"one", "") == bill_of_materials(manifest, b"one", "")


def test_papers_hold_no_measurements_and_no_times(make_payload: Callable[..., Payload]) -> None:
    payload = make_payload()
    for name in ("README.md", "LICENCES.txt", "sbom.cdx.json"):
        text = payload.read(name).decode()
        assert "timestamp" not in text
        assert " ms" not in text


def code_of(card: str) -> str:
    return card.split("```python\n")[1].split("```", maxsplit=1)[0]


@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_the_code_of_the_card_gives_the_logits_of_the_package(
    make_payload: Callable[..., Payload], tmp_path: Path, family: str, paired: bool
) -> None:
    import onnxruntime
    from transformers import AutoTokenizer

    payload = make_payload(family, paired=paired)
    folder = unpack(payload, tmp_path / "package")
    for text, text_pair in (("turn on the lights", "play"), ("now " * 100, "play some jazz " * 60)):
        names = {
            "tokenizer": AutoTokenizer.from_pretrained(folder),
            "session": onnxruntime.InferenceSession(folder / "model.onnx"),
            "text": text,
            "text_pair": text_pair,
        }
        exec(code_of((folder / "README.md").read_text(encoding="utf-8")), names)
        runner = Runner(payload)
        wanted = runner.logits(runner.encode(text, text_pair if paired else None))
        np.testing.assert_allclose(names["logits"], wanted, rtol=1e-5, atol=1e-6)


def test_the_card_says_how_logits_become_an_answer(manifest: Manifest) -> None:
    assert "A pair" not in model_card(manifest)
    assert "The answer is the class with the largest one." in model_card(manifest)
    card = model_card(asked(manifest, out_of_scope_label="oos", threshold=0.1 + 0.2))
    assert "If any class is largest and its probability is less than 0.30000000000000004, the answer is `oos`" in card
    card = model_card(asked(manifest, out_of_scope_label="b", threshold=0.25))
    assert "If a class other than `b` is largest and its probability is less than 0.25, the answer is `b`" in card
    assert "There is no threshold." in model_card(asked(manifest, out_of_scope_label="b"))


def test_the_card_of_pairs_says_which_text_comes_first(make_payload: Callable[..., Payload]) -> None:
    card = model_card(make_payload(paired=True).manifest)
    assert "`text` comes first and `text_pair` second" in card
    assert "tokenizer(text, text_pair, truncation=True, max_length=64" in card


def test_the_configuration_holds_the_rules_for_readers_of_the_folder(
    make_payload: Callable[..., Payload], tmp_path: Path
) -> None:
    from transformers import AutoConfig

    for kind in ("text-classification", "token-classification"):
        payload = make_payload("bert", kind, "fp32", scope="none" if kind == "text-classification" else None)
        folder = unpack(payload, tmp_path / kind)
        assert AutoConfig.from_pretrained(folder).edge_ptf == {
            "task": kind,
            "kind": payload.manifest.head.kind,
            "options": payload.manifest.head.options,
            "max_length": 64,
            "truncation": "longest_first",
            "truncation_side": "right",
            "text_pairs": False,
        }
