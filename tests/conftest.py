"""Fixtures for all tests: real data if it is present, and tiny random base models with real fast tokenizers."""

from __future__ import annotations

import json
import logging
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# Tests run side by side (make test). The models are tiny: more threads of one test only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# As a device, this machine is locked for one user at a time. Parallel test runs must not wait for each other.
os.environ["EDGE_PTF_CACHE"] = f"/tmp/edge-ptf-tests-{os.getpid()}"

import pytest
from hypothesis import HealthCheck, settings

# No test depends on the speed of the machine.
settings.register_profile("project", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("project")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

WORDS = (  # noqa: SIM905
    "turn on off the light lights in kitchen bedroom set a timer for five ten minutes play some jazz music please what "
    "is weather today and tomorrow call mom stop volume up down to warm cold red blue room living un able play ing ed "
    "s er"
).split()


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """Commands can be interrupted even if a shell started the tests in the background, with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def plain_logging() -> None:
    """Warnings are logged, even after a test has run a command in this process, which logs errors only."""
    logging.getLogger().setLevel(logging.WARNING)
    logging.setLogRecordFactory(logging.LogRecord)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets. Skips if it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real data sets are not beside the project (../shared/data)")
    return SHARED_DATA


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Builds (once per family) a random pretrained model: 3 layers, hidden 32, 4 heads of 8, FFN 64."""
    made: dict[str, Path] = {}

    def build(family: str = "bert") -> Path:
        if family not in made:
            made[family] = build_base(family, tmp_path_factory.mktemp(f"tiny-{family}"))
        return made[family]

    return build


def build_base(family: str, folder: Path) -> Path:
    """A random pretrained model with a real tokenizer."""
    import torch
    from transformers import AutoConfig, AutoModel

    tokenizer = (
        _bpe_tokenizer()
        if family == "roberta"
        else _unigram_tokenizer()
        if family == "xlm-roberta"
        else wordpiece_tokenizer()
    )
    tokenizer.save_pretrained(folder)
    sizes: dict[str, object] = {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id}
    if family == "distilbert":
        sizes |= {"dim": 32, "hidden_dim": 64, "n_heads": 4, "n_layers": 3, "max_position_embeddings": 128}
    else:
        sizes |= {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4, "num_hidden_layers": 3}
        sizes |= {"max_position_embeddings": 130, "type_vocab_size": 1 if "roberta" in family else 2}
    if family in ("electra", "albert"):
        sizes |= {"embedding_size": 16}
    if "roberta" in family:
        sizes |= {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    torch.manual_seed(0)
    config = AutoConfig.for_model(family, **sizes)
    AutoModel.from_config(config).save_pretrained(folder)
    return folder


def set_truncation_side(folder: Path, side: str) -> Path:
    """The model directory, whose tokenizer now removes that end of a long text."""
    file = folder / "tokenizer_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "truncation_side": side}))
    return folder


def wordpiece_tokenizer():
    from transformers import BertTokenizerFast

    characters = sorted(set("abcdefghijklmnopqrstuvwxyz0123456789'?!.,-"))
    subwords = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters, *(f"##{c}" for c in characters)]
    subwords += [w for w in dict.fromkeys(WORDS) if w not in subwords] + ["##ing", "##ed", "##er", "##able"]
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    core = Tokenizer(models.WordPiece({subword: index for index, subword in enumerate(subwords)}, unk_token="[UNK]"))
    core.normalizer = normalizers.BertNormalizer(lowercase=True)
    core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    core.decoder = decoders.WordPiece()
    core.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return BertTokenizerFast(tokenizer_object=core, model_max_length=128)


def _bpe_tokenizer():
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import RobertaTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator([" ".join(WORDS)] * 3, trainer)
    core.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return RobertaTokenizerFast(tokenizer_object=core, model_max_length=128)


def _unigram_tokenizer():
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import XLMRobertaTokenizerFast

    characters = sorted(set("abcdefghijklmnopqrstuvwxyz0123456789'?!.,-"))
    subwords = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    subwords += [(f"▁{word}", -5.0) for word in dict.fromkeys(WORDS)] + [("▁", -8.0)] + [(c, -9.0) for c in characters]
    subwords += [("<mask>", 0.0)]
    core = Tokenizer(models.Unigram(subwords, unk_id=3, byte_fallback=False))
    core.pre_tokenizer = pre_tokenizers.Metaspace()
    core.decoder = decoders.Metaspace()
    core.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return XLMRobertaTokenizerFast(tokenizer_object=core, model_max_length=128)


INTENTS = {
    "light": (
        "turn on the light in {room}",
        "lights off {room} please",
        "{room} light up",
        "turn {room} lights to {color}",
    ),
    "music": (
        "play some jazz {room}",
        "play {color} music",
        "music in {room} please",
        "play music for {number} minutes",
    ),
    "timer": (
        "set a timer for {number} minutes",
        "timer {number} please",
        "set {number} minutes in {room}",
        "{number} er",
    ),
    "weather": ("what is weather {day}", "weather {day} in {room}", "is {day} warm and {color}", "{day} cold weather"),
}
SLOTS = {
    "room": ("kitchen", "bedroom", "living room"),
    "color": ("red", "blue", "warm", "cold"),
    "number": ("five", "ten", "five ten"),
    "day": ("today", "tomorrow", "today and tomorrow"),
}


SEVERAL = "intent=text-classification,slots=token-classification"
"""Two tasks on one encoder."""


@pytest.fixture(scope="session")
def tiny_data():
    """Builds labelled data of some 60 sentences: 4 intents, their slots, or both, by the name of the task."""
    from edge_ptf import tasks
    from edge_ptf.data.dataset import DataReport, LabelledData
    from edge_ptf.tasks.base import Example

    def build(task: str = "text-classification") -> LabelledData:
        rows: dict[str, Example] = {}
        for intent, templates in INTENTS.items():
            for place, template in enumerate(templates):
                for turn in range(4):
                    words, tags = [], []
                    for word in template.split():
                        values = SLOTS.get(word.strip("{}"), (word,))
                        said = values[(turn + place) % len(values)].split()
                        kind = word.strip("{}") if word.startswith("{") else None
                        words += said
                        tags += [f"{'I' if number else 'B'}-{kind}" if kind else "O" for number in range(len(said))]
                    text = " ".join(words)
                    label = {"text-classification": intent, SEVERAL: (intent, tuple(tags))}.get(task, tuple(tags))
                    rows[text] = Example(text, label)
        examples = list(rows.values())
        train = tuple(examples[i] for i in range(len(examples)) if i % 4 < 2)
        validation = tuple(examples[2::4])
        kind = tasks.get(task)
        report = DataReport(source="tiny", splits={}, split_by="given")
        return LabelledData(train, validation, tuple(examples[3::4]), kind.collect_labels(examples), report, task)

    return build


@pytest.fixture(scope="session")
def tiny_teacher(tiny_base, tiny_data, tmp_path_factory: pytest.TempPathFactory):
    """Builds (once per family and task) a checkpoint fine-tuned on `tiny_data`."""
    import torch

    from edge_ptf import tasks
    from edge_ptf.training import FinetuneConfig, finetune

    made = {}

    def build(family: str = "bert", task: str = "text-classification"):
        if (family, task) not in made:
            torch.set_num_threads(1)
            data = tiny_data(task)
            config = FinetuneConfig(
                epochs=6, batch_size=4, learning_rate=5e-3, dropout=0.0, max_length=32, precision="fp32"
            )
            spec = tasks.get(task).spec_for(data.labels)
            out = tmp_path_factory.mktemp(f"teacher-{family}") / "out"
            made[family, task] = finetune(tiny_base(family), f"tiny-{family}", data, tasks.create(spec), config, out)
        return made[family, task]

    return build


# Payloads, made through the real stages without training

PAYLOAD_TEXTS = (
    "turn on the lights",
    "play some jazz music please",
    "set a timer for ten minutes",
    "what is the weather today",
)


def labelled(kind: str = "text-classification", *, paired: bool = False) -> Any:
    """48 rows of three classes (or BIO tags), the same in every split."""
    from edge_ptf import tasks
    from edge_ptf.data.dataset import DataReport, LabelledData
    from edge_ptf.tasks.base import Example

    rows = []
    paired = paired or "text_pair" in tasks.get(kind).columns
    for index in range(48):
        text = f"{PAYLOAD_TEXTS[index % 4]} {'now ' * (index % 5)}".strip()
        tags = tuple("B-what" if place == 1 else "O" for place in range(len(text.split())))
        if kind == "token-classification":
            rows.append(Example(text, tags))
        elif kind == "entities-and-relations":
            places = [place for place in range(len(tags)) if place % 2]
            tags = tuple("B-what" if place in places else "O" for place in range(len(tags)))
            triples = [f"{first} {first + 1} {'abc'[index % 3]}" for first in range(len(places) - 1)]
            rows.append(Example(text, (*tags, *triples)))
        elif kind == SEVERAL:
            rows.append(Example(text, ("abc"[index % 3], tags)))
        elif kind == "relation-extraction":
            rows.append(Example(tasks.get(kind).sample_text(text), "abc"[index % 3]))
        elif kind == "question-answering":
            context = PAYLOAD_TEXTS[(index + 1) % 4] + " now" * (index % 5)
            answer = context.split()[index % 2] if index % 3 else ""
            begin = context.index(answer)
            found = ((answer,), context, ((begin, begin + len(answer)),)) if answer else ((), context)
            rows.append(Example(text, *found))
        else:
            scored = kind == "regression" or (kind == "sentence-embedding" and paired)
            label = 0.5 + index % 3 if scored else "abc"[index % 3]
            rows.append(Example(text, label, PAYLOAD_TEXTS[(index + 1) % 4] if paired else None))
    labels = tasks.get(kind).collect_labels(rows)
    report = DataReport(source="made here", splits={}, split_by="given")
    return LabelledData(tuple(rows), tuple(rows), tuple(rows), labels, report, "0" * 64)


@pytest.fixture(scope="session")
def tiny_labelled() -> Callable[..., Any]:
    """The data of the tiny payloads: `tiny_labelled(task, paired=…)`."""
    return labelled


@pytest.fixture(scope="session")
def make_graph(tiny_base: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Builds a graph of a tiny random model: `make_graph(family, task, mode, paired=…)`; each form once."""
    made: dict[Any, Any] = {}

    def build(
        family: str = "bert",
        kind: str = "text-classification",
        mode: str = "dynamic",
        *,
        paired: bool = False,
        scope: str | None = None,
    ) -> Any:
        key = (family, kind, mode, paired, scope)
        if key not in made:
            made[key] = tiny_graph(
                tiny_base(family), kind, mode, labelled(kind, paired=paired), scope, tmp_path_factory.mktemp("graph")
            )
        return made[key]

    return build


@pytest.fixture(scope="session")
def make_payload(make_graph: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Builds a payload of a tiny random model: `make_payload(family, task, mode, paired=…)`; each form once."""
    from edge_ptf.package import AssembleConfig, assemble

    made: dict[Any, Any] = {}

    def build(
        family: str = "bert",
        kind: str = "text-classification",
        mode: str = "dynamic",
        *,
        paired: bool = False,
        scope: str | None = None,
    ) -> Any:
        key = (family, kind, mode, paired, scope)
        if key not in made:
            graph = make_graph(family, kind, mode, paired=paired, scope=scope)
            data = labelled(kind, paired=paired)
            made[key] = assemble(graph, data, AssembleConfig(name="tiny"), tmp_path_factory.mktemp("payload"))
        return made[key]

    return build


@pytest.fixture(scope="session")
def with_spec() -> Callable[..., Any]:
    """A manifest whose first head has another spec: `with_spec(manifest, spec)`."""

    def change(manifest: Any, spec: Any) -> Any:
        head = manifest.heads[0].model_copy(update=dict(spec))
        return manifest.model_copy(update={"heads": (head,)})

    return change


@pytest.fixture(scope="session")
def verdict_for() -> Callable[..., Any]:
    """A verdict without targets about a payload."""
    from edge_ptf.package.evidence import Verdict

    def make(payload: Any) -> Any:
        return Verdict(payload=payload.digest, profile="x86-generic", confidence=0.95, status=None, target_verdicts=())

    return make


def tiny_graph(base: Path, kind: str, mode: str, data: Any, scope: str | None, out: Path) -> Any:
    import torch

    from edge_ptf import tasks
    from edge_ptf.graph import ExportConfig, QuantizeConfig, export, quantize
    from edge_ptf.models import structure as models
    from edge_ptf.models.checkpoint import fresh_info, load_base_model, load_tokenizer, save_checkpoint
    from edge_ptf.models.sentence_models import with_vectors
    from edge_ptf.training.vocabulary import add_tokens

    torch.set_num_threads(1)
    task = with_vectors(base, tasks.create(tasks.get(kind).spec_for(data.labels, scope)), None, ())
    torch.manual_seed(0)
    model, tokenizer = load_base_model(base, task).eval(), load_tokenizer(base)
    add_tokens(tokenizer, model, task.head.added_tokens)
    heads = [
        [item for item in own.modules() if getattr(item, "out_features", 0) == len(part.spec.labels)][-1]
        for part, own in zip(task.head.parts, models.headed(model), strict=True)
    ]
    for head in heads:
        head.weight.data.mul_(100)
    batch = tokenizer(list(PAYLOAD_TEXTS), padding=True, return_tensors="pt")
    with torch.no_grad():  # no class has an advantage, so that answers differ between texts
        for head, (part, logits) in zip(heads, task.head.each(model(**batch).logits), strict=True):
            head.bias -= logits.reshape(-1, len(part.spec.labels)).mean(0)
    checkpoint = save_checkpoint(model, tokenizer, fresh_info(model, task, "tiny", 64), out / "checkpoint")
    graph = export(checkpoint, data, ExportConfig(), out / "fp32")
    if mode == "fp32":
        return graph
    return quantize(graph, data, QuantizeConfig.model_validate({"mode": mode}), out / "quantized")
