"""The page as a file: self-contained and small, and data cannot inject markup."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_ptf import tasks
from edge_ptf.errors import EnvironmentFault
from edge_ptf.examples import Example
from edge_ptf.metrics import Direction, Metric
from edge_ptf.report import explanations
from edge_ptf.report.comparison import compare
from edge_ptf.report.contents import contents
from edge_ptf.report.page import report_page, write_page
from edge_ptf.report.stage_lines import accuracy_line
from edge_ptf.report.study import read_study
from edge_ptf.runtime import Runner
from edge_ptf.runtime.occlusion import word_effects

from .conftest import WARNING, accuracy_of, latency_of

HOSTILE = ("</script><img src=x onerror=alert(1)>", "<!--<script>", '" onload="alert(1)', "{{ 7 * 7 }}", "\u2028`${1}`")


class Reader(HTMLParser):
    """Elements, their attributes, and the text of scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.within = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.within = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.within = ""

    def handle_data(self, data: str) -> None:
        if self.within == "script":
            self.scripts[-1] += data


def test_the_page_says_which_split_was_answered(make_study: Callable[..., Any]) -> None:
    study = make_study()
    assert "400 texts of the test split" in report_page(study)
    tried = replace(study, accuracy=study.accuracy.replace(split="validation"))
    assert "400 texts of the validation split" in report_page(tried)


def test_nothing_is_loaded_from_anywhere(make_study: Callable[..., Any]) -> None:
    reader = Reader(report_page(make_study()))
    for tag, attributes in reader.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form", "img"), tag
        assert "src" not in attributes
        assert (attributes.get("href") or "#").startswith("#")
        assert not [name for name in attributes if name.startswith("on")], "handlers are attached by the script"
    policy = next(a["content"] for t, a in reader.elements if t == "meta" and "http-equiv" in a)
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    for script in reader.scripts[1:]:
        assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in policy


def test_what_the_data_says_stays_text(make_study: Callable[..., Any]) -> None:
    plain = Reader(report_page(make_study(classes=len(HOSTILE) + 1, rows=300)))
    study = make_study(classes=len(HOSTILE) + 1, rows=300, names=list(HOSTILE), text=HOSTILE[0])
    page = report_page(
        replace(study, record={"data": {"source": HOSTILE[0], "notes": HOSTILE}, "tools": {"a": HOSTILE[0]}})
    )
    reader = Reader(page)
    assert len(reader.scripts) == 3
    known = {(tag, name) for tag, attributes in plain.elements for name in attributes}
    assert {(tag, name) for tag, attributes in reader.elements for name in attributes} <= known
    island = json.loads(reader.scripts[0])
    assert HOSTILE[0] in island["changes"]["words"]
    assert "49" not in page.split("{{ 7 * 7 }}")[0][-20:]
    assert "&lt;/script&gt;&lt;img" in page


def test_the_largest_known_run_stays_small(make_study: Callable[..., Any]) -> None:
    study = make_study(classes=151, rows=5500, text="could you please tell me how much money is in my account today")
    study = replace(study, latencies=(latency_of(study.payload.digest, launches=7, calls=4000),))
    assert len(report_page(study).encode()) < 3_000_000


def test_sections_appear_with_their_data(make_study: Callable[..., Any], make_payload: Callable[..., Any]) -> None:
    bare = report_page(read_study(make_payload()))
    for name in ("accuracy", "changes", "latency", "variants", "sensitivity"):
        assert f'<section id="{name}"' not in bare
    assert "Not judged" in bare
    record = {
        "sensitivity": [{"part": "layer 1", "drop": 0.4}, {"part": "layer 2", "drop": 1.25}],
        "variants": [{"name": "two layers", "speedup": 9.5, "size_mb": 6.0, "metrics": {"in_scope_accuracy": 91.0}}],
    }
    full = report_page(make_study(record=record))
    for name in ("accuracy", "changes", "latency", "variants", "sensitivity", "size", "lineage", "environment"):
        assert f'<section id="{name}"' in full
    assert full.index("layer 2") < full.index("layer 1"), "the worst part first"
    assert "two layers" in full


def test_the_verdict_comes_first_with_what_settles_it(make_study: Callable[..., Any]) -> None:
    page = report_page(make_study())
    main = page[page.index("<main") :]
    assert main.index('id="verdict"') < main.index('id="accuracy"')
    text = re.sub(r"<[^>]+>", "", main)
    assert "To settle it: about 9,800 more test examples." in text
    assert "✕ FAIL" in text
    assert "? UNPROVEN" in text


