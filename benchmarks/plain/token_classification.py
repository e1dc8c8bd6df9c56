"""Fine-tunes a tagger with a plain `transformers.Trainer` script, for comparison with the teacher of edge-ptf.

python benchmarks/plain/token_classification.py
python benchmarks/plain/token_classification.py --learning-rates 1e-4 2e-4 --seeds 0

The script does what the tutorials of transformers do: the first subword of each word has the word's tag, and the others
are ignored. The model with the best validation score of all epochs is kept. The script trains once for each learning
rate and batch size, with the first seed. The setting with the best entity F1 (seqeval) on the validation split is
trained with each seed. Only these models answer the test split. Read its figures beside those of
`real_data.py wnut17`: same model, same data, same environment.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

from seqeval.metrics import f1_score, precision_score, recall_score

RESULTS = Path(__file__).parents[1] / "results"
FILES = {"train": "train.conll", "validation": "dev.conll", "test": "test.conll"}
IGNORED = -100
Sentence = tuple[list[str], list[str]]
"""The words and their tags."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/wnut17"), help="folder with CoNLL files")
    parser.add_argument("--model", default="minilm-l6", help="a folder, a hub id or minilm-l6")
    parser.add_argument("--learning-rates", type=float, nargs="+", default=[5e-5, 1e-4, 2e-4, 4e-4])
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[16, 32])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--max-length", type=int, default=128)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rows", type=int, help="use only the first rows of each split, to try the script")
    parser.add_argument("--results", default="plain-wnut17", help="name of the results file")
    given = parser.parse_args()
    splits = {name: read(given.data / file)[: given.rows] for name, file in FILES.items()}
    names = sorted({tag for _, tags in splits["train"] for tag in tags})
    trials = []
    for rate, size in [(rate, size) for rate in given.learning_rates for size in given.batch_sizes]:
        scores = trained(given, splits, names, rate, size, given.seeds[0], judged=("validation",))
        trials.append({"learning_rate": rate, "batch_size": size, **scores})
        print(json.dumps(trials[-1]), flush=True)
    best = max(trials, key=lambda trial: trial["validation F1, %"])
    rate, size = best["learning_rate"], best["batch_size"]
    runs = []
    for seed in given.seeds:
        runs.append({"seed": seed, **trained(given, splits, names, rate, size, seed, judged=("validation", "test"))})
        print(json.dumps(runs[-1]), flush=True)
    means = {name: round(statistics.fmean(run[name] for run in runs), 2) for name in runs[0] if name != "seed"}
    rows = {name: len(sentences) for name, sentences in splits.items()}
    figures = {"rows": rows, "trials": trials, "chosen": {"learning_rate": rate, "batch_size": size}}
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps({**figures, "runs": runs, "means": means}, indent=1)
    (RESULTS / f"{given.results}.json").write_text(text + "\n", encoding="utf-8")
    print(json.dumps(means))


def read(path: Path) -> list[Sentence]:
    """The sentences of a CoNLL file: a word, a TAB and a tag on each line. Tags without a word are left out."""
    sentences: list[Sentence] = [([], [])]
    for line in [*path.read_text(encoding="utf-8").split("\n"), ""]:
        if not line.strip():
            if sentences[-1][0]:
                sentences.append(([], []))
            continue
        word, tag = line.rstrip().split("\t")
        if word.strip():
            sentences[-1][0].append(word)
            sentences[-1][1].append(tag)
    return sentences[:-1]


