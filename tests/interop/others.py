"""Other programs must answer as edge-ptf: `python tests/interop/others.py FOLDER`.

It runs in the environment of `make interop`, and imports nothing of edge-ptf. FOLDER is what `tests.interop.packages`
wrote. Three ways are compared with the answers there: an unpacked package in Optimum, the same in plain `onnxruntime`
and `tokenizers`, and the checkpoint in `transformers`. The rules from scores to answers are those of
docs/how-to/optimum.md. The exit code is 1 if an answer differs.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
import transformers
from optimum.onnxruntime import ORTModelForSequenceClassification, ORTModelForTokenClassification
from tokenizers import Tokenizer
from transformers import AutoTokenizer, pipeline

KINDS = {
    "text-classification": ORTModelForSequenceClassification,
    "sentence-pair-classification": ORTModelForSequenceClassification,
    "multi-label-classification": ORTModelForSequenceClassification,
    "regression": ORTModelForSequenceClassification,
    "token-classification": ORTModelForTokenClassification,
    "relation-extraction": ORTModelForTokenClassification,
    "entities-and-relations": ORTModelForTokenClassification,
    "question-answering": ORTModelForTokenClassification,
    "sentence-embedding": ORTModelForTokenClassification,
    "prototype-classification": ORTModelForSequenceClassification,
}
TOLERANCE = 1e-4
"""Largest difference of a score; of a number beyond 1, as a share of it."""
Answer = tuple[Any, float]
Ask = Callable[[str, "str | None"], Answer]


def main() -> int:
    """Compares everything, and prints one line for each folder and way; returns the exit code."""
    logging.getLogger("transformers").setLevel(logging.ERROR)
    folders, wrong = sorted(Path(sys.argv[1]).iterdir()), 0
    for folder in folders:
        answers = json.loads((folder / "answers.json").read_text(encoding="utf-8"))
        for way, ask in _ways(folder, answers):
            try:
                problems = list(_differences(answers["rows"], ask))
            except Exception as error:  # of any kind: the program cannot answer at all
                problems = [f"{type(error).__name__}: {error}"]
            print(f"{folder.name:20} {way:30} {problems[0] if problems else 'equal'}", flush=True)
            wrong += bool(problems)
    print(f"{wrong} of the ways differ" if wrong else "Every answer is equal.")
    return int(wrong > 0 or not folders)


def _ways(folder: Path, answers: dict[str, Any]) -> Iterator[tuple[str, Ask]]:
    package, task = folder / "package", answers["task"]
    settings = _settings(package)
    model = KINDS[task].from_pretrained(package, provider="CPUExecutionProvider")
    yield "Optimum", _pipeline(task, model, AutoTokenizer.from_pretrained(package), settings)
    yield "onnxruntime and tokenizers", _plain(package, task, settings)
    checkpoint = folder / "checkpoint"
    if answers["structure"] == "mixed":
        _refused(checkpoint)
        return
    if not answers["exact"] or task == "prototype-classification":
        return  # the checkpoint is FP32; or it gives vectors, and has no centres
    auto = getattr(transformers, KINDS[task].__name__.replace("ORTModel", "AutoModel"))
    loaded = auto.from_pretrained(checkpoint)
    yield "transformers", _pipeline(task, loaded, AutoTokenizer.from_pretrained(checkpoint), settings)


def _settings(package: Path) -> dict[str, Any]:
    """Thresholds, longest text and truncation. `edge_ptf` in `config.json` must say what the manifest says."""
    manifest = json.loads((package / "manifest.json").read_text(encoding="utf-8"))
    settings = {**manifest["tokenizer"], **manifest["heads"][0]}  # both have a kind; that of the head counts
    note = json.loads((package / "config.json").read_text(encoding="utf-8")).get("edge_ptf", {})
    wrong = [name for name, value in note.items() if settings.get(name) != value]
    if wrong:
        raise SystemExit(f"{package}: config.json and manifest.json differ: {', '.join(wrong)}")
    return settings


def _refused(checkpoint: Path) -> None:
    """A checkpoint whose layers differ must not load as another model."""
    try:
        transformers.AutoModelForSequenceClassification.from_pretrained(checkpoint)
    except RuntimeError:
        return
    raise SystemExit(f"{checkpoint}: transformers loads a model of another structure")


def _pipeline(task: str, model: Any, tokenizer: Any, settings: dict[str, Any]) -> Ask:
    """By `pipeline(...)`, as its users call it; for relations, triples and questions by the model: they have none."""
    long = {"truncation": True, "max_length": settings["max_length"]}
    if task == "relation-extraction":

        def relation(text: str, pair: str | None) -> Answer:
            batch = tokenizer(text, return_offsets_mapping=True, return_tensors="pt", **long)
            offsets = batch.pop("offset_mapping")[0].tolist()
            logits = model(**batch).logits[0].detach().numpy()
            return _relation(text, offsets, logits, model.config, settings)

        return relation
    if task == "entities-and-relations":

        def triples(text: str, pair: str | None) -> Answer:
            batch = tokenizer(text, return_offsets_mapping=True, return_tensors="pt", **long)
            offsets = batch.pop("offset_mapping")[0].tolist()
            names = [model.config.id2label[number] for number in range(len(model.config.id2label))]
            return _triples(text, offsets, model(**batch).logits[0].detach().numpy(), names, settings)

        return triples
    if task == "question-answering":

        def span(text: str, pair: str | None) -> Answer:
            def read(ids: Sequence[int], types: Sequence[int]) -> Any:
                values = {"input_ids": ids, "attention_mask": [1] * len(ids), "token_type_ids": types}
                batch = {name: torch.tensor([values[name]]) for name in tokenizer.model_input_names}
                return model(**batch).logits[0].detach().numpy()

            return _span(tokenizer.backend_tokenizer, text, pair, read, settings)

        return span
    if task == "sentence-embedding":

        def vectors(text: str, pair: str | None) -> Answer:
            batches = [tokenizer(each, return_tensors="pt", **long) for each in (text, pair) if each is not None]
            return _compared([model(**batch).logits[0].detach().numpy() for batch in batches])

        return vectors
    if task == "token-classification":
        tokenizer.model_max_length = settings["max_length"]  # its pipeline takes no max_length
        tag = pipeline(task, model=model, tokenizer=tokenizer, ignore_labels=[])

        def tags(text: str, pair: str | None) -> Answer:
            found = [(each["start"], each["end"], each["entity"], float(each["score"])) for each in tag(text)]
            return _tags(text, found)

        return tags
    classify = pipeline("text-classification", model=model, tokenizer=tokenizer, top_k=None)

    def label(text: str, pair: str | None) -> Answer:
        given: Any = text if pair is None else {"text": text, "text_pair": pair}
        found = classify(given, **long)
        found = found[0] if isinstance(found[0], list) else found
        return _label({each["label"]: float(each["score"]) for each in found}, model.config, task, settings)

    return label


def _plain(package: Path, task: str, settings: dict[str, Any]) -> Ask:
    """By nothing but `onnxruntime` and `tokenizers`."""
    session = onnxruntime.InferenceSession(package / "model.onnx", providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    tokenizer = Tokenizer.from_file(str(package / "tokenizer.json"))
    tokenizer.enable_truncation(
        settings["max_length"], strategy=settings["truncation"], direction=settings["truncation_side"]
    )
    labels = (package / "labels.txt").read_text(encoding="utf-8").splitlines()

    def run(ids: Sequence[int], types: Sequence[int]) -> Any:
        values = {"input_ids": ids, "attention_mask": [1] * len(ids), "token_type_ids": types}
        return session.run(["logits"], {name: np.array([values[name]], np.int64) for name in names})[0][0]

    def answer(text: str, pair: str | None) -> Answer:
        if task == "question-answering":
            return _span(tokenizer, text, pair, run, settings)
        if task == "sentence-embedding":
            encodings = [tokenizer.encode(each) for each in (text, pair) if each is not None]
            return _compared([run(each.ids, each.type_ids) for each in encodings])
        encoding = tokenizer.encode(text, pair)
        logits = run(encoding.ids, encoding.type_ids)
        if task == "relation-extraction":
            return _relation(text, encoding.offsets, logits, None, settings, labels)
        if task == "entities-and-relations":
            return _triples(text, encoding.offsets, logits, labels, settings)
        if task == "token-classification":
            scores = _softmax(logits)
            rows = zip(encoding.offsets, scores, strict=True)
            return _tags(text, [(*span, labels[row.argmax()], float(row.max())) for span, row in rows])
        scores = {"multi-label-classification": _sigmoid, "regression": np.asarray}.get(task, _softmax)(logits)
        return _label(dict(zip(labels, map(float, scores), strict=True)), None, task, settings, labels)

    return answer


def _label(
    scores: dict[str, float], config: Any, task: str, settings: dict[str, Any], labels: Sequence[str] = ()
) -> Answer:
    """The answer of a classifier from the score of each label, or the number from the one logit."""
    options = settings["options"]
    if task == "regression":
        number = options["mean"] + options["deviation"] * next(iter(scores.values()))
        return number, number
    names = labels or [config.id2label[number] for number in range(len(config.id2label))]
    if task == "multi-label-classification":
        thresholds = options["thresholds"] or [0.5] * len(names)
        chosen = [name for name, least in zip(names, thresholds, strict=True) if scores[name] >= least]
        return chosen, min(scores[name] for name in chosen) if chosen else 1 - max(scores.values())
    best = max(scores, key=lambda name: scores[name])
    scope, least = options["out_of_scope_label"], options["threshold"]
    if scope is not None and least is not None and best != scope and scores[best] < least:
        return scope, 1 - scores[best]
    return best, scores[best]


def _relation(
    text: str, offsets: Sequence[Sequence[int]], logits: Any, config: Any, settings: dict[str, Any], labels: Any = None
) -> Answer:
    """The class with the largest sum of the logits at the tokens that begin the entities."""
    total = np.zeros(logits.shape[-1])
    for marker in settings["options"]["markers"][::2]:
        begin = text.index(marker)
        place = next((at for at, (first, end) in enumerate(offsets) if first == begin and end > first), None)
        total = total if place is None else total + logits[place]
    scores = _softmax(total)
    best = int(scores.argmax())
    return (labels or config.id2label)[best], float(scores[best])


def _triples(
    text: str, offsets: Sequence[Sequence[int]], logits: Any, labels: Sequence[str], settings: dict[str, Any]
) -> Answer:
    """The tag of each word, then each pair of entities with a relation: their places and its name."""
    names, links = settings["options"]["relations"], settings["options"]["links"]
    count, wide = len(labels) - 2 * len(names) - 2 * links, logits.astype(np.float64)
    subject, object_, link, other = np.split(wide[:, count:], np.cumsum([len(names), len(names), links]), axis=1)
    shares = _softmax(wide[:, :count])
    tokens = [(*span, number, 0.0) for number, span in enumerate(offsets)]
    places = _tags(text, tokens)[0]  # the first token of each word, or O
    tags = ["O" if place == "O" else labels[shares[place].argmax()] for place in places]
    score = min([1.0, *(float(shares[place].max()) for place in places if place != "O")])
    before = ["O", *tags]
    begins = [
        place
        for place, last, tag in zip(places, before, tags, strict=False)
        if tag.startswith("B-") or (tag.startswith("I-") and last[1:] != tag[1:])
    ]
    answer = list(tags)
    for first, one in enumerate(begins):
        for second, two in enumerate(begins):
            if first != second:
                pair = _softmax(np.concatenate([[0.0], subject[one] + object_[two] + link[one] @ other[two]]))
                score = min(score, float(pair.max()))
                if pair.argmax():
                    answer.append(f"{first} {second} {names[pair.argmax() - 1]}")
    return answer, score


def _span(core: Any, text: str, pair: str, run: Callable[..., Any], settings: dict[str, Any]) -> Answer:
    """The best pair of tokens over the windows of the context, or none."""
    options = settings["options"]
    core.no_truncation()
    core.no_padding()
    whole = core.encode(text, pair)
    own = [[at for at, source in enumerate(whole.sequence_ids) if source == each] for each in (0, 1)]
    capacity = settings["max_length"] - (len(whole.ids) - len(own[0]) - len(own[1]))
    question = own[0][: capacity // 2]
    space = capacity - len(question)
    found, starts, ends, none = [], [], [], []
    for begin in range(0, max(len(own[1]), 1), space - min(options["stride"], space // 2)):
        context = own[1][begin : begin + space]
        special = [at for at, source in enumerate(whole.sequence_ids) if source is None]
        order = sorted([*special, *question, *context])
        logits = run([whole.ids[at] for at in order], [whole.type_ids[at] for at in order]).astype(np.float64)
        none.append(logits[0].sum())
        rows = {order.index(at): at for at in context if pair[slice(*whole.offsets[at])].strip(" ")}
        starts += [logits[row, 0] for row in rows]
        ends += [logits[row, 1] for row in rows]
        found += [
            (logits[first, 0] + logits[last, 1], logits[first, 0], logits[last, 1], rows[first], rows[last])
            for first in rows
            for last in range(first, first + options["max_answer_tokens"])
            if last in rows
        ]
        if begin + space >= len(own[1]):
            break
    score, start, end, first, last = max(found, key=lambda each: each[0])
    answer = [pair[whole.offsets[first][0] : whole.offsets[last][1]].strip(" ")]
    if not options["has_no_answer"]:
        shares = [
            np.exp(value - max(each)) / np.exp(each - max(each)).sum()
            for value, each in ((start, np.array(starts)), (end, np.array(ends)))
        ]
        return answer, float(shares[0] * shares[1])
    apart = min(none) - score
    silent = apart > options["null_threshold"]
    return ([] if silent else answer), float(1 / (1 + np.exp(-apart if silent else apart)))


def _compared(outputs: Sequence[Any]) -> Answer:
    """The vector of a text, or the cosine of two texts. A checkpoint in transformers gives rows for the tokens, and its
    package their mean with the length 1."""
    vectors = [output if output.ndim == 1 else output.mean(axis=0) for output in outputs]
    vectors = [vector / np.linalg.norm(vector) for vector in vectors]
    if len(vectors) == 1:
        return vectors[0].tolist(), 1.0
    cosine = float(vectors[0] @ vectors[1])
    return cosine, cosine


def _tags(text: str, tokens: Sequence[tuple[int, int, str, float]]) -> Answer:
    """The tag of each word is that of the first token that shares a character with it; a word without one is `O`."""
    tags, scores, place = [], [], 0
    for word in text.split():
        begin = text.index(word, place)
        place = begin + len(word)
        first = next((each for each in tokens if each[0] < place and each[1] > begin and each[0] != each[1]), None)
        tags.append(first[2] if first else "O")
        scores.append(first[3] if first else 1.0)
    return tags, min(scores, default=1.0)


def _softmax(logits: Any) -> Any:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _sigmoid(logits: Any) -> Any:
    return 1 / (1 + np.exp(-logits))


def _differences(rows: Sequence[dict[str, Any]], ask: Ask) -> Iterator[str]:
    for row in rows:
        label, score = ask(row["text"], row["pair"])
        same = label == row["label"] or isinstance(label, float)  # a number is compared as the score
        if isinstance(label, list) and label and isinstance(label[0], float):
            same = bool(np.abs(np.subtract(label, row["label"])).max() <= TOLERANCE)
        if not same or not abs(score - row["score"]) <= TOLERANCE * max(abs(row["score"]), 1):
            yield f"{row['text'][:30]!r}: {label} {score:.6f}, not {row['label']} {row['score']:.6f}"


if __name__ == "__main__":
    sys.exit(main())