def shown_text(page: str) -> str:
    """What a reader sees of the page's markup."""
    return " ".join(re.sub(r"<[^>]+>", " ", page[: page.index('<script type="application/json"')]).split())


def test_the_heading_has_name_model_data_and_date(make_study: Callable[..., Any]) -> None:
    study = make_study(record={"data": {"source": "my-texts/"}})
    page = report_page(study, date(2026, 3, 9))
    heading = shown_text(page[page.index("<header") :])
    heading = heading[: heading.index("Verdict")]
    manifest = study.payload.manifest
    layers = f"{len(manifest.graph.layers)} layers"
    assert f"{manifest.name} Model {manifest.lineage.base_model} ({layers}, {manifest.graph.scheme})" in heading
    assert "Data my-texts/, 400 texts of the test split" in heading
    assert "Task Text classification Profile x86-vnni Report written 9 March 2026" in heading
    assert study.payload.digest[:12] in heading


def test_the_heading_of_a_package_alone_names_the_data_by_its_fingerprint(make_payload: Callable[..., Any]) -> None:
    payload = make_payload()
    shown = dict(contents(read_study(payload))["heading"])
    assert shown["Data"] == payload.manifest.lineage.data[:12]
    assert shown["Profile"] == "none: not judged"
    assert "with data <code>" in report_page(read_study(payload)), "no empty name of the source"


def test_a_warning_is_shown_once_with_its_consequence(make_study: Callable[..., Any]) -> None:
    study = make_study()
    page = shown_text(report_page(study))
    assert page.count(WARNING) == page.count("Warning:") == 1
    assert page.index(WARNING) < page.index("texts of the test split, one at a time"), "in the verdict"
    assert "No flags and no warnings" not in page
    unjudged = shown_text(report_page(replace(study, verdict=None)))
    assert unjudged.count(WARNING) == 1
    board = study.latencies[0].machine.replace(device_model="Board")
    twice = replace(study, latencies=(study.latencies[0], study.latencies[0].replace(machine=board)))
    assert shown_text(report_page(twice)).count(f"{WARNING} (latency on Test CPU, Board)") == 1
    assert shown_text(report_page(replace(twice, verdict=None))).count(WARNING) == 1


def test_every_plot_stands_in_the_page_as_a_drawing_too(make_study: Callable[..., Any]) -> None:
    reader = Reader(report_page(make_study(classes=30)))
    stills = {attributes["data-still"] for _, attributes in reader.elements if "data-still" in attributes}
    assert stills == set(json.loads(reader.scripts[0])["plots"])
    assert len(stills) == 6


def test_a_section_without_a_plot_has_no_empty_frame(make_study: Callable[..., Any]) -> None:
    study = make_study(classes=2, rows=40)
    plots = [attributes.get("data-plot") for _, attributes in Reader(report_page(study)).elements]
    assert "classes" not in plots and "matrix" in plots


@dataclass(frozen=True, kw_only=True)
class Loss(Metric):
    """A metric whose unit is not points."""

    unit = "nats"
    direction = Direction.LOWER

    def per_example(self, references: Any, answers: Any) -> Any:
        return np.asarray([[reference != answer] for reference, answer in zip(references, answers, strict=True)], float)

    def score(self, rows: Any) -> float:
        return float(rows.mean())

    def noise(self, score: float, count: int) -> float:
        return 1.0 / count


