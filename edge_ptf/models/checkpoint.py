"""A checkpoint: a Hugging Face directory plus `edge_ptf.json`, which says what `transformers` cannot.

That is the task, the longest sequence, where the checkpoint comes from, and the shape of each layer where pruning made
layers differ. A checkpoint whose layers keep all their heads and are of one width, and whose hidden states are as wide
as they were, loads with plain `transformers`.

The other way round, a fine-tuned model without `edge_ptf.json` opens as a checkpoint too: see `finetuned`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from pydantic import Field

from edge_ptf import models, tasks
from edge_ptf.config import StageConfig, StrictModel, parse
from edge_ptf.digests import file_digest, tree_digest, value_digest
from edge_ptf.errors import CheckpointError, ConfigError
from edge_ptf.heads import HeadSpec
from edge_ptf.models import LayerShape, finetuned, joint, loading, usable
from edge_ptf.models.base_models import check_directory, model_name
from edge_ptf.models.lineage import CheckpointFacts, DistillFacts, FinetuneFacts, LineageStep, Origin, PruneFacts
from edge_ptf.tasks.base import Task

INFO_FILE = "edge_ptf.json"
WEIGHTS_FILE = "model.safetensors"
UNLIMITED = 1 << 30
"""Tokens of a model without position embeddings."""
PLAIN_OUTPUTS = {"return_dict": True, "output_attentions": False, "output_hidden_states": False}
"""Fields of a configuration that change the form of the outputs. edge-ptf reads outputs by name."""
READ_OF_PLAIN = (".safetensors", ".json", ".txt", ".model")
"""Ends of the names of the files that count in a model directory without `edge_ptf.json`."""
INPUTS = ("input_ids", "attention_mask", "token_type_ids")


class CheckpointInfo(StrictModel):
    """Content of `edge_ptf.json`."""

    schema_version: Literal[2] = 2
    head: HeadSpec
    max_length: int = Field(gt=2, description="Longest sequence in tokens, special tokens included.")
    base_model: str = Field(description="Hub id or directory name of the pretrained model.")
    head_size: int = Field(gt=0, description="Width of one attention head.")
    layers: tuple[LayerShape, ...] = Field(description="Shape of each encoder layer, first layer first.")
    hidden_size: int | None = Field(None, description="Hidden size, where pruning made them narrower.")
    origin: Origin | None = Field(
        None, description="The unpruned checkpoint and what is left of it; None: never pruned."
    )
    facts: CheckpointFacts | None = Field(None, description="Results of the stage that made this checkpoint.")
    lineage: tuple[LineageStep, ...] = ()

    def made_by(self, facts: FinetuneFacts | PruneFacts | DistillFacts, config: StageConfig) -> CheckpointInfo:
        """The info after one more stage: its facts, and its step at the end of the lineage."""
        return self.replace(facts=facts, lineage=(*self.lineage, facts.step(config)))


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint on disk with its info and its digest (sha256 over all files).

    `plain`: a fine-tuned model as transformers saves it, without `edge_ptf.json`. Its info was read from its files.
    """

    path: Path
    info: CheckpointInfo
    digest: str
    plain: bool = False

    @property
    def origin(self) -> Origin:
        """The unpruned checkpoint and its layers that are left. A checkpoint that was never pruned is its own."""
        return self.info.origin or Origin(model=self.digest, layers=tuple(range(len(self.info.layers))))


def load_tokenizer(path: Path) -> Any:
    """The fast tokenizer of a model directory; a padding or truncation fixed in its file is switched off.

    Raises:
        CheckpointError: there is none that edge-ptf can use.
    """
    try:
        tokenizer = loading.auto_tokenizer(path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path}: the tokenizer cannot be loaded ({_one_line(error)})") from None
    if not tokenizer.is_fast:
        raise CheckpointError(
            f"{path}: no fast tokenizer", hint="A tokenizer.json is needed; save one with transformers"
        )
    tokenizer.backend_tokenizer.no_padding()
    tokenizer.backend_tokenizer.no_truncation()
    usable.check_tokenizer(path, tokenizer)
    return tokenizer


def load_base_model(path: Path, task: Task, *, dropout: float | None = None) -> Any:
    """A pretrained model with a fresh head for the task, FP32; the head is drawn from torch's generator.

    Args:
        dropout: replaces the dropout of hidden states and attention; None keeps the model's own.

    Raises:
        CheckpointError: the weights are damaged, too large for one ONNX file, or those of another encoder.
    """
    with _quiet():
        config = _config(path, **task.head.model_config())
    if dropout is not None:
        for name in ("hidden_dropout_prob", "attention_probs_dropout_prob", "dropout", "attention_dropout"):
            if hasattr(config, name):
                setattr(config, name, dropout)
    return _pretrained(path, task, config)[0]


