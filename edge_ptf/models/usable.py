"""Checks of a pretrained model and its tokenizer before anything is trained.

Each one refuses a model that would load as another model, or that cannot become a package.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from edge_ptf.errors import CheckpointError
from edge_ptf.models.families import FAMILIES
from edge_ptf.models.structure import encoder, word_embeddings

LARGEST_GRAPH = 2**31
"""Bytes of an ONNX file: protobuf allows no more."""
GRAPH_MARGIN = 16 << 20
"""Bytes of the graph that are not weights: nodes, shapes and constants."""
BUFFERS = ("position_ids", "token_type_ids", "inv_freq")
"""Values in older checkpoints that the model works out itself."""
NUMBERS = ("F64", "F32", "F16", "BF16")
"""Types of a weight that is a plain number."""
NAMED = 3
"""Names in a message."""


def check_tokenizer(path: Path, tokenizer: Any) -> None:
    """Refuses options of a tokenizer with which the package would read a text in another way than the training.

    Raises:
        CheckpointError: it has no padding token, or splits special tokens.
    """
    where = path / "tokenizer_config.json"
    if tokenizer.pad_token_id is None:
        raise CheckpointError(
            f"{where}: the tokenizer has no padding token, and training pads texts to one length",
            hint="Set pad_token to a token of the vocabulary, such as the one the model was trained with",
        )
    if getattr(tokenizer, "split_special_tokens", False):
        raise CheckpointError(
            f"{where}: split_special_tokens is true, and a package reads a special token in a text as one token",
            hint="Remove the field if your texts hold no special tokens such as [MASK]",
        )


def check_rows(path: Path, tokenizer: Any, model: Any) -> None:
    """Refuses a tokenizer with token ids that the embedding table of the model does not have.

    Raises:
        CheckpointError: it names the first such token.
    """
    rows = int(word_embeddings(model).weight.shape[0])
    beyond = sorted((number, token) for token, number in tokenizer.get_vocab().items() if number >= rows)
    if beyond:
        number, token = beyond[0]
        raise CheckpointError(
            f"{path}: the tokenizer has {len(beyond)} tokens without a row in the model's embedding table of {rows} "
            f"rows (first: {token!r}, id {number})",
            hint="Give the tokenizer that the model was trained with, or save the model after resize_token_embeddings",
        )


def check_size(path: Path, model: Any) -> None:
    """Refuses a model whose FP32 weights do not fit into one ONNX file.

    Args:
        model: it may be on the meta device, without weights.

    Raises:
        CheckpointError: it says the size.
    """
    size = 4 * sum(parameter.numel() for parameter in model.parameters())
    if size > LARGEST_GRAPH - GRAPH_MARGIN:
        raise CheckpointError(
            f"{path}: the weights are {size / 2**30:.2f} GiB in FP32, and an ONNX file holds less than 2 GiB",
            hint="Take a smaller model of the same kind, such as its base size",
        )


def check_types(path: Path) -> None:
    """Refuses weights that are stored as codes of a quantization; read as plain numbers, they are another model.

    Raises:
        CheckpointError: it names the file, the first such weight and its type.
        SafetensorError: a file is damaged.
    """
    from safetensors import safe_open

    for file in sorted(path.glob("*.safetensors")):
        with safe_open(file, framework="pt") as weights:
            for name in weights.keys():  # noqa: SIM118 - the reader is no dictionary
                kind = weights.get_slice(name).get_dtype()
                if name.endswith("weight") and kind not in NUMBERS:
                    raise CheckpointError(
                        f"{file}: '{name}' has the type {kind}: the model is quantized already",
                        hint="Give the model in full precision; edge-ptf quantizes it",
                    )


def check_weights(path: Path, model: Any, found: Mapping[str, Any]) -> None:
    """Refuses a checkpoint whose encoder is not exactly the encoder of the model.

    A head is drawn anew, whatever the checkpoint has. A pooler may be missing or left over.

    Args:
        found: what transformers says about loading: missing_keys, mismatched_keys and unexpected_keys.

    Raises:
        CheckpointError: it names the first weights that are missing, of another shape, or without a place.
    """
    prefix = f"{model.base_model_prefix}."
    names = [*found["missing_keys"], *(key if isinstance(key, str) else key[0] for key in found["mismatched_keys"])]
    drawn = [name for name in names if name.startswith(prefix) and not name.startswith(f"{prefix}pooler")]
    if drawn:
        raise CheckpointError(
            f"{path}: {len(drawn)} weights of the encoder are missing or of another shape (first: {min(drawn)})",
            hint="Give a pretrained model as save_pretrained writes it; a pruned checkpoint is for distill",
        )
    left = sorted(name for name in found["unexpected_keys"] if _of_encoder(name, model))
    if left:
        shown = ", ".join(left[:NAMED]) + (", …" if len(left) > NAMED else "")
        raise CheckpointError(
            f"{path}: {len(left)} weights of the encoder have no place in the model of config.json, so it would be "
            f"another model ({shown})",
            hint=f"Take a model that transformers has in full, of a family such as {', '.join(FAMILIES)}",
        )


def _of_encoder(name: str, model: Any) -> bool:
    """Whether a weight of a file belongs to the encoder. In a file without heads no name has the encoder's prefix."""
    prefix = f"{model.base_model_prefix}."
    inner = name.removeprefix(prefix)
    part = inner.partition(".")[0]
    if part.endswith("pooler") or name.rpartition(".")[2] in BUFFERS:
        return False
    return inner != name or _starts_like(part, (child for child, _ in encoder(model).named_children()))


def _starts_like(part: str, children: Iterable[str]) -> bool:
    return any(part == child or part.startswith(f"{child}_") for child in children)