def trained(
    given: argparse.Namespace,
    splits: dict[str, list[Sentence]],
    names: list[str],
    rate: float,
    size: int,
    seed: int,
    *,
    judged: tuple[str, ...],
) -> dict[str, float]:
    """Entity F1, precision and recall in percent of the model with the best validation F1 of all epochs."""
    from transformers import (
        AutoModelForTokenClassification,
        AutoTokenizer,
        DataCollatorForTokenClassification,
        Trainer,
        TrainingArguments,
        set_seed,
    )

    from edge_ptf.models.base_models import resolve_base

    set_seed(seed)
    folder = resolve_base(given.model)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForTokenClassification.from_pretrained(
        folder, id2label=dict(enumerate(names)), label2id={name: place for place, name in enumerate(names)}
    )
    data = {name: encoded(tokenizer, sentences, names, given.max_length) for name, sentences in splits.items()}

    def figures(result: Any) -> dict[str, float]:
        return {"f1": f1_score(*tags(result.predictions, result.label_ids, names), zero_division=0)}

    with tempfile.TemporaryDirectory() as work:
        trainer = Trainer(
            model=model,
            args=TrainingArguments(
                output_dir=work,
                learning_rate=rate,
                per_device_train_batch_size=size,
                per_device_eval_batch_size=64,
                num_train_epochs=given.epochs,
                weight_decay=0.01,
                warmup_steps=0.1,
                eval_strategy="epoch",
                save_strategy="epoch",
                save_total_limit=1,
                load_best_model_at_end=True,
                metric_for_best_model="f1",
                logging_strategy="no",
                report_to=[],
                seed=seed,
                disable_tqdm=True,
            ),
            train_dataset=data["train"],
            eval_dataset=data["validation"],
            data_collator=DataCollatorForTokenClassification(tokenizer),
            compute_metrics=figures,
        )
        trainer.train()
        found = {}
        for split in judged:
            result = trainer.predict(data[split])
            answers = tags(result.predictions, result.label_ids, names)[1]
            reference, answer = whole(tokenizer, splits[split], answers, given.max_length)
            for title, score in (("F1", f1_score), ("precision", precision_score), ("recall", recall_score)):
                found[f"{split} {title}, %"] = round(100 * float(score(reference, answer, zero_division=0)), 2)
    return found


def encoded(tokenizer: Any, sentences: list[Sentence], names: list[str], length: int) -> list[dict[str, Any]]:
    """Token ids, and the tag id at the first subword of each word."""
    ids = {name: place for place, name in enumerate(names)}
    rows = []
    for words, word_tags in sentences:
        batch = tokenizer(words, is_split_into_words=True, truncation=True, max_length=length)
        labels = [IGNORED] * len(batch["input_ids"])
        for word, place in firsts(batch.word_ids()).items():
            labels[place] = ids.get(word_tags[word], 0)
        rows.append({**batch, "labels": labels})
    return rows


def firsts(words: list[int | None]) -> dict[int, int]:
    """The place of the first token of each word that has one, by the word's number.

    Args:
        words: the number of the word of each token.
    """
    found: dict[int, int] = {}
    for place, word in enumerate(words):
        if word is not None:
            found.setdefault(word, place)
    return found


def tags(logits: Any, label_ids: Any, names: list[str]) -> tuple[list[list[str]], list[list[str]]]:
    """The expected and the answered tags of the words that have a token."""
    best = logits.argmax(-1)
    pairs = [
        [(names[wanted], names[found]) for wanted, found in zip(*row, strict=True) if wanted != IGNORED]
        for row in zip(label_ids, best, strict=True)
    ]
    return [[pair[0] for pair in row] for row in pairs], [[pair[1] for pair in row] for row in pairs]


def whole(
    tokenizer: Any, sentences: list[Sentence], answer: list[list[str]], length: int
) -> tuple[list[list[str]], list[list[str]]]:
    """The expected and the answered tags of all words. A word without a token is answered O."""
    answers = []
    for (words, _), found in zip(sentences, answer, strict=True):
        batch = tokenizer(words, is_split_into_words=True, truncation=True, max_length=length)
        by_word = dict(zip(firsts(batch.word_ids()), found, strict=True))
        answers.append([by_word.get(word, "O") for word in range(len(words))])
    return [word_tags for _, word_tags in sentences], answers


if __name__ == "__main__":
    main()
