"""Files of annotation tools: Rasa NLU, brat, Label Studio and spaCy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_ptf import tasks
from edge_ptf.data import readers
from edge_ptf.data.columns import Columns
from edge_ptf.data.dataset import DataConfig
from edge_ptf.data.loading import load
from edge_ptf.data.marked_texts import Span, words_of
from edge_ptf.data.rows import Findings, Row
from edge_ptf.errors import DataError, MissingExtraError
from edge_ptf.tasks.base import Task
from edge_ptf.tasks.multi_label_classification import MultiLabelClassification
from edge_ptf.tasks.relation_extraction import RelationExtraction
from edge_ptf.tasks.text_classification import TextClassification
from edge_ptf.tasks.token_classification import TokenClassification

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases" / "own-data"
RASA = """version: "3.1"
nlu:
- intent: travel
  examples: |
    - fly to [Rome](city) please
    - from [New York]{"entity": "city", "role": "departure"} to [Oslo](city:oslo)!

    - travel now
- synonym: nyc
  examples: |
    - New York
- intent: greet
  examples:
  - text: |
      hello [Ann](name)
    metadata: {sentiment: good}
  - hi there
"""


def read(path: Path, task: type[Task]) -> tuple[list[Row], Findings]:
    findings = Findings()
    return list(readers.read_file(path, Columns.of(task, DataConfig()), findings)), findings


def written(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def test_intents_of_rasa_are_labels(tmp_path: Path) -> None:
    rows, findings = read(written(tmp_path / "nlu.yml", RASA), TextClassification)
    assert [(row.lines, row.values["text"], row.values["label"]) for row in rows] == [
        ((5,), "fly to Rome please", "travel"),
        ((6,), "from New York to Oslo!", "travel"),
        ((8,), "travel now", "travel"),
        ((15,), "hello Ann", "greet"),
        ((17,), "hi there", "greet"),
    ]
    assert findings.problems == []


def test_entities_of_rasa_are_tags(tmp_path: Path) -> None:
    rows, _ = read(written(tmp_path / "nlu.yaml", RASA), TokenClassification)
    assert rows[1].values == {
        "tokens": ["from", "New", "York", "to", "Oslo", "!"],
        "tags": ["O", "B-city", "I-city", "O", "B-city", "O"],
    }
    assert rows[2].values == {"tokens": ["travel", "now"], "tags": ["O", "O"]}


def test_the_case_file_of_rasa_is_read() -> None:
    if not CASES.is_dir():
        pytest.skip("the cases are not beside the project (../shared/cases)")
    data = load(str(CASES / "nlu.yml"), TextClassification)
    assert data.labels == ("account", "billing", "feedback", "shipping", "technical")
    assert sum(split.rows for split in data.report.splits.values()) == 300


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("nlu: [", r"nlu.yml:1: not valid YAML"),
        ("a: 1\n", "no `nlu:` with intents"),
        ("- 1\n- 2\n", "no `nlu:` with intents"),
        ("nlu:\n- lookup: x\n  examples: |\n    - a\n", "no `nlu:` with intents"),
        ("[" * 5000, "nested too deeply|not valid YAML"),
    ],
)
def test_another_yaml_file_is_refused(tmp_path: Path, content: str, why: str) -> None:
    with pytest.raises(DataError, match=why):
        read(written(tmp_path / "nlu.yml", content), TextClassification)


def test_bad_examples_of_rasa_are_all_named(tmp_path: Path) -> None:
    content = 'nlu:\n- intent: a\n  examples: |\n    - good\n    bad\n    - to [Rome]{"role": "x"}\n'
    _, findings = read(written(tmp_path / "nlu.yml", content), TextClassification)
    file = tmp_path / "nlu.yml"
    assert findings.problems == [
        f"{file}:5: an example begins with a hyphen and a space",
        f"""{file}:6: the entity in '[Rome]{{"role": "x"}}' has no name: write [Rome](city)""",
    ]


def document(folder: Path, name: str = "a", first: str = "Anna") -> Path:
    folder.mkdir(exist_ok=True)
    text = f"{first} lives in Rome.\n\nBob 😀 works for {first} Corp.\n"
    written(folder / f"{name}.txt", text)
    found = {"Person": first, "City": "Rome", "Boss": "Bob", "Company": f"{first} Corp"}
    lines = [
        f"T{number}\t{kind} {text.index(part)} {text.index(part) + len(part)}\t{part}"
        for number, (kind, part) in enumerate(found.items(), 1)
    ]
    lines += ["R1\tlives_in Arg1:T1 Arg2:T2", "R2\tworks_for Arg1:T3 Arg2:T4", "#1\tAnnotatorNotes T1\tsure?"]
    written(folder / f"{name}.ann", "\n".join(lines) + "\n")
    return folder


def brat_rows(folder: Path, task: type[Task]) -> tuple[list[Row], Findings]:
    from edge_ptf.data.brat import read_brat

    findings = Findings()
    return list(read_brat(folder, Columns.of(task, DataConfig()), findings)), findings


def test_entities_of_brat_are_tags(tmp_path: Path) -> None:
    rows, findings = brat_rows(document(tmp_path / "train"), TokenClassification)
    assert [row.values for row in rows] == [
        {"tokens": ["Anna", "lives", "in", "Rome", "."], "tags": ["B-Person", "O", "O", "B-City", "O"]},
        {
            "tokens": ["Bob", "😀", "works", "for", "Anna", "Corp", "."],
            "tags": ["B-Boss", "O", "O", "O", "B-Company", "I-Company", "O"],
        },
    ]
    assert [row.place() for row in rows] == [f"{tmp_path}/train/a.txt:1", f"{tmp_path}/train/a.txt:3"]
    assert findings.notes == [f"{tmp_path}/train: only entities and relations are read."]


def test_relations_of_brat_are_examples(tmp_path: Path) -> None:
    rows, _ = brat_rows(document(tmp_path / "train"), RelationExtraction)
    assert [RelationExtraction.example(row.values).text for row in rows] == [
        "<e1>Anna</e1> lives in <e2>Rome</e2>.",
        "<e1>Bob</e1> 😀 works for <e2>Anna Corp</e2>.",
    ]
    assert [row.values["label"] for row in rows] == ["lives_in", "works_for"]


def test_folders_of_brat_are_splits(tmp_path: Path) -> None:
    for split in ("train", "dev", "test"):
        for name in ("Anna", "Eva"):
            document(tmp_path / split, name, f"{split}{name}")
    data = load(str(tmp_path), TokenClassification)
    assert {name: split.rows for name, split in data.report.splits.items()} == {"train": 4, "validation": 4, "test": 4}
    assert "B-Company" in data.labels


def test_one_folder_of_brat_is_split(tmp_path: Path) -> None:
    for number in range(30):
        document(tmp_path / "all", f"{number}", f"Anna{number}")
    data = load(str(tmp_path / "all"), RelationExtraction)
    assert sum(split.rows for split in data.report.splits.values()) == 60
    assert data.labels == ("lives_in", "works_for")


def test_bad_files_of_brat_are_all_named(tmp_path: Path) -> None:
    folder = document(tmp_path / "train")
    lines = ["T1\tPerson 0 5\tAnna", "T2\tCity 0 4;14 18\tAnna Rome", "what", "T3\tCity 14 24\tRome.\n\nBob"]
    written(folder / "a.ann", "\n".join(lines))
    written(folder / "b.ann", "")
    _, findings = brat_rows(folder, TokenClassification)
    file = folder / "a.ann"
    assert findings.problems == [
        f"{file}:1: T1 is 'Anna', but the text has 'Anna ' there",
        f"{file}:2: an entity with a gap cannot be tagged: mark one part",
        f"{file}:3: neither an entity (T1<tab>type begin end<tab>text) nor a relation",
        f"{file}:4: T3 is 'Rome.', but the text has 'Rome.\\n\\nBob' there",
        f"{file}:6: neither an entity (T1<tab>type begin end<tab>text) nor a relation",
        f"{folder / 'b.ann'}: b.txt is not beside it",
    ]


def test_brat_has_no_classes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column 'label', but text-classification needs it"):
        brat_rows(document(tmp_path / "train"), TextClassification)


def studio(text: str, *results: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": 7, "data": {"text": text}, "annotations": [{"result": list(results), "was_cancelled": False}], **more}


def chosen(*names: str) -> dict[str, Any]:
    return {"type": "choices", "from_name": "intent", "to_name": "text", "value": {"choices": list(names)}}


def marked(begin: int, end: int, kind: str, name: str = "x") -> dict[str, Any]:
    return {"type": "labels", "id": name, "value": {"start": begin, "end": end, "text": "?", "labels": [kind]}}


def test_label_studio_gives_classes_tags_and_relations(tmp_path: Path) -> None:
    related = {"type": "relation", "from_id": "a", "to_id": "b", "direction": "right", "labels": ["lives_in"]}
    tasks = [
        studio("Anna lives in Rome", chosen("fact"), marked(0, 4, "Person", "a"), marked(14, 18, "City", "b"), related),
        studio("turn it on", chosen("command", "short")),
        studio("skipped", chosen("fact")) | {"annotations": [{"was_cancelled": True, "result": []}]},
    ]
    file = written(tmp_path / "export.json", json.dumps(tasks))
    rows, findings = read(file, MultiLabelClassification)
    assert [row.values for row in rows] == [
        {"text": "Anna lives in Rome", "labels": ["fact"]},
        {"text": "turn it on", "labels": ["command", "short"]},
    ]
    assert findings.notes == [f"{file}: texts without an annotation are left out."]
    rows, _ = read(file, TokenClassification)
    assert rows[0].values == {"tokens": ["Anna", "lives", "in", "Rome"], "tags": ["B-Person", "O", "O", "B-City"]}
    rows, findings = read(file, RelationExtraction)
    assert [row.values for row in rows] == [
        {"text": "Anna lives in Rome", "entity1": "0:4", "entity2": "14:18", "label": "lives_in"}
    ]
    assert f"{file}: 1 texts without a relation are left out." in findings.notes


def test_bad_tasks_of_label_studio_are_all_named(tmp_path: Path) -> None:
    tasks = [
        studio("good", chosen("a")),
        studio("York", marked(0, 4, "City"), marked(2, 4, "Town")),
        studio("x", {"type": "labels", "value": {"start": 0}}),
        {"data": {"one": "a", "two": "b"}, "annotations": [{"result": []}]},
        7,
    ]
    file = written(tmp_path / "export.json", json.dumps(tasks, indent=1))
    _, findings = read(file, TokenClassification)
    assert [problem.partition(": ")[2] for problem in findings.problems] == [
        "City 'York' and Town 'rk' overlap, but a word has one tag",
        "a result of the type 'labels' is incomplete",
        "no field of `data` is surely the text (found: one, two): name it `text`",
        "not a task of Label Studio, with `data` and `annotations`",
    ]


def test_docbin_of_spacy(tmp_path: Path) -> None:
    spacy = pytest.importorskip("spacy", reason="spaCy is not installed (the extra spacy)")
    from spacy.tokens import DocBin

    blank = spacy.blank("en")
    documents = []
    for text, entities, category in (("Anna lives in Rome.", [(0, 4, "PER"), (14, 18, "LOC")], "fact"), ("hi", [], "")):
        document = blank(text)
        document.ents = [document.char_span(begin, end, label=kind) for begin, end, kind in entities]
        document.cats = {"fact": float(category == "fact"), "greeting": 0.9 * (category == "")}
        documents.append(document)
    DocBin(docs=documents).to_disk(tmp_path / "train.spacy")
    rows, _ = read(tmp_path / "train.spacy", TokenClassification)
    assert rows[0].values == {
        "tokens": ["Anna", "lives", "in", "Rome", "."],
        "tags": ["B-PER", "O", "O", "B-LOC", "O"],
    }
    assert rows[1].place() == f"{tmp_path / 'train.spacy'}: document 1"
    rows, _ = read(tmp_path / "train.spacy", TextClassification)
    assert [row.values["label"] for row in rows] == ["fact", "greeting"]
    with pytest.raises(DataError, match="not a DocBin"):
        read(written(tmp_path / "bad.spacy", "no"), TextClassification)


def test_without_spacy_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "spacy", None)
    with pytest.raises(MissingExtraError, match="spacy"):
        read(written(tmp_path / "a.spacy", "no"), TextClassification)


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b c", "d\u00a0e", "."]), st.sampled_from([None, "X", "Y"])), max_size=8)
)
def test_words_and_tags_follow_the_spans(parts: list[tuple[str, str | None]]) -> None:
    text, spans, wanted = "", [], []
    for part, kind in parts:
        if kind:
            spans.append(Span(len(text), len(text) + len(part), kind))
        words = part.split()
        wanted += [(word, "O" if not kind else f"{'I' if number else 'B'}-{kind}") for number, word in enumerate(words)]
        text += part + " "
    words, tags = words_of(text, spans)
    assert list(zip(words, tags, strict=True)) == wanted


@pytest.mark.parametrize("span", [Span(3, 3, "X"), Span(2, 9, "X"), Span(-1, 2, "X"), Span(1, 2, "X")])
def test_an_impossible_span_is_refused(span: Span) -> None:
    with pytest.raises(ValueError, match="empty or outside"):
        words_of("a b c", [span])


def test_intents_and_entities_of_rasa_share_their_texts(tmp_path: Path) -> None:
    kind = tasks.get("intent=text-classification,slots=token-classification")
    for split in ("train", "validation", "test"):
        written(
            tmp_path / f"{split}.yml", RASA.replace("please", split).replace("now", split).replace("]", f" {split}]")
        )
    data = load(str(tmp_path), kind)
    assert [(example.text, example.label) for example in data.test][1] == (
        "from New York test to Oslo test !",
        ("travel", ("O", "B-city", "I-city", "I-city", "O", "B-city", "I-city", "O")),
    )
