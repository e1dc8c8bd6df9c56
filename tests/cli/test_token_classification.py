"""Tags from a CoNLL file with many columns to an answer, in Python and in the C++ runner, by constrained decoding."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_ptf.heads.token import spans
from edge_ptf.package import open_payload
from edge_ptf.runtime import Runner
from edge_ptf.runtime.native import NativeRunner, find_library, load_library

QUICK = (
    *("--set", "finetune.epochs=2", "--set", "finetune.learning_rate=0.005", "--set", "distill.epochs=1"),
    *("--set", "distill.learning_rate=0.005", "--set", "distill.spliced_texts=0.5", "--set", "bench.launches=5"),
    *("--set", "bench.calls=100", "--set", "bench.seconds=0", "--set", "bench.memory_launches=2"),
    *("--set", "prune.num_layers=2", "--set", "prune.intermediate_size=[32]"),
)
ROOMS = ("kitchen", "living room", "blue bedroom", "red living room")
DAYS = ("today", "tomorrow", "this warm day")


def bilou(words: str, kind: str) -> list[tuple[str, str]]:
    """Words of one entity with their BILOU tags."""
    found = words.split()
    letters = ["U"] if len(found) == 1 else ["B", *"I" * (len(found) - 2), "L"]
    return [(word, f"{letter}-{kind}") for word, letter in zip(found, letters, strict=True)]


@pytest.fixture(scope="module")
def slots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of CoNLL files with four columns separated by spaces: number, word, tag, a constant."""
    folder = tmp_path_factory.mktemp("slots")
    for split, count in {"train": 96, "validation": 24, "test": 36}.items():
        lines = ["-DOCSTART- -X- O O", ""]
        for number in range(count):
            room, day = ROOMS[number % len(ROOMS)], DAYS[number // 2 % len(DAYS)]
            words = [("light", "O"), (f"{split}{number}", "O"), ("in", "O"), *bilou(room, "room"), *bilou(day, "day")]
            lines += [f"{place} {word} {tag} _" for place, (word, tag) in enumerate(words)] + [""]
        (folder / f"{split}.conll").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.mark.slow
def test_a_job_reads_bilou_columns_and_decodes_whole_entities_in_both_runners(
    run: Callable, tiny_base: Callable[[str], Path], slots: Path, tmp_path: Path
) -> None:
    job = ("--model", tiny_base("bert"), "--data", slots, "--task", "token-classification", "--out", "build")
    places = ("--set", "data.token_column=1", "--set", "data.tag_column=-2")
    decoding = ("--set", "assemble.decoding=constrained")
    found = run("compress", "--profile", "x86-generic", *job, *places, *decoding, *QUICK, "--min-speedup", "0.01")
    assert found.returncode in (0, 3, 4), found.stderr
    record = json.loads((tmp_path / "build" / "run.json").read_text(encoding="utf-8"))
    notes = record["data"]["notes"]
    assert "Tag scheme: bilou, recognised from train. The tags are converted to BIO." in notes
    assert any(note.startswith("CoNLL: 4 columns, separated by spaces. Words are read from column 1") for note in notes)
    assert "Tag scheme: bilou" in found.stdout + found.stderr
    assert "Tag scheme: bilou" in (tmp_path / "build" / "report.html").read_text(encoding="utf-8")

    payload = open_payload(tmp_path / "build" / "package.eptf")
    assert payload.manifest.head.labels == ("O", "B-day", "I-day", "B-room", "I-room")
    assert payload.manifest.head.options == {"decoding": "constrained"}
    teacher = open_payload(tmp_path / "build" / "package-baseline.eptf")
    assert teacher.manifest.head.options == payload.manifest.head.options
    records = [each for each in payload.evidence() if each.kind == "accuracy"]
    assert len(records) == 2
    for each in records:
        names = [row["name"] for row in each.word_report]
        assert names[-3:] == ["micro avg", "macro avg", "weighted avg"]
        assert {"B-day", "I-day", "B-room", "I-room"} <= {*names}
        for row in each.rows:
            assert all(tag[:2] != "I-" or row.label[place - 1][2:] == tag[2:] for place, tag in enumerate(row.label))
            assert len(spans(row.label)) == sum(tag.startswith("B-") for tag in row.label)

    again = run("evaluate", payload.path, "--data", slots, *places, "--out", "again")
    assert again.returncode == 0, again.stderr
    assert "weighted avg" in again.stdout
    if find_library() is None:
        pytest.skip("the C++ runner is not built: make runner")
    texts = [line.split()[1] for line in (slots / "test.conll").read_text().splitlines() if len(line.split()) == 4]
    sentences = [" ".join(texts[begin : begin + length]) for length in (1, 5, 9, 40) for begin in range(0, 60, 3)]
    python = Runner(payload)
    with NativeRunner(payload.path, 1, load_library()) as native:
        assert native.selftest().golden
        for text in sentences:
            wanted, got = python.answer(text), native.answer(text)
            assert got.label == wanted.label
            assert got.score == pytest.approx(wanted.score, abs=1e-6)
            assert [item["text"] for item in got.details["entities"]] == [
                item["text"] for item in wanted.details["entities"]
            ]


@pytest.mark.parametrize(
    ("content", "more", "said"),
    [
        (
            "a B-x\nb L-x\n\nc U-x\n\nd S-x\n\ne O\nf E-x\n",
            (),
            ["all.conll:6: tag 'S-x' is not of the scheme of the data, bilou", "all.conll:9: tag 'E-x' is not"],
        ),
        ("a B-x\nb XX\n\nc x-B\n", (), ["all.conll:2: tag 'XX' belongs to no tag scheme", "all.conll:4: tag 'x-B'"]),
        (
            "a B-x\n\nb O\n",
            ("--set", "data.tag_column=2"),
            ["all.conll:1: only 2 columns, but data.tag_column is 2", "all.conll:3: only 2 columns"],
        ),
        ("a B-x\n", ("--set", "data.token_column=-1"), ["token_column and tag_column are both -1"]),
        ("a B-x\n", ("--set", "data.tag_scheme=bmes"), ["data.tag_scheme: Input should be 'bio', 'iob1'"]),
        ("a B-x\n", ("--set", "data.tags_column=ner"), ["--set data.tag_column=0 is the first, -1 the last"]),
    ],
)
def test_bad_input_is_named_at_once(
    run: Callable,
    tiny_base: Callable[[str], Path],
    tmp_path: Path,
    content: str,
    more: tuple[str, ...],
    said: list[str],
) -> None:
    (tmp_path / "all.conll").write_text(content, encoding="utf-8")
    job = ("--model", tiny_base("bert"), "--data", "all.conll", "--task", "token-classification", "--out", "build")
    found = run("compress", "--profile", "x86-generic", *job, *more)
    assert found.returncode == 2, found.stdout + found.stderr
    assert "Traceback" not in found.stderr
    for each in said:
        assert each in found.stderr


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (
            "assemble.decoding=constrained",
            "assemble.decoding is constrained, but text-classification has no tags of words",
        ),
        (
            "finetune.positive_weights=root",
            "positive_weights is root, but text-classification has no weights of labels",
        ),
    ],
)
def test_an_option_of_another_task_is_refused_before_the_training(
    run: Callable, tiny_base: Callable[[str], Path], csv_data: Path, tmp_path: Path, setting: str, said: str
) -> None:
    job = ("--model", tiny_base("bert"), "--data", csv_data, "--task", "text-classification", "--out", "build")
    found = run("compress", "--profile", "x86-generic", *job, "--set", setting)
    assert found.returncode == 2
    assert said in found.stderr
    assert not list((tmp_path / "build" / "stages").glob("finetune-*/edge_ptf.json"))
