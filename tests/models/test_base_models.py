from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

from edge_ptf.errors import CheckpointError, EdgePtfError, EnvironmentFault, ExitCode, MissingExtraError
from edge_ptf.models import base_models
from edge_ptf.models.base_models import MINILM, MINILM_PACKAGE, check_directory, resolve_base
from edge_ptf.models.checkpoint import UNLIMITED, load_base_model, load_tokenizer, longest_sequence
from edge_ptf.tasks.text_classification import TextClassification


def failure(kind: type[EdgePtfError], model: str) -> EdgePtfError:
    with pytest.raises(kind) as caught:
        resolve_base(model)
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    return caught.value


@pytest.fixture
def copied(tiny_base: Callable[[str], Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_base("bert"), tmp_path / "base"))


def test_a_directory_is_taken_as_it_is(copied: Path) -> None:
    assert resolve_base(str(copied)) == copied


@pytest.mark.skipif(find_spec(MINILM_PACKAGE) is None, reason="the demo extra is not installed")
def test_minilm_comes_from_its_package_without_a_network() -> None:
    path = resolve_base(MINILM)
    assert json.loads((path / "config.json").read_text())["hidden_size"] == 384
    model = load_base_model(path, TextClassification(TextClassification.spec_for(("a", "b"))))
    assert model.config.num_labels == 2
    assert load_tokenizer(path)("turn on the light")["input_ids"] == [101, 2735, 2006, 1996, 2422, 102]


def test_minilm_without_package_and_hub_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base_models, "find_spec", lambda name: None)
    monkeypatch.setattr(base_models, "_from_hub", raising(EnvironmentFault("no hub")))
    error = failure(MissingExtraError, MINILM)
    assert "edge-ptf[demo]" in error.hint


