"""A folder in which every command of the documents runs: small data, a small model, the files that examples name."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from unittest import mock

from edge_ptf.api.settings import PROJECT_FILE
from edge_ptf.cli.main import run
from edge_ptf.data.demo import generate
from edge_ptf.tasks.tag_schemes import entities, written
from tests.conftest import wordpiece_tokenizer
from tests.docs.pages import Shown

PAGES_OF_A_PROJECT = ("docs/tutorial/index.md", "docs/how-to/command-line.md")
"""Pages whose commands read a project file."""
Rows = Mapping[str, Sequence[tuple[str, ...]]]

QUICK_BENCH = ("bench.launches=5", "bench.calls=100", "bench.seconds=0", "bench.memory_launches=2")
QUICK = {
    "bench": QUICK_BENCH,
    "calibrate": (),
    "distill": ("distill.epochs=1", "distill.spliced_texts=0.2"),
    "finetune": ("finetune.epochs=1",),
    "latency-table": ("latency_table.texts=8", "latency_table.rounds=3"),
    "prune": ("prune.samples=16", "prune.refit_tokens=500"),
    "tune": ("finetune.epochs=1",),
    "sensitivity": ("sensitivity.texts=8", "sensitivity.timed_texts=8"),
}
TRAINING = tuple(setting for name in QUICK for setting in QUICK[name] if name not in ("sensitivity", "tune"))
CHEAP = ("--min-speedup", "0.001", "--package-mb", "100", "--set", "targets.peak_memory_mb=10000")
JUDGED_BY = {
    "token-classification": "entity_f1",
    "entities-and-relations": "triple_f1",
    "multi-label-classification": "micro_f1",
    "regression": "spearman",
    "sentence-embedding": "spearman",
}
"""The metric of a task, if it is not the accuracy."""
SCOPED = ("--max-drop", "in_scope_accuracy=100", "--max-drop", "out_of_scope_recall=100", *CHEAP)


@dataclass(frozen=True)
class Done:
    """What a command printed, and its exit code."""

    code: int
    stdout: str
    stderr: str


def edge_ptf(*words: str) -> Done:
    """Runs a command in this process and in the current directory."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with mock.patch.object(sys, "argv", ["edge-ptf", *words]), redirect_stdout(stdout), redirect_stderr(stderr):
        try:
            run()
        except SystemExit as error:
            return Done(int(error.code or 0), stdout.getvalue(), stderr.getvalue())
    raise AssertionError("the command did not end with an exit code")


def make_base(folder: Path) -> None:
    """A random model with the layers, heads and intermediate size of MiniLM-L6, and a small hidden size."""
    import torch
    from transformers import BertConfig, BertModel

    tokenizer = wordpiece_tokenizer()
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=48,
        intermediate_size=1536,
        num_attention_heads=12,
        num_hidden_layers=6,
        max_position_embeddings=130,
    )
    BertModel(config).save_pretrained(folder)


