"""A model that others made runs no code of its own, and leads to no file outside its folder."""

from __future__ import annotations

import ast
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import edge_ptf
from edge_ptf.errors import CheckpointError, ExitCode
from edge_ptf.models.base_models import resolve_base
from edge_ptf.models.checkpoint import fresh_info as info_of
from edge_ptf.models.checkpoint import load_base_model, load_tokenizer, open_checkpoint, save_checkpoint
from edge_ptf.tasks.text_classification import TextClassification

PACKAGE = Path(edge_ptf.__file__).parent
LOADERS = ("from_pretrained", "from_config", "load_dataset", "load_dataset_builder", "pipeline")
TASK = TextClassification(TextClassification.spec_for(("a", "b")))
MALICIOUS = "from pathlib import Path\nPath(__file__).with_name('proof').touch()\nraise SystemExit('ran')\n"


@pytest.fixture
def base(tiny_base: Callable[[str], Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_base("bert"), tmp_path / "base"))


def change(path: Path, **fields: Any) -> None:
    content = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**content, **fields}))


def refused(load: Callable[[], Any]) -> str:
    """The one line that refuses it."""
    with pytest.raises(CheckpointError) as caught:
        load()
    assert caught.value.exit_code == ExitCode.BAD_INPUT
    assert caught.value.hint
    assert "\n" not in str(caught.value)
    return caught.value.message


def calls(*names: str) -> Iterator[tuple[Path, ast.Call]]:
    """Every call in the package of a function or method of these names, with its file."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in names:
                yield path.relative_to(PACKAGE), node


def test_every_call_that_loads_forbids_code_of_the_model() -> None:
    found = list(calls(*LOADERS))
    assert len(found) >= 5
    for path, call in found:
        said = {word.arg: word.value for word in call.keywords}.get("trust_remote_code")
        assert isinstance(said, ast.Constant) and said.value is False, f"{path}:{call.lineno}"


def test_only_one_module_loads_with_transformers() -> None:
    assert {str(path) for path, _ in calls("from_pretrained", "from_config")} == {"models/loading.py"}


def test_nothing_unpickles() -> None:
    """`torch.load`, `pickle.load`, `joblib.load` and NumPy arrays of objects run what the file says."""
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
                assert not {"pickle", "joblib", "dill", "cloudpickle", "shelve"} & set(names), path
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                raise AssertionError(f"{path}:{node.lineno}")
            assert not (isinstance(node, ast.keyword) and node.arg == "allow_pickle"), path


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
@pytest.mark.parametrize(
    "auto_map",
    [
        {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"},
        {"AutoModelForSequenceClassification": "someone/else--evil.Model"},
        {"AutoTokenizer": ["evil.Tokenizer", None]},
        ["evil.Tokenizer", "evil.Tokenizer"],
    ],
)
def test_code_beside_a_model_is_refused_before_anything_is_loaded(base: Path, name: str, auto_map: Any) -> None:
    (base / "evil.py").write_text(MALICIOUS)
    change(base / name, auto_map=auto_map)
    for load in (
        lambda: resolve_base(str(base)),
        lambda: load_tokenizer(base),
        lambda: load_base_model(base, TASK),
    ):
        assert f"{name}: 'auto_map' asks for code" in refused(load)
    assert not (base / "proof").exists()


def test_code_of_an_unknown_kind_of_model_asks_nothing_on_the_standard_input(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`yes | edge-ptf compress` must not say yes to it."""
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    (base / "evil.py").write_text(MALICIOUS)
    change(base / "config.json", model_type="evil", auto_map={"AutoConfig": "evil.Config"})
    monkeypatch.setattr("edge_ptf.models.loading.check_model", lambda folder: folder)
    with pytest.raises(CheckpointError, match="custom code"):
        load_base_model(base, TASK)
    assert not (base / "proof").exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("attn_implementation", "someone/kernel"),
        ("_attn_implementation", "someone/kernel@main:run"),
        ("_attn_implementation_internal", "flash_attention_2"),
        ("attn_implementation", {"": "eager", "text_config": "someone/kernel"}),
        ("experts_implementation", "someone/kernel"),
        ("use_kernels", True),
        ("kernel_config", {"RMSNorm": "someone/kernel:RMSNorm"}),
    ],
)
def test_kernels_from_the_hub_are_refused(base: Path, field: str, value: Any) -> None:
    change(base / "config.json", **{field: value})
    assert f"'{field}' asks for kernels" in refused(lambda: resolve_base(str(base)))
    change(base / "config.json", **{field: None}, text_config={field: value})
    assert f"'{field}' asks for kernels" in refused(lambda: load_base_model(base, TASK))


def test_fields_that_ask_for_nothing_are_allowed(base: Path) -> None:
    change(base / "config.json", auto_map={}, use_kernels=False, attn_implementation="sdpa", quantization_config=None)
    change(base / "tokenizer_config.json", auto_map=None, special_tokens_map_file="/content/gone/special_tokens.json")
    assert resolve_base(str(base)) == base
    assert load_base_model(base, TASK).config.num_labels == 2