@pytest.mark.parametrize("model", ["./none", "../none/deep", "a/b/c", "/none", "what is this", ""])
def test_what_can_only_be_a_path_is_said_to_be_missing(
    model: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    error = failure(CheckpointError, model)
    assert "no " in error.message


def test_a_file_is_no_model(copied: Path) -> None:
    assert "a file" in failure(CheckpointError, str(copied / "config.json")).message


@pytest.mark.parametrize("model", ["someone/some-model", "typo-of-a-folder"])
def test_a_hub_name_without_a_network_is_an_environment_fault(
    model: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    error = failure(EnvironmentFault, model)
    assert error.exit_code == ExitCode.ENVIRONMENT
    assert error.message.startswith(model)
    assert "local model directory" in error.hint


def raising(error: BaseException) -> Callable[..., Any]:
    def call(*_: Any, **__: Any) -> Any:
        raise error

    return call


def hub_answers(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    monkeypatch.setattr("huggingface_hub.snapshot_download", raising(error))


def hub_errors() -> Any:
    from huggingface_hub import errors

    return errors


def bare(name: str) -> BaseException:
    """An error of the hub without the HTTP response that its constructor needs."""
    kind: type[BaseException] = getattr(hub_errors(), name)
    return kind.__new__(kind, "broken")


@pytest.mark.parametrize("name", ["RepositoryNotFoundError", "GatedRepoError", "HFValidationError"])
def test_a_model_the_hub_does_not_give_is_bad_input(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    hub_answers(monkeypatch, bare(name))
    error = failure(CheckpointError, "someone/private")
    assert name in error.message
    assert "hf auth login" in error.hint


@pytest.mark.parametrize("name", ["HfHubHTTPError", "LocalEntryNotFoundError", "OfflineModeIsEnabled"])
def test_a_failing_hub_is_an_environment_fault(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    hub_answers(monkeypatch, bare(name))
    assert name in failure(EnvironmentFault, "someone/model").message


def test_every_error_of_the_transport_below_the_hub_is_an_environment_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    (root,) = [kind for kind in hub_errors().HfHubHTTPError.__mro__ if kind.__name__ == "HTTPError"]

    class Transport(root):  # type: ignore[misc, valid-type]
        """A failure of the HTTP library, derived from its base class."""

    for error in (Transport("reset"), ConnectionResetError(104, "reset"), TimeoutError(), OSError(28, "No space")):
        hub_answers(monkeypatch, error)
        failure(EnvironmentFault, "someone/model")


def test_a_fault_of_ours_is_not_hidden_as_a_network_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    hub_answers(monkeypatch, RuntimeError("a bug"))
    with pytest.raises(RuntimeError, match="a bug"):
        resolve_base("someone/model")


def test_what_the_hub_gives_is_checked_as_any_directory(monkeypatch: pytest.MonkeyPatch, copied: Path) -> None:
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: str(copied))
    assert resolve_base("someone/model") == copied
    (copied / "model.safetensors").unlink()
    error = failure(CheckpointError, "someone/model")
    assert "the hub has no safetensors of it" in error.message
    assert "from_pretrained('someone/model').save_pretrained('model-safe')" in error.hint


def test_only_files_that_can_run_no_code_are_asked_for(monkeypatch: pytest.MonkeyPatch, copied: Path) -> None:
    asked: dict[str, Any] = {}

    def download(model: str, **options: Any) -> str:
        asked.update(options, model=model)
        return str(copied)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    resolve_base("someone/model")
    assert asked["model"] == "someone/model"
    assert not {"*.bin", "*.py", "*"} & set(asked["allow_patterns"])


@pytest.mark.parametrize(
    ("missing", "message"), [("config.json", "no config.json"), ("model.safetensors", "no *.safetensors")]
)
def test_a_missing_part_is_named(copied: Path, missing: str, message: str) -> None:
    (copied / missing).unlink()
    assert message in failure(CheckpointError, str(copied)).message


def test_a_model_without_tokenizer_is_refused(copied: Path) -> None:
    for path in (*copied.glob("tokenizer*"), *copied.glob("vocab*")):
        path.unlink()
    assert "no tokenizer files" in failure(CheckpointError, str(copied)).message


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "weights.pkl", "last.ckpt"])
def test_pickled_weights_are_refused_with_the_way_to_convert_them(copied: Path, name: str) -> None:
    (copied / "model.safetensors").rename(copied / name)
    error = failure(CheckpointError, str(copied))
    assert f"pickled ({name})" in error.message
    assert "save_pretrained" in error.hint


def test_pickles_beside_safetensors_do_no_harm(copied: Path) -> None:
    (copied / "training_args.bin").write_bytes(b"x")
    assert check_directory(copied) == copied


@pytest.mark.parametrize("content", [b"{", b"\xff", b""])
def test_an_unreadable_configuration_is_refused(copied: Path, content: bytes) -> None:
    (copied / "config.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"config\.json: not readable JSON"):
        resolve_base(str(copied))


@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta", "electra", "albert"])
def test_a_head_of_another_size_is_drawn_anew(tiny_base: Callable[[str], Path], family: str, tmp_path: Path) -> None:
    def fresh(source: Path, labels: str) -> Any:
        return load_base_model(source, TextClassification(TextClassification.spec_for(tuple(labels))))

    first = fresh(tiny_base(family), "abc")
    first.save_pretrained(tmp_path)
    second = fresh(tmp_path, "ab")
    prefix, before, after = f"{first.base_model_prefix}.", first.state_dict(), second.state_dict()
    assert second.config.num_labels == 2
    assert [name for name in before if before[name].shape != after[name].shape]
    for name, value in before.items():
        if name.startswith(prefix):
            assert (after[name] == value).all(), name


@pytest.mark.parametrize("change", [lambda value: None, lambda value: value[:16].clone()], ids=["absent", "narrower"])
def test_a_weight_that_the_encoder_lacks_is_named_and_not_drawn(copied: Path, change: Callable[[Any], Any]) -> None:
    from safetensors.torch import load_file, save_file

    name = "encoder.layer.1.output.dense.weight"
    state = load_file(copied / "model.safetensors")
    changed = change(state.pop(name))
    save_file(state if changed is None else {**state, name: changed}, copied / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointError, match=rf"1 weights of the encoder .* \(first: bert\.{name}\)"):
        load_base_model(copied, TextClassification(TextClassification.spec_for(("a", "b"))))


def test_a_model_without_position_embeddings_has_no_longest_sequence() -> None:
    from transformers import BertConfig, BertModel, XLNetConfig, XLNetModel

    with torch.device("meta"):
        assert longest_sequence(BertModel(BertConfig())) == 512
        assert longest_sequence(XLNetModel(XLNetConfig())) == UNLIMITED
