"""Put together what ships: graph, tokenizer, labels, thresholds, golden vectors and papers, in one payload."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from edge_ptf import tasks
from edge_ptf.config import StageConfig
from edge_ptf.data.augmentation import spliced
from edge_ptf.data.dataset import LabelledData
from edge_ptf.engines import EngineSettings, Session, answer_all, running
from edge_ptf.errors import BadInputError, ParityError
from edge_ptf.examples import Encoding, Example, Logits
from edge_ptf.graph.artifact import FORMAT, Graph
from edge_ptf.graph.exporting import spread
from edge_ptf.graph.rewrite import rewritten, shift_output
from edge_ptf.heads import Head, PrototypeHead, PrototypeVectors
from edge_ptf.heads.token import Decoding
from edge_ptf.models.checkpoint import load_tokenizer
from edge_ptf.models.lineage import AssembleFacts
from edge_ptf.package.centres import with_centres
from edge_ptf.package.documents import bill_of_materials, config_note, licence_notes, model_card
from edge_ptf.package.golden import TOLERANCE, golden_examples, golden_lines
from edge_ptf.package.manifest import (
    EngineEntry,
    GoldenEntry,
    GraphEntry,
    HeadEntry,
    Lineage,
    Manifest,
    Requirements,
    TablesProof,
    TensorEntry,
    TokenizerEntry,
)
from edge_ptf.package.payload import Payload, write_payload
from edge_ptf.package.temperature import tempered
from edge_ptf.package.tokenizer import PackageTokenizer, plain_document
from edge_ptf.package.tokenizers import UnsupportedTokenizerError, kind_of
from edge_ptf.profiles import Profile
from edge_ptf.progress import SILENT, Progress
from edge_ptf.tasks.base import Task
from edge_ptf.tasks.sentence_embedding import shortened

PAYLOAD_FILE = "payload.eptf"
TABLES_FILE = "tokenizer.bin"
TOOLS = ("edge-ptf", "torch", "transformers", "tokenizers", "onnx", "onnxruntime")
SPLICED_TEXTS, SPLICED_SEED = 4000, 0


class AssembleConfig(EngineSettings, StageConfig):
    """What the package says about itself."""

    name: str = Field("", description="Name inside the package. [default: that of the package file]")
    licence: str = Field("", description="Licence of the base model, for the licence notes, such as Apache-2.0.")
    parity_texts: int = Field(500, ge=1, description="Validation texts on which the tokenizer is compared.")
    decoding: Decoding = Field(
        "greedy",
        description="Tags of words. greedy: the best tag of each word; constrained: the best sequence in which each I- "
        "tag continues an entity of its type.",
    )
    max_answer_tokens: int | None = Field(
        None, ge=1, description="question-answering: longest answer in tokens; without it 30."
    )
    dimensions: int | None = Field(
        None,
        ge=1,
        description="sentence-embedding: the leading numbers of a vector that answers have; without it all.",
        exclude_if=lambda count: count is None,
    )
    tune_temperature: bool = Field(
        True,
        description="Divide the logits by a number, chosen on validation, at which scores are as high as answers are "
        "often right. No answer changes by it.",
    )


def assemble(
    graph: Graph,
    data: LabelledData,
    config: AssembleConfig,
    out: Path,
    progress: Progress = SILENT,
    baseline: Payload | None = None,
    profile: Profile | None = None,
) -> Payload:
    """Writes `payload.eptf` from a graph directory.

    Temperature and thresholds are chosen here, on `validation` through the very graph that ships, at batch 1. With the
    full-precision model's payload as `baseline` its operating point is kept, over `threshold_texts`: by the threshold,
    or by what is added to a class's logits. The package names `profile` as what it was made for.

    Raises:
        BadInputError: the baseline answers another question, or the labels do not fit the decoding.
        ParityError: the packaged tokenizer does not cut texts as the checkpoint's does.
    """
    out.mkdir(parents=True, exist_ok=True)
    model, info = graph.model.read_bytes(), graph.info
    document = plain_document((graph.path / "tokenizer.json").read_bytes())
    reference, task = load_tokenizer(graph.path), deciding(tasks.create(info.head), config)
    tokenizer = PackageTokenizer(document, info.inputs, side=reference.truncation_side)
    texts = spread(data.validation, config.parity_texts)
    _compare_tokenizers(reference, task, tokenizer, texts, info.max_length)
    tables, entry = _tables(document, tokenizer, task, info.max_length, texts)

    engine, steps = running(FORMAT)[0], info.lineage
    session = engine.session(model)
    ask = partial(_logits, progress=progress)
    facts = AssembleFacts()
    encodings = task.encode(tokenizer, data.validation, info.max_length)
    references = [example.label for example in data.validation]
    if isinstance(task.head, PrototypeVectors):
        encode = partial(task.encode, tokenizer, max_length=info.max_length)
        model, task = with_centres(model, task.head, session, data.train, encode, ask)
        session = engine.session(model)
    if config.tune_temperature and any(part.scored([], [], []) is not None for part in task.head.parts):
        logits = ask("Tune the temperature", session, task.head, encodings)
        model, facts = tempered(model, task, logits, encodings, references)
        task = tasks.create(task.head.tempered(facts.temperature or 1.0))
        session = engine.session(model)
    if baseline is not None:
        task, shifts = _following(baseline, task, session, tokenizer, info.max_length, data.validation, ask)
        if shifts:
            model = rewritten(model, partial(_shift, shifts=shifts))
            session = engine.session(model)
            facts = facts.replace(added_to_logits=_added(task.head, shifts))
    elif task.head.tunes:
        task = tasks.create(task.head.tuned(ask("Assemble", session, task.head, encodings), references, encodings))
    if facts != AssembleFacts():
        steps = (*steps, facts.step())

    paired = bool(data.train) and data.train[0].text_pair is not None and not task.head.reads_texts_apart
    tolerance = TOLERANCE[info.scheme.precision]
    rounded = model if info.scheme.precision != "fp32" else None
    lines = golden_lines(golden_examples(task, paired), task, tokenizer, session, info.max_length, rounded, tolerance)
    heads = tuple(HeadEntry(**part.spec.model_dump(), graph="main", text_pairs=paired) for part in task.head.parts)
    config_json = json.loads((graph.path / "config.json").read_text(encoding="utf-8"))
    if isinstance(task.head, PrototypeHead):
        config_json |= task.head.model_config()  # the graph of a model has numbers of a vector in the place of labels
    config_json["edge_ptf"] = config_note(heads, entry)
    files = {
        "model.onnx": model,
        "tokenizer.json": document,
        "tokenizer_config.json": (graph.path / "tokenizer_config.json").read_bytes(),
        "config.json": json.dumps(config_json, indent=1, ensure_ascii=False).encode(),
        "labels.txt": "".join(f"{label}\n" for label in task.head.spec.labels).encode(),
        **({entry.tables: tables} if entry.tables else {}),
        "golden.jsonl": "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines).encode(),
    }
    manifest = Manifest(
        name=config.name or "package",
        profile=profile.name if profile else None,
        graphs=(_graph_entry(graph, session),),
        heads=heads,
        tokenizer=entry,
        golden=GoldenEntry(count=len(lines), tolerance=tolerance),
        engine=EngineEntry(**{name: getattr(config, name) for name in EngineEntry.model_fields}),
        requires=Requirements(
            engines={
                each.name: each.least_version
                for each in running(FORMAT)
                if profile is None or each.name in profile.engines
            },
            isa_any=info.scheme.isa,
        ),
        lineage=Lineage(
            base_model=info.base_model,
            data=data.fingerprint,
            steps=steps,
            tools={name: metadata.version(name) for name in TOOLS},
        ),
        files=(),
    )
    files["README.md"] = model_card(manifest).encode()
    files["LICENCES.txt"] = licence_notes(manifest, config.licence).encode()
    files["sbom.cdx.json"] = bill_of_materials(manifest, files["model.onnx"], config.licence)
    return write_payload(manifest, files, out / PAYLOAD_FILE)


def deciding(task: Task, config: AssembleConfig) -> Task:
    """The task with the decoding, the longest answer and the size of a vector that the configuration names.

    Raises:
        BadInputError: the task has no tags of words, or these tags cannot be decoded so; or its answers have no length,
            or not so many numbers.
    """
    head = task.head
    if config.max_answer_tokens is not None:
        if "max_answer_tokens" not in head.options_model.model_fields:
            raise BadInputError(
                f"assemble.max_answer_tokens is {config.max_answer_tokens}, but an answer of {task.name} is no part of "
                "a text",
                hint="Leave it out",
            )
        task = tasks.create(head.spec.with_options(max_answer_tokens=config.max_answer_tokens))
        head = task.head
    if any("decoding" in part.options_model.model_fields for part in head.parts):
        try:
            task = tasks.create(head.with_option("decoding", config.decoding))
        except ValueError as error:
            raise BadInputError(f"assemble.{error}", hint="Set assemble.decoding=greedy") from None
    elif config.decoding != "greedy":
        raise BadInputError(
            f"assemble.decoding is {config.decoding}, but {task.name} has no tags of words", hint="Leave it out"
        )
    if config.dimensions is not None and isinstance(head, PrototypeVectors):
        raise BadInputError(
            f"assemble.dimensions is {config.dimensions}, but {task.name} compares whole vectors", hint="Leave it out"
        )
    return task if config.dimensions is None else shortened(task, config.dimensions, "assemble.dimensions")


def threshold_texts(validation: Sequence[Example]) -> list[Example]:
    """The texts over which a compressed model's operating point is matched: validation, and mixtures of it.

    Only texts of doubt tell two thresholds apart, and of labelled texts most leave no doubt: of CLINC150's 3,100
    validation texts the teacher turns away 130, of 4,000 mixtures some 700.
    """
    return [*validation, *spliced(validation, SPLICED_TEXTS, SPLICED_SEED)]


Ask = Callable[[str, Session, Head, Sequence[Encoding]], list[Logits]]


def _logits(name: str, session: Session, head: Head, encodings: Sequence[Encoding], progress: Progress) -> list[Logits]:
    progress.start(name, len(encodings))
    logits = []
    for outputs in answer_all(session, encodings):
        logits.append(head.read(outputs))
        progress.advance()
    progress.finish()
    return logits


def _following(
    baseline: Payload,
    task: Task,
    session: Session,
    tokenizer: PackageTokenizer,
    max_length: int,
    validation: Sequence[Example],
    ask: Ask,
) -> tuple[Task, dict[str, NDArray[np.float32]]]:
    """The task, and what to add to the logits of each tensor, such that the baseline's operating point is kept."""
    manifest = baseline.manifest
    theirs = tasks.create(manifest.head)
    full = baseline.session(manifest.graph, outputs=theirs.head.tensors)
    if theirs.head.untuned != task.head.untuned:
        raise BadInputError(
            f"{baseline.path}: the baseline has another task, other labels or another decoding than the graph",
            hint="Give the payload of the teacher that this model was made from, assembled with the same options",
        )
    if not theirs.head.is_tuned and not task.head.shifts:
        return task, {}
    texts = threshold_texts(validation)
    encodings = theirs.encode(baseline.tokenizer(full.inputs), texts, manifest.tokenizer.max_length)
    found = ask("Ask the baseline", full, theirs.head, encodings)
    answers = [
        theirs.head.decode(logits, encoding, example.text).label
        for logits, encoding, example in zip(found, encodings, texts, strict=True)
    ]
    encodings = task.encode(tokenizer, texts, max_length)
    logits = ask("Assemble", session, task.head, encodings)
    shifts = task.head.matched_shifts(logits, encodings, answers)
    return tasks.create(task.head.matched(logits, answers, encodings)), shifts