def make_finetuned(base: Path, root: Path) -> None:
    """A model of transformers with the labels of my-texts/."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    with (root / "my-texts" / "train.csv").open(encoding="utf-8", newline="") as file:
        labels = sorted({row["label"] for row in csv.DictReader(file)})
    names = dict(enumerate(labels))
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=len(labels), id2label=names)
    model.save_pretrained(root / "my-finetuned")
    AutoTokenizer.from_pretrained(base).save_pretrained(root / "my-finetuned")


def make_data(root: Path) -> None:
    """A thirtieth of the demo data under every name and in every form that the documents use."""
    rows = {split: [(row.text, row.intent) for row in found[::30]] for split, found in generate().items()}
    assert "out_of_scope" in {label for _, label in rows["test"]}
    for name in ("demo", "voice", "clinc150"):
        _write(root / name, rows)
    other = {split: [(text, label.replace("out_of_scope", "other")) for text, label in rows[split]] for split in rows}
    for name in ("my-texts", "data"):
        _write(root / name, other)
    _write(root / "columns", other, head=("utterance", "intent"))
    ratings = {split: [(text, str(len(text.split()))) for text, _ in rows[split]] for split in rows}
    _write(root / "my-ratings", ratings, head=("text", "value"))
    pairs = {split: [_pair(*two) for two in pairwise(found)] for split, found in rows.items()}
    _write(root / "my-pairs", pairs, head=("text", "text_pair", "score"))
    _write(root / "semicolons", other, delimiter=";", encoding="cp1252")
    words = {split: [(row.text.split(), row.tags) for row in found[::30]] for split, found in generate().items()}
    known = {tag[2:] for _, tags in words["train"] for tag in tags}
    words = {split: [row for row in found if {tag[2:] for tag in row[1]} <= known] for split, found in words.items()}
    _write_words(root / "words", words, "{word}\t{tag}")
    _write_utterances(root, known)
    _write_words(root / "columns-of-words", words, "{number} {word} {tag} _")
    (root / "food.txt").write_text("order a pizza\nbring me some noodles\nI am hungry\n", encoding="utf-8")
    (root / "logs.txt").write_text("".join(f"{text} please\n" for text, _ in rows["train"][:50]), encoding="utf-8")


def _pair(first: tuple[str, str], second: tuple[str, str]) -> tuple[str, str, str]:
    """Two texts, and whether they have one label."""
    return first[0], second[0], str(int(first[1] == second[1]))


def _write(
    folder: Path, rows: Rows, head: tuple[str, ...] = ("text", "label"), delimiter: str = ",", encoding: str = "utf-8"
) -> None:
    folder.mkdir()
    for split, found in rows.items():
        with (folder / f"{split}.csv").open("w", encoding=encoding, newline="") as file:
            csv.writer(file, delimiter=delimiter).writerows([head, *found])


def _write_words(folder: Path, sentences: dict[str, list[tuple[list[str], tuple[str, ...]]]], line: str) -> None:
    """CoNLL files with BILOU tags."""
    folder.mkdir()
    for split, found in sentences.items():
        lines = []
        for words, tags in found:
            bilou = written("bilou", entities(tags), len(tags))
            rows = enumerate(zip(words, bilou, strict=True))
            lines += [*(line.format(number=number, word=word, tag=tag) for number, (word, tag) in rows), ""]
        (folder / f"{split}.conll").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_utterances(root: Path, known: set[str]) -> None:
    """Texts with an intent and tags of known types, and with relations between neighbouring entities, as JSON lines."""
    for name in ("my-utterances", "my-facts"):
        (root / name).mkdir()
    for split, found in generate().items():
        rows = [row for row in found[::30] if {tag[2:] for tag in row.tags} <= known]
        words = [{"tokens": row.text.split(), "tags": row.tags} for row in rows]
        texts = [{"text": row.text, "intent": row.intent, **each} for row, each in zip(rows, words, strict=True)]
        pairs = [[[at, "before", at + 1] for at in range(len(entities(row.tags)) - 1)] for row in rows]
        facts = [{**each, "relations": related} for each, related in zip(words, pairs, strict=True)]
        for name, lines in (("my-utterances", texts), ("my-facts", facts)):
            content = "".join(f"{json.dumps(line)}\n" for line in lines)
            (root / name / f"{split}.jsonl").write_text(content, encoding="utf-8")


@dataclass
class Sandbox:
    """The folder, and what stands for the names in the documents."""

    root: Path
    base: Path
    tiny: Path
    """A smaller model, for commands that find the size themselves: they measure every width."""
    device: str
    options: tuple[str, ...] = ()
    """The options of the device: `--ssh-option`, each before its value."""

    def words(self, shown: Shown) -> list[str]:
        """The arguments of a shown command, on small things and with short measurements."""
        replaced = {
            "minilm-l6": str(self.base if _names_a_size(shown) else self.tiny),
            "demo": "demo/",
            "my-texts/": self._texts(shown.line),
            "my-words/": "columns-of-words/" if "data.token_column" in shown.line else "words/",
            "slots=my-words/": "slots=words/",
            "intent=my-texts/,slots=my-words/": "intent=my-texts/,slots=words/",
            "ssh://pi@kitchen": self.device,
            "adb": self.device,
            "CHECKPOINT": "work/teacher",
            "TEACHER": "work/teacher",
            "STUDENT": "work/small",
            "GRAPH": "work/onnx",
            "PACKAGE": "work/package.eptf",
        }
        words = [replaced.get(word, word) for word in shown.words]
        command = words[0]
        if command == "tune":
            words[words.index("--trials") + 1] = "1"  # a second one may draw many texts
        if "NAME" in words:
            words[words.index("NAME")] = "host" if command == "gate" else self.linear_op()
        words = [_small(before, word) for before, word in zip(["", *words], words, strict=False)]
        if command in ("compress", "search"):
            scoped = "--out-of-scope-label" in words
            words += [part for setting in TRAINING for part in ("--set", setting)]
            task = words[words.index("--task") + 1] if "--task" in words else ""
            judged = ("intent.accuracy", "slots.entity_f1") if "=" in task else (JUDGED_BY.get(task, "accuracy"),)
            lenient = (*(part for metric in judged for part in ("--max-drop", f"{metric}=100")), *CHEAP)
            words += (SCOPED if scoped else lenient) if "--dry-run" not in words else ()
        else:
            words += [part for setting in QUICK.get(command, ()) for part in ("--set", setting)]
        out = self.root / words[words.index("--out") + 1] if "--out" in words else None
        if command not in ("compress", "search", "report", "build-engine", "tune") and out and out.exists():
            words.append("--overwrite")  # pages stand alone, and several use one name
        if command in ("bench", "devices") and self.device in words:
            words += self.options
        if command == "bench" and "--data" not in words:
            words += ["--data", "demo/"]
        if command == "bench" and "--out" not in words:
            words += ["--out", f"work/bench-{abs(hash(shown.line))}"]
        return words

    def prepare(self, shown: Shown) -> None:
        """Puts the files there that an example expects from an earlier day."""
        if shown.page not in PAGES_OF_A_PROJECT or shown.words[0] == "init":
            (self.root / PROJECT_FILE).unlink(missing_ok=True)
        elif shown.words[0] == "compress" and not (self.root / PROJECT_FILE).exists():
            edge_ptf("init")
        if "my-finetuned" in shown.line and not (self.root / "my-finetuned").exists():
            make_finetuned(self.tiny, self.root)
        payload, teacher = self.root / "work/package/payload.eptf", self.root / "work/baseline/payload.eptf"
        for name in ("package.eptf", "a.eptf", "new.eptf"):
            if not (self.root / name).exists() and payload.exists():
                shutil.copy(payload, self.root / name)
        for name in ("teacher.eptf", "b.eptf", "old.eptf"):
            if not (self.root / name).exists() and teacher.exists():
                shutil.copy(teacher, self.root / name)
        (self.root / "reports").mkdir(exist_ok=True)

    def linear_op(self) -> str:
        """The name of a linear op of the student's graph."""
        import onnx

        from edge_ptf.graph.linear_ops import linear_ops

        (file,) = (self.root / "work/onnx").rglob("*.onnx")
        return next(iter(linear_ops(onnx.load(file))))

    def _texts(self, line: str) -> str:
        if "data.text_column" in line:
            return "columns/"
        return "semicolons/" if "data.delimiter" in line else "my-texts/"


def _small(option: str, value: str) -> str:
    """The value of an option, such that a tiny model reaches it in a short time."""
    if option == "--folds" or (option == "--trials" and value != "1"):
        return "2"
    if option == "--dimensions" or value.startswith(("assemble.dimensions=", "finetune.matryoshka=")):
        return value.replace("128", "16").replace("64", "8")
    metric = value.partition("=")[0]
    return f"{metric}={1000 if metric == 'rmse' else 1}" if option == "--min-score" else value


def _names_a_size(shown: Shown) -> bool:
    """Whether the command names layers or neurons of MiniLM-L6, or the page does so later."""
    return "prune.num_layers" in shown.line or shown.page == "docs/how-to/single-stages.md"
