"""Fine-tunes a model with a plain `transformers.Trainer`, for comparison with the teachers of edge-ptf.

python benchmarks/real_data.py sick_entailment --only-data
python benchmarks/plain/sequence_classification.py --data build/sick_entailment-x86-vnni/data \
    --task sentence-pair-classification --results plain-sick_entailment
python benchmarks/plain/sequence_classification.py --data ../shared/data/clinc150 --task text-classification

Every learning rate is tried with every number of epochs. The first metric of the task on validation chooses one;
of equal ones the first. The test split has no part in the choice. The data are read and split as edge-ptf does it, and
nothing else of edge-ptf is used: the loss, the schedule and the batches are those of the Trainer, and the metrics are
those of scikit-learn and scipy. Numbers are learned with the mean 0 and the standard deviation 1.

`--rows` takes the first rows of each split, to see that everything runs. Such figures mean nothing and are not written.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).resolve().parents[1] / "results"
TASKS = ("text-classification", "sentence-pair-classification", "regression")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="as for edge-ptf compress")
    parser.add_argument("--task", choices=TASKS, required=True)
    parser.add_argument("--model", default="minilm-l6", help="as for edge-ptf compress")
    parser.add_argument("--learning-rates", type=float, nargs="+", default=[2e-5, 5e-5, 1e-4, 2e-4])
    parser.add_argument("--epochs", type=int, nargs="+", default=[3, 5, 10])
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--max-length", type=int, default=128, help="in tokens")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rows", type=int, help="of each split")
    parser.add_argument("--results", help="name of the results file [default: none is written]")
    given = parser.parse_args()

    splits, labels = _splits(given.data, given.task, given.rows)
    base = _base(given.model)
    trials: list[dict[str, Any]] = []
    best: tuple[float, dict[str, Any]] | None = None
    for rate, epochs in [(rate, epochs) for rate in given.learning_rates for epochs in given.epochs]:
        answer = _train(base, splits["train"], labels, rate, epochs, given)
        found = _scores(given.task, splits["validation"], answer(splits["validation"]))
        trials.append({"learning rate": rate, "epochs": epochs, **found})
        print(", ".join(f"{name} {value:g}" for name, value in trials[-1].items()), flush=True)
        steering = next(iter(found.values()))
        if best is None or steering > best[0]:
            test = _scores(given.task, splits["test"], answer(splits["test"]))
            best = steering, {"learning rate": rate, "epochs": epochs, **{f"test {n}": v for n, v in test.items()}}
    assert best is not None
    figures = {"task": given.task, "model": given.model, "seed": given.seed, **best[1], "trials on validation": trials}
    print("chosen on validation: " + ", ".join(f"{name} {value:g}" for name, value in best[1].items()))
    if given.results and not given.rows:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{given.results}.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def _splits(source: str, task: str, rows: int | None) -> tuple[dict[str, list[Any]], list[str]]:
    """The examples of each split, and the names of the classes; none if the labels are numbers."""
    import edge_ptf

    data = edge_ptf.load_data(source, task=task)
    splits = {name: list(getattr(data, name))[:rows] for name in ("train", "validation", "test")}
    return splits, [] if task == "regression" else list(data.labels)


def _base(model: str) -> Path:
    """The folder of the pretrained model."""
    from edge_ptf.models.base_models import resolve_base

    return resolve_base(model)


def _train(base: Path, examples: list[Any], labels: list[str], rate: float, epochs: int, given: Any) -> Any:
    """Fine-tunes with these options. Returns a function from examples to logits."""
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        PrinterCallback,
        Trainer,
        TrainingArguments,
        logging,
        set_seed,
    )

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    set_seed(given.seed)
    tokenizer = AutoTokenizer.from_pretrained(base)
    config = {"num_labels": len(labels)} if labels else {"num_labels": 1, "problem_type": "regression"}
    model = AutoModelForSequenceClassification.from_pretrained(base, **config)
    ids = {label: number for number, label in enumerate(labels)}
    mean, deviation = (0.0, 1.0) if labels else _scale([example.label for example in examples])

    def encoded(chosen: list[Any], *, labelled: bool) -> list[dict[str, Any]]:
        texts = [example.text for example in chosen]
        pairs = [example.text_pair for example in chosen] if chosen[0].text_pair is not None else None
        batch = tokenizer(texts, pairs, truncation=True, max_length=given.max_length)
        rows = [{name: values[row] for name, values in batch.items()} for row in range(len(chosen))]
        if labelled:
            rows = [
                {**row, "labels": ids[example.label] if labels else (example.label - mean) / deviation}
                for row, example in zip(rows, chosen, strict=True)
            ]
        return rows

    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model=model,
            args=TrainingArguments(
                output_dir=folder,
                learning_rate=rate,
                num_train_epochs=epochs,
                per_device_train_batch_size=given.batch_size,
                per_device_eval_batch_size=64,
                weight_decay=0.01,
                warmup_steps=0.1,
                seed=given.seed,
                save_strategy="no",
                logging_strategy="no",
                report_to=[],
                disable_tqdm=True,
            ),
            train_dataset=encoded(examples, labelled=True),
            data_collator=DataCollatorWithPadding(tokenizer),
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()

    def answer(asked: list[Any]) -> Any:
        logits = trainer.predict(encoded(asked, labelled=False)).predictions
        if labels:
            return [labels[best] for best in logits.argmax(-1)]
        return (mean + deviation * logits[:, 0].astype(float)).tolist()

    return answer


def _scale(values: list[float]) -> tuple[float, float]:
    return float(np.mean(values)), float(np.std(values)) or 1.0


def _scores(task: str, examples: list[Any], answers: list[Any]) -> dict[str, float]:
    """The metrics of a task, the one that chooses first; shares in percent."""
    from scipy import stats
    from sklearn import metrics

    references = [example.label for example in examples]
    if task == "regression":
        found = {
            "spearman": stats.spearmanr(references, answers).statistic,
            "pearson": stats.pearsonr(references, answers).statistic,
            "rmse": metrics.root_mean_squared_error(references, answers),
        }
        return {name: round(float(np.nan_to_num(value, nan=0.0)), 4) for name, value in found.items()}
    found = {
        "accuracy": 100 * metrics.accuracy_score(references, answers),
        "macro_f1": 100 * metrics.f1_score(references, answers, average="macro"),
        "mcc": metrics.matthews_corrcoef(references, answers),
    }
    return {name: round(float(value), 4) for name, value in found.items()}


if __name__ == "__main__":
    main()