def test_a_score_has_the_unit_and_digits_of_its_metric(
    make_study: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = tasks.get("text-classification")
    known = kind.metrics.fget  # type: ignore[attr-defined]
    loss = Loss(name="log_loss", title="log loss", gated=True)
    monkeypatch.setattr(kind, "metrics", property(lambda task: (*known(task), loss)))
    study = make_study()
    before, after = (
        record.replace(metrics={**record.metrics, "log_loss": value})
        for record, value in ((study.baseline, 0.4), (study.accuracy, 0.51239))
    )
    study = replace(study, baseline=before, accuracy=after)
    shown = shown_text(report_page(study))
    assert "log loss 0.4000 nats 0.5124 nats +0.1124" in shown
    assert "log loss 0.5124 nats teacher 0.4000 nats, +0.1124 nats" in shown
    figures = {row.name: row for row in compare(study, replace(study, accuracy=before), ("a", "b")).figures}
    assert figures["log loss"].difference == "-0.1124 nats"
    assert figures["log loss"].better == 1
    assert "log loss 0.5124 nats" in accuracy_line(after)
    assert "accuracy 9" in accuracy_line(after) and " %" in accuracy_line(after)


def test_a_figure_of_a_measurement_that_does_not_count_says_so(make_study: Callable[..., Any]) -> None:
    study = make_study()
    flagged = replace(study, latencies=(latency_of(study.payload.digest, flags=("crowded: by others",)),))
    notes = {tile.name: tile.note for tile in contents(flagged)["tiles"]}
    assert [name for name, note in notes.items() if "does not count" in note] == ["speed-up", "latency, p50"]
    assert not [tile for tile in contents(study)["tiles"] if "does not count" in tile.note]


def test_one_thread_and_one_launch_are_named_in_the_singular(make_study: Callable[..., Any]) -> None:
    study = make_study()
    once = replace(study, latencies=(latency_of(study.payload.digest, launches=1, calls=2000),))
    page = shown_text(report_page(once))
    assert "1 thread, 1 launch, 2,000 calls" in page
    assert "1 thread, called by" in page


def test_rows_are_numbered_where_there_are_no_texts(make_study: Callable[..., Any]) -> None:
    page = report_page(make_study(text=None))
    assert "The evidence contains row numbers, not texts" in page
    assert all(len(row) == 7 for row in json.loads(Reader(page).scripts[0])["changes"]["rows"])
    assert "The evidence contains row numbers" not in report_page(make_study())


def test_a_redacted_page_holds_no_text_and_says_so(make_study: Callable[..., Any]) -> None:
    text = "a secret of the test split"
    study = make_study(text=text)
    whole, page = report_page(study), report_page(study.redact())
    assert text in whole and text not in page
    assert "left out on request" in page and "left out on request" not in whole
    before, after = (contents(each) for each in (study, study.redact()))
    rows = [row[:7] for row in before["changes"]["island"].pop("rows")]
    assert rows and rows == after["changes"]["island"].pop("rows")
    for each in (before, after):
        each["changes"]["with_texts"] = each["changes"]["redacted"] = each["changes"]["explained"] = None
    assert after == before


def test_a_redacted_study_takes_no_texts(make_study: Callable[..., Any], tiny_labelled: Callable[..., Any]) -> None:
    study = make_study().redact()
    assert study.with_examples(tiny_labelled(), "mine").examples == ()


def explained_page(payload: Any, examples: tuple[Example, ...]) -> tuple[str, list[Any]]:
    """The page about a package whose answers are all wrong where the teacher's are right, and the rows of its list."""
    runner, labels = Runner(payload), payload.manifest.head.labels
    answers = [runner.answer(each.text, each.text_pair).label for each in examples]
    other = {label: next(name for name in labels if name != label) for label in labels}
    pairs = [(other[label], label) for label in answers]
    study = replace(
        read_study(payload),
        accuracy=accuracy_of(payload.digest, payload.manifest.head, pairs),
        baseline=accuracy_of("b" * 64, payload.manifest.head, [(wanted, wanted) for wanted, _ in pairs]),
        examples=examples,
    )
    page = report_page(study)
    return page, json.loads(Reader(page).scripts[0])["changes"]["rows"]


def test_words_of_lost_answers_are_marked(make_payload: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explanations, "LEAST_EFFECT", 0.0)
    payload = make_payload(family="roberta")
    texts = ("turn on the lights", "🙂 play some jazz", "unplayable")
    page, rows = explained_page(payload, tuple(Example(text, "") for text in texts))
    assert "3 texts are explained so" in page
    runner, marked = Runner(payload), 0
    for row, text in zip(rows, texts, strict=True):
        effects = word_effects(runner, text, None, runner.answer(text).label)
        expected = [[each.start, each.end, round(each.effect, 3)] for each in effects if abs(each.effect) >= 0.0]
        assert row[8] == expected
        marked += len(expected)
    assert marked


def test_words_of_a_second_text_are_marked_behind_the_first(
    make_payload: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explanations, "LEAST_EFFECT", 0.0)
    example = Example("turn on the lights", "", "play some jazz music now")
    _, rows = explained_page(make_payload(family="roberta", paired=True), (example,))
    words = [row[7][start:end] for row in rows for start, end, _ in row[8]]
    assert words == [*example.text.split(), *str(example.text_pair).split()]


def test_an_answer_that_this_machine_does_not_give_is_not_explained(make_payload: Callable[..., Any]) -> None:
    payload = make_payload()
    answered = Runner(payload).answer("turn on").label
    other = next(label for label in payload.manifest.head.labels if label != answered)
    spec = payload.manifest.head
    study = replace(
        read_study(payload),
        accuracy=accuracy_of(payload.digest, spec, [(answered, other)]),
        baseline=accuracy_of("b" * 64, spec, [(answered, answered)]),
        examples=(Example("turn on", answered),),
    )
    assert contents(study)["changes"]["island"]["rows"][0][8] == []
    assert "explained so" not in report_page(study)


def test_tagging_has_a_report_too(make_payload: Callable[..., Any]) -> None:
    payload = make_payload(kind="token-classification")
    spec = payload.manifest.head
    assert spec.task == "token-classification"
    kind = next(label[2:] for label in spec.labels if label.startswith("B-"))
    before = [(("O", f"B-{kind}"), ("O", f"B-{kind}"))] * 3
    after = [(("O", f"B-{kind}"), ("O", "O"))] * 3
    study = replace(
        read_study(payload),
        accuracy=accuracy_of(payload.digest, spec, after),
        baseline=accuracy_of("b" * 64, spec, before),
        examples=tuple(Example("in kitchen", ("O", f"B-{kind}")) for _ in range(3)),
    )
    page = report_page(study)
    words = json.loads(Reader(page).scripts[0])["changes"]["words"]
    assert words == [f"{kind}: kitchen", "no entity"]
    table = page[page.index("<h3>Words</h3>") : page.index("<h3>Confusion</h3>")]
    for name in (f"B-{kind}", "macro avg", "micro avg", "weighted avg"):
        row = next(line for line in table.splitlines() if f">{name}<" in line)
        cells = [re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row)]
        assert cells == ["0.0", "100.0", "-100.0", "0.0", "0.0", "3"]