def test_a_quantized_model_is_refused(base: Path) -> None:
    change(base / "config.json", quantization_config={"quant_method": "finegrained_fp8"})
    assert "quantized already" in refused(lambda: resolve_base(str(base)))


def test_an_adapter_is_refused(base: Path) -> None:
    (base / "adapter_config.json").write_text('{"base_model_name_or_path": "/somewhere/else"}')
    assert "adapter" in refused(lambda: load_base_model(base, TASK))


@pytest.mark.parametrize(
    "name", ["../other/model.safetensors", "/etc/passwd", "..", "", "sub/model.safetensors", "no\0"]
)
def test_an_index_that_leads_out_of_its_folder_is_refused(base: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(base, tmp_path / "other")
    index = {"metadata": {"total_size": 1}, "weight_map": {"bert.embeddings.word_embeddings.weight": name}}
    (base / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "not in its folder" in refused(lambda: resolve_base(str(base)))
    (base / "model.safetensors").rename(base / "model-00001-of-00002.safetensors")
    assert "not in its folder" in refused(lambda: load_base_model(base, TASK))


def test_an_index_of_pickles_is_refused(base: Path) -> None:
    (base / "model.safetensors").rename(base / "model-00001-of-00001.safetensors")
    (base / "weights.bin").write_bytes(b"pickle")
    (base / "model.safetensors.index.json").write_text('{"metadata": {}, "weight_map": {"a": "weights.bin"}}')
    assert "only safetensors" in refused(lambda: load_base_model(base, TASK))


@pytest.mark.parametrize("content", ["[]", "{", '{"weight_map": []}', "[" * 100_000])
def test_a_damaged_index_is_refused(base: Path, content: str) -> None:
    (base / "model.safetensors.index.json").write_text(content)
    refused(lambda: resolve_base(str(base)))


def test_a_whole_index_is_read(base: Path) -> None:
    from safetensors.torch import load_file, save_file

    state = load_file(base / "model.safetensors")
    names = sorted(state)
    parts = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for file, part in parts.items():
        save_file({name: state[name] for name in part}, base / file, {"format": "pt"})
    (base / "model.safetensors").unlink()
    index = {"metadata": {}, "weight_map": {name: file for file, part in parts.items() for name in part}}
    (base / "model.safetensors.index.json").write_text(json.dumps(index))
    assert resolve_base(str(base)) == base
    loaded = load_base_model(base, TASK).state_dict()
    assert all((loaded[f"bert.{name}"] == state[name]).all() for name in names if f"bert.{name}" in loaded)


@pytest.mark.parametrize("value", ["../other/model.safetensors", "weights.bin", 7])
def test_weights_that_the_configuration_names_are_checked_too(base: Path, value: Any) -> None:
    (base / "weights.bin").write_bytes(b"pickle")
    change(base / "config.json", transformers_weights=value)
    refused(lambda: load_base_model(base, TASK))


def test_a_link_out_of_the_folder_is_refused(base: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    (base / "vocab.txt").unlink(missing_ok=True)
    (base / "vocab.txt").symlink_to(secret)
    assert "a link that leads out of the folder" in refused(lambda: resolve_base(str(base)))
    assert "a link that leads out of the folder" in refused(lambda: load_tokenizer(base))


def test_a_tokenizer_file_outside_is_refused(base: Path, tmp_path: Path) -> None:
    (tmp_path / "other.json").write_bytes((base / "tokenizer.json").read_bytes())
    change(base / "tokenizer_config.json", tokenizer_file=str(tmp_path / "other.json"))
    assert "'tokenizer_file' leads out of the folder" in refused(lambda: load_tokenizer(base))


def test_the_hub_cache_is_read_through_its_links(base: Path, tmp_path: Path) -> None:
    repository = tmp_path / "hub" / "models--someone--model"
    snapshot, blobs = repository / "snapshots" / "abc", repository / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for number, file in enumerate(sorted(base.iterdir())):
        shutil.copy(file, blobs / str(number))
        (snapshot / file.name).symlink_to(Path("../../blobs") / str(number))
    assert resolve_base(str(snapshot)) == snapshot
    assert load_base_model(snapshot, TASK).config.num_labels == 2
    (snapshot / "config.json").unlink()
    (snapshot / "config.json").symlink_to(base / "config.json")
    assert "leads out" in refused(lambda: resolve_base(str(snapshot)))


def test_a_checkpoint_of_ours_is_checked_too(base: Path, tmp_path: Path) -> None:
    model = load_base_model(base, TASK)
    out = tmp_path / "teacher"
    save_checkpoint(model, load_tokenizer(base), info_of(model, TASK, "base", 32), out)
    change(out / "tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.T", None]})
    assert "asks for code" in refused(lambda: open_checkpoint(out))