def _pretrained(path: Path, task: Task, config: Any) -> tuple[Any, Mapping[str, Any]]:
    """A model with the head of the task, FP32, and what transformers says about loading."""
    with _quiet():
        usable.check_size(path, _loaded(path, lambda: loading.sketch(joint.auto_model(task.head), config)))
        _loaded(path, lambda: usable.check_types(path))
        model, found = _loaded(path, lambda: loading.auto_model(joint.auto_model(task.head), path, config))
    _encoder_only(path, model)
    usable.check_weights(path, model, found)
    return model, found


def fresh_info(model: Any, task: Task, base_name: str, max_length: int) -> CheckpointInfo:
    """The info of a model that was just loaded, its layers as they are."""
    return CheckpointInfo(
        head=task.head.spec,
        max_length=min(max_length, longest_sequence(model)),
        base_model=base_name,
        head_size=models.head_size(model),
        layers=models.shapes(model),
    )


def longest_sequence(model: Any) -> int:
    """The most tokens that the position embeddings permit; models with only relative positions have no limit."""
    limit = int(getattr(model.config, "max_position_embeddings", None) or 0)
    return UNLIMITED if limit < 1 else limit - models.first_position(model)


def model_inputs(model: Any, tokenizer: Any) -> tuple[str, ...]:
    """Which of `INPUTS` the tokenizer gives and the model reads (DistilBERT, for example, has no token types)."""
    from inspect import signature

    read = set(signature(model.forward).parameters)
    if getattr(model.config, "type_vocab_size", 2) < 2:
        read.discard("token_type_ids")
    return tuple(name for name in INPUTS if name in tokenizer.model_input_names and name in read)


def save_checkpoint(model: Any, tokenizer: Any, info: CheckpointInfo, out: Path) -> Checkpoint:
    """Writes a checkpoint directory; equal models give equal bytes, and no path of this machine is in it."""
    from safetensors.torch import save

    out.mkdir(parents=True, exist_ok=True)
    _save_companions(model, tokenizer, out)
    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    kept = {name: value for name, value in state.items() if not name.endswith("position_ids")}
    (out / WEIGHTS_FILE).write_bytes(save(kept, metadata={"format": "pt"}))
    text = json.dumps(info.model_dump(mode="json"), indent=2, ensure_ascii=False)
    (out / INFO_FILE).write_text(text + "\n", encoding="utf-8")
    return open_checkpoint(out)


def _save_companions(model: Any, tokenizer: Any, out: Path) -> None:
    """Writes the configuration and the tokenizer; equal models give equal bytes."""
    tokenizer.backend_tokenizer.no_padding()
    tokenizer.backend_tokenizer.no_truncation()
    with _quiet():
        model.config.save_pretrained(out)
        tokenizer.save_pretrained(out)
    _rewrite_json(
        out / "config.json",
        architectures=[type(model).__name__],
        dtype="float32",
        transformers_version=None,
        **_common_width(model),
    )
    changes: dict[str, Any] = {"name_or_path": None}
    if tokenizer.truncation_side != "right":  # it may have stood in tokenizer.json, whose truncation was removed
        changes["truncation_side"] = tokenizer.truncation_side
    given = type(tokenizer).model_input_names
    read = [name for name in given if name not in INPUTS or name in model_inputs(model, tokenizer)]
    if read != list(given):  # transformers passes everything that the tokenizer gives to the model
        changes["model_input_names"] = read
    _rewrite_json(out / "tokenizer_config.json", **changes)


@contextmanager
def companions(checkpoint: Checkpoint, model: Any, tokenizer: Any) -> Iterator[Path]:
    """A directory with the configuration and the tokenizer of a checkpoint, as `save_checkpoint` writes them.

    Args:
        model, tokenizer: those of the checkpoint.
    """
    if not checkpoint.plain:
        yield checkpoint.path
        return
    with TemporaryDirectory() as name:
        _save_companions(model, tokenizer, Path(name))
        yield Path(name)


def open_checkpoint(
    path: Path, task: str | None = None, out_of_scope_label: str | None = None, name: str | None = None
) -> Checkpoint:
    """Reads and checks a checkpoint directory without loading its weights.

    A directory without `edge_ptf.json` is read as a fine-tuned model of transformers. Only for such a model:

    Args:
        task: its task; None: its configuration says it.
        out_of_scope_label: the label of texts that belong to no class.
        name: what the lineage calls it; None: the name of its directory or its hub id.

    Raises:
        CheckpointError: it is none, a file is missing or damaged, or loading it could run code.
    """
    if not path.is_dir():
        raise CheckpointError(
            f"{path}: no such directory",
            hint="Give a directory that finetune, prune or distill wrote, or a fine-tuned model of transformers",
        )
    if not (path / INFO_FILE).is_file():
        return _open_plain(path, task, out_of_scope_label, name or model_name(path))
    for file in (INFO_FILE, "config.json", WEIGHTS_FILE, "tokenizer.json"):
        if not (path / file).is_file():
            raise CheckpointError(
                f"{path}: no {file}, so this is no edge-ptf checkpoint",
                hint="Give a directory that finetune, prune or distill wrote",
            )
    loading.check_model(path)
    try:
        info = parse(CheckpointInfo, json.loads((path / INFO_FILE).read_text(encoding="utf-8")), where=INFO_FILE)
    except ConfigError as error:
        raise CheckpointError(f"{path / INFO_FILE}: damaged ({error.message})", problems=error.problems) from None
    except ValueError as error:
        raise CheckpointError(f"{path / INFO_FILE}: damaged ({_one_line(error)})") from None
    return Checkpoint(path, info, tree_digest(path))