def test_only_tags_of_words_have_a_table_of_words(make_study: Callable[..., Any]) -> None:
    assert "<h3>Words</h3>" not in report_page(make_study())


@pytest.mark.parametrize("kind", tasks.names())
def test_every_task_can_be_reported(kind: str, make_payload: Callable[..., Any]) -> None:
    assert report_page(read_study(make_payload(kind=kind)))


def test_numbers_have_no_classes_and_no_changed_answers(make_payload: Callable[..., Any]) -> None:
    payload = make_payload(kind="regression")
    spec = payload.manifest.head
    answers = [(1.0, 1.25), (2.0, 2.0), (3.0, 2.5)]
    study = replace(
        read_study(payload),
        accuracy=accuracy_of(payload.digest, spec, answers),
        baseline=accuracy_of("b" * 64, spec, answers),
        examples=tuple(Example("a text", value) for value, _ in answers),
    )
    found, page = contents(study), report_page(study)
    assert found["changes"] is None
    assert [row[0] for row in found["accuracy"]["metrics"]] == ["Spearman", "Pearson", "RMSE"]
    assert "The answer is a number" in page
    assert not any(words in page for words in ("Confusion matrix", "makes no mistake", "Changed answers"))


@pytest.mark.parametrize(
    ("kind", "answers", "said"),
    [
        ("sentence-embedding", [("a", (1.0, 0.0)), ("a", (0.8, 0.6))], "The answer is a vector: it is compared"),
        ("question-answering", [(("red",), ("red",)), ((), ("blue",))], "The answer is a part of the context"),
    ],
)
def test_answers_that_are_no_classes_are_named(
    kind: str, answers: list[Any], said: str, make_payload: Callable[..., Any]
) -> None:
    payload = make_payload(kind=kind)
    accuracy = accuracy_of(payload.digest, payload.manifest.head, answers)
    page = report_page(replace(read_study(payload), accuracy=accuracy, baseline=accuracy))
    assert said in page and "Confusion matrix" not in page


def test_options_and_notes_are_said_as_they_are(make_payload: Callable[..., Any]) -> None:
    payload = make_payload()
    options = {"epochs": 1, "layers": [1, 2], "rate": 0.25, "shuffle": True, "pairs": False, "limit": None, "zero": 0}
    step = payload.manifest.lineage.steps[0].replace(stage="finetune", config=options, facts={"kept_epoch": 1})
    lineage = payload.manifest.lineage.model_copy(update={"steps": (step,)})
    study = read_study(payload)
    study = replace(study, payload=replace(payload, manifest=payload.manifest.model_copy(update={"lineage": lineage})))
    shown = contents(study)["lineage"]["steps"][0]
    assert dict(shown["options"]) == {
        "epochs": "1",
        "layers": "1, 2",
        "rate": "0.25",
        "shuffle": "yes",
        "pairs": "no",
        "limit": "none",
        "zero": "0",
    }
    assert shown["facts"] == [("kept epoch", "1")]


def test_a_page_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        write_page("x", tmp_path / "file" / "report.html")
    assert write_page("x", tmp_path / "new" / "report.html").read_text() == "x"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["report.html"]
