"""The one place where `transformers` loads something: a model that others made is data, and runs no code of its own.

`check_model` refuses what would: code beside the model, kernels from the hub, pickled weights, and files outside the
folder. Every function here checks first, and forbids code of the model to the library too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edge_ptf.errors import BadInputError, CheckpointError
from edge_ptf.untrusted import check_links, check_name, read_object, root_of

CONFIGURATIONS = ("config.json", "tokenizer_config.json", "processor_config.json", "generation_config.json")
CODE = ("auto_map", "custom_pipelines")
KERNELS = ("use_kernels", "kernel_config", "hub_kernels", "kernels")
ATTENTION = re.compile(r"_?(attn|experts)_implementation(_internal)?")
PLAIN_ATTENTION = (None, "eager", "sdpa")
"""Every other one is, or may be, fetched from the hub."""
QUANTIZED = ("quantization_config", "compression_config", "quant_mode")
"""Fields that say that the weights are no plain numbers, or that the model rounds them."""
INDEXES = ("*.index.json", "*.index.*.json")


def check_model(folder: Path) -> Path:
    """`folder`, if nothing in it could run code or lead out of it when transformers loads it.

    Raises:
        CheckpointError: one line that names the file and what is wrong in it.
    """
    try:
        check_links(folder)
        for name in CONFIGURATIONS:
            if (folder / name).is_file():
                _check_configuration(folder / name)
        if (folder / "adapter_config.json").exists():
            raise BadInputError(
                f"{folder / 'adapter_config.json'}: an adapter, which leads to another model",
                hint="Merge it into its model (merge_and_unload) and save that model",
            )
        for index in sorted(path for pattern in INDEXES for path in folder.glob(pattern)):
            _check_index(index)
    except BadInputError as error:
        raise CheckpointError(error.message, hint=error.hint) from None
    return folder


def auto_config(path: Path, **changes: Any) -> Any:
    """The configuration of a model directory, with some fields changed."""
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(check_model(path), local_files_only=True, trust_remote_code=False, **changes)


def auto_tokenizer(path: Path) -> Any:
    """The tokenizer of a model directory."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(check_model(path), local_files_only=True, trust_remote_code=False)


def auto_model(kind: Any, path: Path, config: Any) -> tuple[Any, Mapping[str, Any]]:
    """A model of an Auto class `kind` with the safetensors of a directory, FP32, and what loading found.

    Weights that the directory lacks, or has in another shape, are drawn from torch's generator.
    """
    import torch

    found: tuple[Any, Mapping[str, Any]] = kind.from_pretrained(
        check_model(path),
        config=config,
        dtype=torch.float32,
        use_safetensors=True,
        local_files_only=True,
        trust_remote_code=False,
        ignore_mismatched_sizes=True,
        output_loading_info=True,
    )
    return found


def empty_model(kind: Any, config: Any) -> Any:
    """A model of an Auto class `kind`, its weights drawn from torch's generator."""
    return kind.from_config(config, trust_remote_code=False)


def sketch(kind: Any, config: Any) -> Any:
    """A model of an Auto class `kind` without weights (meta device): its modules and the shapes of its parameters."""
    import torch

    with torch.device("meta"):
        return empty_model(kind, config)


def _check_configuration(path: Path) -> None:
    for name, value in _fields(read_object(path)):
        if name in CODE and value:
            raise BadInputError(
                f"{path}: '{name}' asks for code that comes with the model, and edge-ptf runs no such code",
                hint="Give a model of an architecture that transformers has; where it does, remove the field",
            )
        kernel = name in KERNELS and value
        if kernel or (ATTENTION.fullmatch(name) and not _plain_attention(value)):
            raise BadInputError(
                f"{path}: '{name}' asks for kernels from the hub, which are code", hint="Remove the field"
            )
        if name in QUANTIZED and value:
            raise BadInputError(
                f"{path}: '{name}': the model is quantized already",
                hint="Give the model in full precision; edge-ptf quantizes it",
            )
        if name == "transformers_weights" and value is not None:
            _check_weights(path, value)
        if name.endswith("_file") and isinstance(value, str) and _leads_out(path.parent, value):
            raise BadInputError(f"{path}: '{name}' leads out of the folder, to {value}", hint="Remove the field")


def _fields(value: Any) -> Iterator[tuple[str, Any]]:
    """Every field of a JSON value at any depth."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield from value.items()
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _plain_attention(value: Any) -> bool:
    """Whether this way of attention comes with transformers; models of several parts say it for each part."""
    given = value.values() if isinstance(value, dict) else (value,)
    return all(each in PLAIN_ATTENTION for each in given)


def _leads_out(folder: Path, name: str) -> bool:
    """Whether a field names a file outside `folder`; a path that was left over from another machine names none."""
    try:
        target = (folder / name).resolve()
        return target.exists() and not target.is_relative_to(root_of(folder))
    except (OSError, ValueError):
        return True


def _check_index(path: Path) -> None:
    weights = read_object(path).get("weight_map")
    if not isinstance(weights, dict):
        raise BadInputError(f"{path}: no index of weights", hint="Download the model again")
    if ".safetensors." not in path.name:
        return  # of pickled weights, which are never read
    for name in dict.fromkeys(map(str, weights.values())):
        _check_weights(path, name)


def _check_weights(named_by: Path, name: Any) -> None:
    check_name(named_by.parent, name, named_by)
    if not str(name).endswith((".safetensors", ".safetensors.index.json")):
        raise BadInputError(
            f"{named_by}: names {name!r}; only safetensors are loaded, for loading a pickle can run any code",
            hint="Save the model with safetensors",
        )
