"""Entities and relations: rows, readers, splits, figures, and what people see."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_ptf import tasks
from edge_ptf.data import load
from edge_ptf.data.dataset import DataConfig
from edge_ptf.errors import BadInputError, DataError
from edge_ptf.examples import Example
from edge_ptf.heads.triple import label_of, tags_of, triples_of
from edge_ptf.metrics import gated
from edge_ptf.report.formatting import answer_form
from edge_ptf.tasks.base import RowError
from edge_ptf.tasks.entities_and_relations import EntitiesAndRelations, facts

TASK = "entities-and-relations"
TOKENS = ["Anna", "Lee", "works", "for", "Acme", "and", "Bob"]
TAGS = ["B-person", "I-person", "O", "O", "B-firm", "O", "B-person"]
ROW = {"tokens": TOKENS, "tags": TAGS, "relations": [[0, "works_for", 1]]}
LABEL = label_of(TAGS, [(0, "works_for", 1)])
KIND = EntitiesAndRelations(
    EntitiesAndRelations.spec_for(EntitiesAndRelations.collect_labels([Example(" ".join(TOKENS), LABEL)]))
)


def test_a_row_has_words_tags_and_relations() -> None:
    assert EntitiesAndRelations.example(ROW) == Example("Anna Lee works for Acme and Bob", LABEL)
    assert EntitiesAndRelations.example({**ROW, "relations": []}).label == tuple(TAGS)
    texts = {"tokens": " ".join(TOKENS), "tags": " ".join(TAGS), "relations": '[[0, "works_for", 1]]'}
    assert EntitiesAndRelations.example(texts).label == LABEL


@pytest.mark.parametrize("relation", [[[0, 2], "works_for", [4, 5]], (0, "works_for", [4, 5]), "[0, 'works_for', 1]"])
def test_an_entity_is_named_by_its_place_or_its_words(relation: Any) -> None:
    assert EntitiesAndRelations.example({**ROW, "relations": [relation]}).label == LABEL


@pytest.mark.parametrize(
    ("relations", "message"),
    [
        (None, "'relations' is None; it must be a list of"),
        ("works_for", "'relations' is 'works_for'; it must be a list of"),
        ([[0, "works_for", 3]], "relation 1: there is no entity 3: the tags form 3, counted from 0"),
        ([[0, "works_for", -1]], "there is no entity -1"),
        ([[0, "works_for", 0]], "'works_for' is from entity 0 to itself"),
        ([[0, "works_for", [0, 2]]], "'works_for' is from entity 0 to itself"),
        ([[0, "works_for", 1], [[0, 2], "works_for", 1]], r"relation 2: \[0, 'works_for', 1\] is there twice"),
        ([[0, "works_for"]], r"relation 1: \[0, 'works_for'\] is not \[first, \"relation\", second\]"),
        (["works_for"], r"relation 1: 'works_for' is not \[first"),
        ([{"first": 0}], r"is not \[first"),
        ([[0, "works_for", [3, 5]]], r"the words \[3, 5\] are no entity \(entities: \[0, 2\], \[4, 5\], \[6, 7\]\)"),
        ([[0, "works_for", [4]]], r"the words \[4\] are no entity"),
        ([[0, "works_for", "Acme"]], "'Acme' is no place of an entity"),
        ([[0, "works_for", True]], "True is no place of an entity"),
        ([[0, "works_for", 1.0]], "1.0 is no place of an entity"),
        ([[0, "works_for", [0, 2, 4]]], "is no place of an entity"),
        ([[0, "", 1]], "'' is no name of a relation"),
        ([[0, " works_for", 1]], "' works_for' is no name of a relation"),
        ([[0, 7, 1]], "7 is no name of a relation"),
        ([[0, "O", 1]], "'O' cannot be the name of a relation"),
        ([[0, "B-firm", 1]], "'B-firm' cannot be the name of a relation"),
        ([[0, "object of x", 1]], "'object of x' cannot be the name of a relation"),
        ([[0, "x", 9], [1, "x", 1]], "relation 1: there is no entity 9.*; relation 2: 'x' is from entity 1 to itself"),
    ],
)
def test_relations_that_cannot_be_used_say_why(relations: Any, message: str) -> None:
    with pytest.raises(RowError, match=message):
        EntitiesAndRelations.example({**ROW, "relations": relations})


def write(file: Path, rows: Sequence[dict[str, Any]]) -> Path:
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return file


def rows(count: int) -> list[dict[str, Any]]:
    return [{**ROW, "tokens": [*TOKENS[:-1], f"Bob{number}"]} for number in range(count)]


def test_all_wrong_rows_of_a_file_are_named(tmp_path: Path) -> None:
    wrong = [{**ROW, "relations": [[0, "works_for", 5]]}, ROW, {**ROW, "relations": 3}, {**ROW, "tags": TAGS[1:]}]
    file = write(tmp_path / "data.jsonl", wrong)
    with pytest.raises(DataError, match="3 rows cannot be used") as error:
        load(str(file), tasks.get(TASK), DataConfig())
    assert [problem.split(": ")[0] for problem in error.value.problems] == [f"{file}:{line}" for line in (1, 3, 4)]


def test_tags_of_another_scheme_keep_their_relations(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    tags = ["B-person", "E-person", "O", "O", "S-firm", "O", "S-person"]
    for split, count in {"train": 6, "validation": 2, "test": 2}.items():
        given = [{**row, "tags": tags, "tokens": [split, *row["tokens"][1:]]} for row in rows(count)]
        write(folder / f"{split}.jsonl", given)
    data = load(str(folder), tasks.get(TASK), DataConfig())
    assert {example.label for example in data.train} == {LABEL}
    assert data.labels[:5] == ("O", "B-firm", "I-firm", "B-person", "I-person")
    assert data.labels[5:7] == ("works_for", "object of works_for") and len(data.labels) == 39
    assert any("bioes" in note for note in data.report.notes)


def test_a_relation_that_train_lacks_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for split in ("train", "validation"):
        write(folder / f"{split}.jsonl", [{**row, "tokens": [split, *row["tokens"][1:]]} for row in rows(3)])
    write(folder / "test.jsonl", [{**ROW, "relations": [[0, "owns", 1], [0, "works_for", 1]]}])
    with pytest.raises(DataError) as error:
        load(str(folder), tasks.get(TASK), DataConfig())
    assert error.value.problems == (f"{folder}/test.jsonl:1: relation 'owns' does not occur in train",)
    assert "add rows with owns," in str(error.value.hint)


def test_data_without_relations_teach_nothing(tmp_path: Path) -> None:
    file = write(tmp_path / "data.jsonl", [{**row, "relations": []} for row in rows(40)])
    with pytest.raises(DataError, match="no text of train has a relation"):
        load(str(file), tasks.get(TASK), DataConfig())


def test_files_with_tags_alone_lack_a_column(tmp_path: Path) -> None:
    file = tmp_path / "data.conll"
    file.write_text("Anna B-person\n\n", encoding="utf-8")
    with pytest.raises(DataError, match="needs tokens, tags, relations"):
        load(str(file), tasks.get(TASK), DataConfig())


def test_the_task_has_no_out_of_scope_label_and_says_its_answer() -> None:
    with pytest.raises(BadInputError, match="no out-of-scope label"):
        EntitiesAndRelations.spec_for(("O",), "none")
    assert answer_form(KIND, 39) == "triples of two entities and their relation"
    assert answer_form(tasks.get("question-answering"), 2) == "a part of the context"


# Figures

ENTITY_TAGS = st.lists(st.sampled_from(["O", "B-a", "I-a", "B-b", "I-b"]), min_size=6, max_size=6)


@st.composite
def labels(draw: st.DrawFn) -> tuple[str, ...]:
    tags = draw(ENTITY_TAGS)
    count = len(EntitiesAndRelations.class_names(Example("", tuple(tags))))
    if count < 2:
        return tuple(tags)
    place = st.integers(0, count - 1)
    triple = st.tuples(place, st.sampled_from(["r", "s"]), place).filter(lambda each: each[0] != each[2])
    return label_of(tags, draw(st.lists(triple, max_size=4, unique=True)))


def counted(label: Sequence[str]) -> list[tuple[Any, ...]]:
    """The triples with both types and both spans, by a plain walk over the tags."""
    entities: list[list[Any]] = []
    open_type = None
    for word, tag in enumerate(tags_of(label)):
        if tag == "O":
            open_type = None
        elif tag.startswith("I-") and tag[2:] == open_type:
            entities[-1][2] = word
        else:
            open_type = tag[2:]
            entities.append([open_type, word, word])
    return [(*entities[first], relation, *entities[second]) for first, relation, second in triples_of(label)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(labels(), labels()), min_size=1, max_size=6))
def test_triple_f1_counts_triples_that_are_right_in_everything(pairs: list[tuple[Any, Any]]) -> None:
    references, answers = zip(*pairs, strict=True)
    metric = KIND.metrics[0]
    hits = claimed = actual = 0
    for reference, answer in pairs:
        wanted, found = counted(reference), counted(answer)
        hits += sum(triple in wanted for triple in found)
        claimed, actual = claimed + len(found), actual + len(wanted)
    score = metric.score(metric.per_example(references, answers))
    assert score == pytest.approx(200 * hits / (claimed + actual) if claimed + actual else 0.0)
    turned = metric.score(metric.per_example(answers, references))
    assert score == pytest.approx(turned)
    perfect = metric.score(metric.per_example(references, references))
    assert perfect == (100.0 if actual else 0.0)


@settings(max_examples=40, deadline=None)
@given(labels(), labels())
def test_a_confusion_stands_for_each_word_and_each_triple(reference: Any, answer: Any) -> None:
    found = EntitiesAndRelations.confusions(reference, answer)
    hits = [name for name, other in found if name == other and name.endswith("(relation)")]
    assert len(hits) == len(facts(reference) & facts(answer))
    assert all("O" not in pair or pair[0] != pair[1] for pair in found)


def test_a_triple_needs_both_spans_both_types_and_the_relation() -> None:
    metric = KIND.metrics[0]
    assert [each.name for each in gated(KIND.metrics)] == ["triple_f1"]

    def score(answer: Sequence[str]) -> float:
        return metric.score(metric.per_example([LABEL], [answer]))

    longer = ["B-person", "I-person", "O", "O", "B-firm", "I-firm", "B-person"]
    other = ["B-firm", "I-firm", "O", "O", "B-firm", "O", "B-person"]
    assert score(LABEL) == 100
    assert score(label_of(longer, [(0, "works_for", 1)])) == 0
    assert score(label_of(other, [(0, "works_for", 1)])) == 0
    assert score(label_of(TAGS, [(1, "works_for", 0)])) == 0
    assert score(label_of(TAGS, [(0, "owns", 1)])) == 0
    assert score(label_of(TAGS, [(0, "works_for", 1), (2, "works_for", 1)])) == pytest.approx(200 / 3)


def test_the_report_has_types_and_relations() -> None:
    answer = label_of(TAGS, [(2, "works_for", 1)])
    found = {row["name"]: row for row in KIND.class_report([LABEL, LABEL], [LABEL, answer])}
    assert list(found) == ["firm", "person", "works_for (relation)"]
    relation = found["works_for (relation)"]
    assert (relation["precision"], relation["recall"], relation["f1"], relation["support"]) == (50, 50, 50, 2)
    assert EntitiesAndRelations.class_names(Example("", LABEL)) == ["person", "firm", "person", "works_for (relation)"]
    assert KIND.word_report([LABEL], [LABEL])[-1]["f1"] == 100
    assert KIND.majority_answers([LABEL]) == [("O",) * 7]
    assert {EntitiesAndRelations.stratum(Example("", label)) for label in (LABEL, tuple(TAGS))} == {
        "works_for",
        "firm person",
    }


def test_people_see_the_words_of_a_triple() -> None:
    text = " ".join(TOKENS)
    assert KIND.describe(LABEL, text) == "Anna Lee (person) works_for Acme (firm); Bob (person)"
    assert KIND.describe(LABEL, None) == "person at word 1 works_for firm at word 5; person at word 7"
    assert KIND.describe(("O",), "x") == "no entity"


# Annotation tools


def test_brat_gives_entities_and_relations_of_each_line(tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "a.txt").write_text("Acme hired Anna-Lee.\nBob left.\n", encoding="utf-8")
    (folder / "a.ann").write_text(
        "T1\tperson 11 19\tAnna-Lee\nT2\tfirm 0 4\tAcme\nT3\tperson 21 24\tBob\nR1\tworks_for Arg1:T1 Arg2:T2\n",
        encoding="utf-8",
    )
    found = read(folder)
    assert found[0] == Example(
        "Acme hired Anna-Lee .", label_of(["B-firm", "O", "B-person", "O"], [(1, "works_for", 0)])
    )
    assert found[1] == Example("Bob left.", ("B-person", "O"))


def test_label_studio_gives_entities_and_relations_of_a_text(tmp_path: Path) -> None:
    def entity(name: str, begin: int, end: int, kind: str) -> dict[str, Any]:
        return {"id": name, "type": "labels", "value": {"start": begin, "end": end, "labels": [kind]}}

    related = {"type": "relation", "from_id": "x", "to_id": "y", "direction": "left", "labels": ["employs"]}
    result = [entity("y", 0, 4, "person"), entity("x", 14, 18, "firm"), related]
    lost = [*result[:2], {**related, "to_id": "z"}]
    file = tmp_path / "export.json"

    def export(*results: Any) -> None:
        texts = [{"data": {"text": "Anna works at Acme"}, "annotations": [{"result": each}]} for each in results]
        file.write_text(json.dumps(texts), encoding="utf-8")

    export(result)
    assert read(file) == [
        Example("Anna works at Acme", label_of(["B-person", "O", "O", "B-firm"], [(0, "employs", 1)]))
    ]
    export(lost, result)
    with pytest.raises(DataError) as error:
        read(file)
    assert error.value.problems == (f"{file}:1: the relation employs is about 'z', which is no entity",)


def read(path: Path) -> list[Example]:
    """The examples of a file or folder of an annotation tool."""
    from edge_ptf.data.brat import read_brat
    from edge_ptf.data.columns import Columns
    from edge_ptf.data.json_files import read_json
    from edge_ptf.data.rows import Findings

    findings = Findings()
    columns = Columns.of(EntitiesAndRelations, DataConfig())
    read_rows = read_brat(path, columns, findings) if path.is_dir() else read_json(path, columns, findings)
    found = [EntitiesAndRelations.example(row.values) for row in read_rows]
    findings.check(str(path))
    return found