def _shift(model: Any, shifts: Mapping[str, NDArray[np.float32]]) -> None:
    for tensor, shift in shifts.items():
        shift_output(model, tensor, shift)


def _added(head: Head, shifts: Mapping[str, NDArray[np.float32]]) -> dict[str, float]:
    """What is added to the logits of each label, without zeros; the name of a label has its part in front if there are
    several."""
    found = dict[str, float]()
    for part in head.parts:
        prefix = f"{part.spec.name}." if len(head.parts) > 1 else ""
        shift = shifts.get(part.spec.logits.tensor, np.zeros(len(part.spec.labels), np.float32))
        found |= {f"{prefix}{name}": float(value) for name, value in zip(part.spec.labels, shift, strict=True) if value}
    return found


def _compare_tokenizers(
    reference: Any, task: Task, tokenizer: PackageTokenizer, texts: Sequence[Example], length: int
) -> None:
    """What ships must cut texts exactly as training did."""
    for example in [*texts, *_golden(task)]:
        wanted, found = (task.encode(each, [example], length)[0] for each in (reference, tokenizer))
        if not tokenizer.typed:
            wanted = replace(wanted, token_type_ids=None)  # some tokenizers give types that their model never takes
        if wanted != found:
            raise ParityError(
                f"the packaged tokenizer cuts a text differently from the checkpoint's: {example.text[:60]!r}",
                hint="Please report this with the model's name",
            )


