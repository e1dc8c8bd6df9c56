"""Fine-tunes a model for questions with a plain `transformers.Trainer`, for comparison with the teachers of edge-ptf.

python benchmarks/plain/question_answering.py --data ../shared/data/subjqa_restaurants \
    --results plain-subjqa_restaurants

Every learning rate is tried with every number of epochs. F1 on validation chooses one; of equal ones the first. The
test split has no part in the choice. The data are read and split as edge-ptf does it, and F1 and exact match are its
functions, which compute what the scripts of SQuAD compute. The rest is what the question-answering example of
transformers does: `AutoModelForQuestionAnswering`, windows padded to one length, the first token for no answer, the 20
best starts and ends of each window, and no answer if its score is the largest.

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
BEST = 20
"""Starts and ends of a window that are combined."""
LONGEST = 30
"""Of an answer, in tokens."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="as for edge-ptf compress")
    parser.add_argument("--model", default="minilm-l6", help="as for edge-ptf compress")
    parser.add_argument("--learning-rates", type=float, nargs="+", default=[3e-5, 5e-5, 1e-4, 2e-4])
    parser.add_argument("--epochs", type=int, nargs="+", default=[2, 4, 6])
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--max-length", type=int, default=384, help="in tokens")
    parser.add_argument("--stride", type=int, default=128, help="tokens that two windows share")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rows", type=int, help="of each split")
    parser.add_argument("--results", help="name of the results file [default: none is written]")
    given = parser.parse_args()

    import edge_ptf
    from edge_ptf.models.base_models import resolve_base

    data = edge_ptf.load_data(given.data, task="question-answering")
    splits = {name: list(getattr(data, name))[: given.rows] for name in ("train", "validation", "test")}
    base = resolve_base(given.model)
    trials: list[dict[str, Any]] = []
    best: tuple[float, dict[str, Any]] | None = None
    for rate, epochs in [(rate, epochs) for rate in given.learning_rates for epochs in given.epochs]:
        answer = _train(base, splits["train"], rate, epochs, given)
        found = _scores(splits["validation"], answer(splits["validation"]))
        trials.append({"learning rate": rate, "epochs": epochs, **found})
        print(", ".join(f"{name} {value:g}" for name, value in trials[-1].items()), flush=True)
        if best is None or found["f1"] > best[0]:
            test = _scores(splits["test"], answer(splits["test"]))
            best = found["f1"], {"learning rate": rate, "epochs": epochs, **{f"test {n}": v for n, v in test.items()}}
    assert best is not None
    figures = {"model": given.model, "seed": given.seed, **best[1], "trials on validation": trials}
    print("chosen on validation: " + ", ".join(f"{name} {value:g}" for name, value in best[1].items()))
    if given.results and not given.rows:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{given.results}.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def _train(base: Path, examples: list[Any], rate: float, epochs: int, given: Any) -> Any:
    """Fine-tunes with these options. Returns a function from examples to their answers."""
    from transformers import (
        AutoModelForQuestionAnswering,
        AutoTokenizer,
        PrinterCallback,
        Trainer,
        TrainingArguments,
        default_data_collator,
        logging,
        set_seed,
    )

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    set_seed(given.seed)
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = AutoModelForQuestionAnswering.from_pretrained(base)

    def encoded(chosen: list[Any]) -> Any:
        return tokenizer(
            [example.text for example in chosen],
            [example.text_pair for example in chosen],
            truncation="only_second",
            max_length=given.max_length,
            stride=given.stride,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            padding="max_length",
        )

    def rows(batch: Any, chosen: list[Any], *, labelled: bool) -> list[dict[str, Any]]:
        found = []
        for number, example in enumerate(batch["overflow_to_sample_mapping"]):
            row = {name: batch[name][number] for name in tokenizer.model_input_names}
            if labelled:
                places = _places(batch, number)
                start, end = _target(places, chosen[example].spans)
                row |= {"start_positions": start, "end_positions": end}
            found.append(row)
        return found

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
            train_dataset=rows(encoded(examples), examples, labelled=True),
            data_collator=default_data_collator,
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()

    silent = any(not example.label for example in examples)

    def answer(asked: list[Any]) -> list[tuple[str, ...]]:
        batch = encoded(asked)
        starts, ends = trainer.predict(rows(batch, asked, labelled=False)).predictions
        windows: list[list[int]] = [[] for _ in asked]
        for number, example in enumerate(batch["overflow_to_sample_mapping"]):
            windows[example].append(number)
        answers = []
        for example, numbers in zip(asked, windows, strict=True):
            none = min(float(starts[number][0] + ends[number][0]) for number in numbers)
            found = [pair for n in numbers for pair in _pairs(starts[n], ends[n], _places(batch, n))]
            score, begin, end = max(found, default=(-np.inf, 0, 0))
            answers.append(() if not found or (silent and none > score) else (example.text_pair[begin:end],))
        return answers

    return answer


def _places(batch: Any, number: int) -> list[tuple[int, int] | None]:
    """The characters of each token of a window in the context; None for other tokens."""
    sources = batch.sequence_ids(number)
    return [
        tuple(place) if source == 1 else None
        for place, source in zip(batch["offset_mapping"][number], sources, strict=True)
    ]


def _target(places: list[tuple[int, int] | None], spans: Any) -> tuple[int, int]:
    """The tokens of the first answer, if the window has all of it; else the first token."""
    own = [(at, place) for at, place in enumerate(places) if place is not None]
    for begin, end in spans[:1]:
        inside = [at for at, place in own if place[1] > begin and place[0] < end]
        if inside and own[0][1][0] <= begin and own[-1][1][1] >= end:
            return inside[0], inside[-1]
    return 0, 0


def _pairs(starts: Any, ends: Any, places: list[tuple[int, int] | None]) -> list[tuple[float, int, int]]:
    """Scores and characters of the pairs of the best starts and the best ends of a window."""
    found = []
    for first in np.argsort(-starts)[:BEST]:
        for last in np.argsort(-ends)[:BEST]:
            begin, end = places[first], places[last]
            if begin is not None and end is not None and first <= last < first + LONGEST:
                found.append((float(starts[first] + ends[last]), begin[0], end[1]))
    return found


def _scores(examples: list[Any], answers: list[tuple[str, ...]]) -> dict[str, float]:
    """F1 and exact match in percent."""
    from edge_ptf.answers import exact_match, token_f1

    pairs = [(example.label, answer) for example, answer in zip(examples, answers, strict=True)]
    return {
        "f1": round(100 * float(np.mean([token_f1(*pair) for pair in pairs])), 4),
        "exact_match": round(100 * float(np.mean([exact_match(*pair) for pair in pairs])), 4),
    }


if __name__ == "__main__":
    main()