def _open_plain(path: Path, task: str | None, out_of_scope_label: str | None, name: str) -> Checkpoint:
    """A fine-tuned model of transformers as a checkpoint; its weights are not loaded."""
    check_directory(path)
    answering = tasks.create(finetuned.read_head(path, task, out_of_scope_label))
    with _quiet():
        config = _config(path, **answering.head.model_config())
        model = _loaded(path, lambda: loading.sketch(joint.auto_model(answering.head), config))
    _encoder_only(path, model)
    usable.check_size(path, model)
    info = fresh_info(model, answering, name, finetuned.max_length_of(load_tokenizer(path)))
    files = sorted(file for file in path.iterdir() if file.is_file() and file.suffix in READ_OF_PLAIN)
    digest = value_digest([info.model_dump(mode="json"), [[file.name, file_digest(file)] for file in files]])
    return Checkpoint(path, info, digest, plain=True)


def load_model(checkpoint: Checkpoint) -> Any:
    """The model of a checkpoint in FP32 and evaluation mode, its layers in the shapes they were saved with.

    Raises:
        CheckpointError: the weights are damaged or do not fit the configuration, or the head was not trained.
    """
    from safetensors.torch import load_file

    task = tasks.create(checkpoint.info.head)
    if checkpoint.plain:
        return _load_plain(checkpoint.path, task)
    head = task.head
    with _quiet():
        config = _config(checkpoint.path)
        model = _loaded(checkpoint.path, lambda: loading.empty_model(joint.auto_model(head), config))
    _encoder_only(checkpoint.path, model)
    there, wanted = len(models.shapes(model)), len(checkpoint.info.layers)
    if there != wanted:
        raise CheckpointError(f"{checkpoint.path}: config.json has {there} layers, {INFO_FILE} {wanted}")
    models.reshape(model, checkpoint.info.layers, checkpoint.info.hidden_size)
    state = _loaded(checkpoint.path, lambda: load_file(checkpoint.path / WEIGHTS_FILE))
    missing, unexpected = _loaded(checkpoint.path, lambda: model.load_state_dict(state, strict=False))
    wrong = [name for name in (*missing, *unexpected) if not name.endswith("position_ids")]
    if wrong:
        raise CheckpointError(f"{checkpoint.path}: the weights do not fit the configuration (first: {wrong[0]})")
    return model.float().eval()


def _load_plain(path: Path, task: Task) -> Any:
    with _quiet():
        config = _config(path, **task.head.model_config())
    model, found = _pretrained(path, task, config)
    finetuned.check_head(path, model, found)
    usable.check_rows(path, load_tokenizer(path), model)
    return model.float().eval()


def _config(path: Path, **changes: Any) -> Any:
    from huggingface_hub.errors import StrictDataclassError

    try:
        return loading.auto_config(path, **PLAIN_OUTPUTS, **changes)
    except (OSError, ValueError, KeyError, TypeError, StrictDataclassError) as error:
        raise CheckpointError(f"{path / 'config.json'}: cannot be used ({_one_line(error)})") from None


def _loaded(path: Path, load: Any) -> Any:
    from safetensors import SafetensorError

    try:
        return load()
    except (SafetensorError, OSError, RuntimeError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"{path}: the weights cannot be loaded, the file is damaged or of another shape ({_one_line(error)})",
            hint="Download or make the checkpoint again",
        ) from None


def _encoder_only(path: Path, model: Any) -> Any:
    """The model, unless a token of it sees only those before it."""
    if model.config.is_encoder_decoder or any(getattr(module, "is_causal", False) for module in model.modules()):
        raise CheckpointError(
            f"{path}: '{model.config.model_type}' is a decoder, edge-ptf works on encoders",
            hint=f"Take a model of a family such as {', '.join(models.FAMILIES)}",
        )
    return model


def _common_width(model: Any) -> dict[str, int]:
    """The configuration's feed-forward width, where all layers have one."""
    if not models.is_known(model):
        return {}
    widths = {shape.intermediate_size for shape in models.shapes(model)}
    return {models.family_of(model).feed_forward_size: widths.pop()} if len(widths) == 1 and widths != {0} else {}


def _rewrite_json(path: Path, **changes: Any) -> None:
    """Sets fields of a JSON file, or removes them where the value is None."""
    if not path.exists():
        return
    values = {**json.loads(path.read_text(encoding="utf-8")), **changes}
    values.pop("_name_or_path", None)
    kept = {name: value for name, value in sorted(values.items()) if not (name in changes and value is None)}
    path.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the library's notices about a new head away from the user, who asked for one."""
    from transformers.utils import logging

    level = logging.get_verbosity()
    bars = logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