def _golden(task: Task) -> list[Example]:
    """The golden texts in every form that the task can be asked."""
    single = golden_examples(task, False) if task.head.stride is None else []
    return [*single, *golden_examples(task, True)]


def _tables(
    document: bytes, tokenizer: PackageTokenizer, task: Task, max_length: int, texts: Sequence[Example]
) -> tuple[bytes, TokenizerEntry]:
    """The runner's tables, proven; or an entry that says why there are none."""
    try:
        kind = kind_of(document)
        content = kind.tables(document)
    except UnsupportedTokenizerError as error:
        return b"", TokenizerEntry(max_length=max_length, truncation_side=tokenizer.side, unsupported=str(error))
    proof = kind.prove(tokenizer.plain(), content, (example.text for example in texts))
    reader = kind.reference(content)
    for example in [*texts, *_golden(task)]:
        if (stride := task.head.stride) is not None:
            whole = task.encode(tokenizer, [example], max_length)[0]
            wanted = {"input_ids": [whole.input_ids]}
            if whole.token_type_ids is not None:
                wanted["token_type_ids"] = [whole.token_type_ids]
            ids, types, _ = reader.windows(example.text, example.text_pair or "", max_length, stride)
        else:
            pairs = None if example.text_pair is None else [example.text_pair]
            wanted = tokenizer([example.text], pairs, max_length=max_length)
            ids, types = reader.encode(example.text, example.text_pair, max_length, tokenizer.side)
        if wanted["input_ids"] != [ids] or wanted.get("token_type_ids") not in (None, [types]):
            raise ParityError(f"the runner's tables cut a text differently when it is shortened: {example.text[:60]!r}")
    counts = TablesProof(code_points=proof.code_points, texts=proof.texts + len(texts))
    return content, TokenizerEntry(
        kind=kind.name, max_length=max_length, truncation_side=tokenizer.side, tables=TABLES_FILE, proof=counts
    )


def _graph_entry(graph: Graph, session: Session) -> GraphEntry:
    inputs, outputs = (
        tuple(TensorEntry(name=item.name, dtype=item.dtype, shape=item.shape) for item in items)
        for items in session.tensors()
    )
    return GraphEntry(
        name="main",
        format=FORMAT,
        file="model.onnx",
        inputs=inputs,
        outputs=outputs,
        opset=graph.info.opset,
        scheme=graph.info.scheme,
        layers=graph.info.layers,
    )
