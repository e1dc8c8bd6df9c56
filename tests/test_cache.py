from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_ptf.cache import KEPT_IN_PARTIAL, KEY_FILE, WORK_FILE, Key, Place, environment_fault, run
from edge_ptf.digests import file_digest, tree_digest
from edge_ptf.errors import BadInputError, EnvironmentFault, ExitCode
from edge_ptf.progress import Silent

KEY = Key("prune", 1, {"share": 0.5, "data": "abc"})
OTHER = Key("prune", 1, {"share": 0.6, "data": "abc"})


class Work:
    """Counts how often it produces and loads, and writes a text."""

    def __init__(self, text: str = "result", before: Callable[[Path], None] | None = None) -> None:
        self.text, self.before, self.times, self.loads = text, before, 0, 0

    def produce(self, folder: Path) -> str:
        self.times += 1
        if self.before:
            self.before(folder)
        (folder / "artifact.txt").write_text(self.text)
        return self.text

    def load(self, folder: Path) -> str:
        self.loads += 1
        return (folder / "artifact.txt").read_text()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_second_run_reuses_the_first(tmp_path: Path) -> None:
    work, out = Work(), tmp_path / "deep" / "out"
    first = run(KEY, out, work.produce, work.load)
    second = run(KEY, out, work.produce, work.load)
    assert (first.reused, second.reused, work.times) == (False, True, 1)
    assert first.artifact == second.artifact == "result"
    assert first.key == second.key == KEY.digest()
    assert first.folder == out


def test_a_result_carries_its_whole_key_and_leaves_no_partial_folder(tmp_path: Path) -> None:
    work, key = Work(), Key("prune", 3, {"share": 0.5}, ("numpy",))
    run(key, tmp_path / "out", work.produce, work.load)
    document = json.loads((tmp_path / "out" / KEY_FILE).read_text())
    seconds = document.pop("seconds")
    assert 0 <= seconds < 60
    files = document.pop("files")
    assert files == {"artifact.txt": file_digest(tmp_path / "out" / "artifact.txt")}
    assert document == {"key": key.digest(), **key.document()}
    assert set(document["libraries"]) == {"numpy"}
    assert names(tmp_path) <= {"out", ".out.lock"}
    assert {name for name in names(tmp_path / "out") if not name.startswith(".")} == {"artifact.txt"}


def test_a_result_says_what_work_it_took_in_all_runs(tmp_path: Path) -> None:
    out, partial = tmp_path / "out", tmp_path / "out.partial"

    def killed(folder: Path) -> None:
        """Works for 100 seconds until its state is saved, and is killed later."""
        begun = json.loads((folder / WORK_FILE).read_text())["begun"]
        (folder / KEPT_IN_PARTIAL).mkdir(exist_ok=True)
        state = folder / KEPT_IN_PARTIAL / "state"
        state.touch()
        os.utime(state, (begun + 100, begun + 100))
        raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            run(KEY, out, Work(before=killed).produce, Work().load)
    assert (partial / WORK_FILE).exists()
    made = run(KEY, out, Work().produce, Work().load)
    again = run(KEY, out, Work().produce, Work().load)
    assert 199 < made.work < 210
    assert again.work == made.work
    assert again.reused and again.seconds < 10
    assert not (out / WORK_FILE).exists()


def test_work_of_a_killed_run_that_left_nothing_does_not_count(tmp_path: Path) -> None:
    def killed(folder: Path) -> None:
        (folder / WORK_FILE).write_text("{")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(KEY, tmp_path / "out", Work(before=killed).produce, Work().load)
    assert run(KEY, tmp_path / "out", Work().produce, Work().load).work < 10


@pytest.mark.parametrize(
    "other",
    [
        OTHER,
        Key("distill", 1, KEY.parts),
        Key("prune", 2, KEY.parts),
        Key("prune", 1, KEY.parts, ("numpy",)),
    ],
)
def test_another_key_is_refused_and_the_result_stays(tmp_path: Path, other: Key) -> None:
    run(KEY, tmp_path / "out", Work("first").produce, Work().load)
    before, work = tree_digest(tmp_path / "out"), Work("second")
    with pytest.raises(BadInputError, match="already holds another result") as caught:
        run(other, tmp_path / "out", work.produce, work.load)
    assert "--overwrite" in caught.value.hint
    assert work.times == 0
    assert tree_digest(tmp_path / "out") == before


def test_overwrite_replaces_the_whole_result(tmp_path: Path) -> None:
    run(KEY, tmp_path / "out", Work(before=lambda folder: (folder / "extra").touch()).produce, Work().load)
    work = Work("second")
    outcome = run(OTHER, tmp_path / "out", work.produce, work.load, overwrite=True)
    assert (outcome.artifact, outcome.reused) == ("second", False)
    assert "extra" not in names(tmp_path / "out")
    assert names(tmp_path) <= {"out", ".out.lock"}


def test_overwrite_with_the_same_key_still_reuses(tmp_path: Path) -> None:
    work = Work()
    run(KEY, tmp_path / "out", work.produce, work.load)
    assert run(KEY, tmp_path / "out", work.produce, work.load, overwrite=True).reused


def test_a_folder_of_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("precious")
    work = Work()
    with pytest.raises(BadInputError, match="already holds other files"):
        run(KEY, tmp_path / "out", work.produce, work.load)
    assert (tmp_path / "out" / "thesis.txt").read_text() == "precious"
    assert work.times == 0


@pytest.mark.parametrize("folder", [".", "..", "/"])
def test_a_folder_without_a_name_is_refused(folder: str) -> None:
    with pytest.raises(BadInputError, match="a folder of its own"):
        run(KEY, Path(folder), Work().produce, Work().load)


def test_an_empty_folder_may_be_used(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert run(KEY, tmp_path / "out", Work().produce, Work().load).artifact == "result"


def break_off(folder: Path) -> None:
    (folder / "half.txt").write_text("half")
    (folder / KEPT_IN_PARTIAL).mkdir(exist_ok=True)
    (folder / KEPT_IN_PARTIAL / "epoch").write_text("2")
    raise KeyboardInterrupt


def test_a_break_leaves_no_result_and_keeps_an_older_one(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(KEY, tmp_path / "new", Work(before=break_off).produce, Work().load)
    assert not (tmp_path / "new").exists()
    run(KEY, tmp_path / "out", Work("first").produce, Work().load)
    with pytest.raises(KeyboardInterrupt):
        run(OTHER, tmp_path / "out", Work(before=break_off).produce, Work().load, overwrite=True)
    assert Work().load(tmp_path / "out") == "first"


@pytest.mark.parametrize(("key", "expected"), [(KEY, {KEPT_IN_PARTIAL}), (OTHER, set())])
def test_only_the_training_state_of_the_same_key_survives_a_break(tmp_path: Path, key: Key, expected: set[str]) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(KEY, tmp_path / "out", Work(before=break_off).produce, Work().load)
    seen: set[str] = set()
    work = Work(before=lambda folder: seen.update(names(folder) - {".key", WORK_FILE}))
    run(key, tmp_path / "out", work.produce, work.load)
    assert seen == expected
    assert "half.txt" not in names(tmp_path / "out")


def test_training_state_survives_any_number_of_breaks(tmp_path: Path) -> None:
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            run(KEY, tmp_path / "out", Work(before=break_off).produce, Work().load)
    assert (tmp_path / "out.partial" / KEPT_IN_PARTIAL / "epoch").read_text() == "2"


def test_a_kill_between_the_last_write_and_the_rename_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Work()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("edge_ptf.cache._replace", killed)
        run(KEY, tmp_path / "out", work.produce, work.load)
    assert not (tmp_path / "out").exists()
    assert run(KEY, tmp_path / "out", work.produce, work.load).artifact == "result"
    assert work.times == 1


def test_a_kill_between_the_two_renames_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(KEY, tmp_path / "out", Work("first").produce, Work().load)
    work, rename = Work("second"), Path.replace

    def killed(self: Path, target: Path) -> Path:
        if self.name == "out.partial":
            raise KeyboardInterrupt
        return rename(self, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "replace", killed)
        run(OTHER, tmp_path / "out", work.produce, work.load, overwrite=True)
    assert run(OTHER, tmp_path / "out", work.produce, work.load).artifact == "second"
    assert work.times == 1
    assert names(tmp_path) <= {"out", ".out.lock"}


def test_a_result_that_must_not_be_reused_is_made_again(tmp_path: Path) -> None:
    first, second = Work("invalid"), Work("valid")
    run(KEY, tmp_path / "out", first.produce, first.load, reusable=lambda artifact: artifact == "valid")
    again = run(KEY, tmp_path / "out", second.produce, second.load, reusable=lambda artifact: artifact == "valid")
    assert (again.artifact, again.reused, second.times) == ("valid", False, 1)
    third = run(KEY, tmp_path / "out", second.produce, second.load, reusable=lambda artifact: artifact == "valid")
    assert third.reused


def test_a_damaged_key_file_is_refused_not_trusted(tmp_path: Path) -> None:
    run(KEY, tmp_path / "out", Work().produce, Work().load)
    for content in ("", "[]", "null", '{"other": 1}', '"text"'):
        (tmp_path / "out" / KEY_FILE).write_text(content)
        with pytest.raises(BadInputError):
            run(KEY, tmp_path / "out", Work().produce, Work().load)


def test_the_lock_of_another_process_is_an_environment_fault_at_once(tmp_path: Path) -> None:
    program = (
        "import sys; from filelock import FileLock\n"
        "with FileLock(sys.argv[1]): print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / ".out.lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        work = Work()
        with pytest.raises(EnvironmentFault, match="another edge-ptf process works here"):
            run(KEY, tmp_path / "out", work.produce, work.load)
        assert work.times == 0
    finally:
        holder.communicate(b"")
    assert run(KEY, tmp_path / "out", Work().produce, Work().load).artifact == "result"


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that a process of another user can reach."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*")
def test_a_folder_without_permission_is_an_environment_fault(open_folder: Path) -> None:
    (open_folder / "locked").mkdir(mode=0o555)
    answer = open_folder / "answer"
    answer.touch()
    answer.chmod(0o666)
    child = os.fork()
    if child == 0:  # permissions do not bind root, so the work is done as somebody else
        try:
            if os.geteuid() == 0:
                os.setuid(65534)
            run(KEY, open_folder / "locked" / "out", Work().produce, Work().load)
        except EnvironmentFault as error:
            answer.write_text(error.message)
            os._exit(int(error.exit_code))
        finally:
            os._exit(99)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == ExitCode.ENVIRONMENT
    assert str(open_folder / "locked") in answer.read_text()
    assert "\n" not in answer.read_text()


def test_a_full_disk_names_the_file_and_says_that_work_is_kept(tmp_path: Path) -> None:
    def full(folder: Path) -> None:
        raise OSError(28, "No space left on device", str(folder / "model.onnx"))

    with pytest.raises(EnvironmentFault) as caught:
        run(KEY, tmp_path / "out", Work(before=full).produce, Work().load)
    assert caught.value.message.endswith("model.onnx: No space left on device")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "Free some space"),
        (errno.EDQUOT, "Free some space"),
        (errno.EACCES, "permissions"),
        (errno.EPERM, "permissions"),
        (errno.EROFS, "read-only"),
        (errno.ENOENT, "a folder that can hold files"),
        (errno.ENOTDIR, "a folder that can hold files"),
        (errno.ENAMETOOLONG, "a shorter name"),
        (errno.EIO, "check it"),
        (errno.ESTALE, "Check the disk"),
    ],
)
def test_the_advice_fits_the_error(number: int, advice: str) -> None:
    fault = environment_fault(OSError(number, os.strerror(number)), Path("out"))
    assert advice in fault.hint
    assert ("space" in fault.hint) == (number in (errno.ENOSPC, errno.EDQUOT))
    assert fault.message == f"out: {os.strerror(number)}"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
def test_a_folder_in_proc_is_not_said_to_be_full() -> None:
    with pytest.raises(EnvironmentFault) as caught:
        run(KEY, Path("/proc/nowhere/out"), Work().produce, Work().load)
    assert "space" not in caught.value.hint
    assert "a folder that can hold files" in caught.value.hint


# Damage


class Listener(Silent):
    """Keeps the lines that stay on the screen."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def flip(file: Path, bit: int = 0) -> None:
    """Changes one bit of a file, and nothing else that can be seen."""
    before, content = file.stat(), bytearray(file.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    file.write_bytes(content)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def nested(folder: Path) -> None:
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "weights.bin").write_bytes(bytes(range(256)) * 5000)  # longer than one block


@pytest.mark.parametrize("name", ["artifact.txt", "deep/er/weights.bin"])
@pytest.mark.parametrize(
    "damage", [flip, Path.unlink, lambda file: file.write_bytes(b"")], ids=["bit", "gone", "empty"]
)
def test_a_damaged_result_is_made_again_and_that_is_said(
    tmp_path: Path, name: str, damage: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    work, out, listener = Work(before=nested), tmp_path / "out", Listener()
    place = Place(out, listener)
    place.run(KEY, work.produce, work.load)
    assert place.run(KEY, work.produce, work.load).reused
    assert not listener.lines and not caplog.records
    damage(out / name)
    again = place.run(KEY, work.produce, work.load)
    assert (again.reused, again.artifact, work.times) == (False, "result", 2)
    (line,) = listener.lines
    assert line == f"{out / name}: damaged, not as the stage wrote it; the stage is made again"
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [line]
    assert place.run(KEY, work.produce, work.load).reused
    assert (out / "deep" / "er" / "weights.bin").stat().st_size == 256 * 5000


def test_the_last_bit_of_a_long_file_counts(tmp_path: Path) -> None:
    work = Work(before=nested)
    run(KEY, tmp_path / "out", work.produce, work.load)
    flip(tmp_path / "out" / "deep" / "er" / "weights.bin", 8 * 256 * 5000 - 1)
    assert not run(KEY, tmp_path / "out", work.produce, work.load).reused


@pytest.mark.parametrize("files", [None, [], {"artifact.txt": 5}, {"artifact.txt": "0" * 64}, {"../out": "x"}])
def test_a_result_without_right_checksums_is_made_again(tmp_path: Path, files: object) -> None:
    work, out = Work(), tmp_path / "out"
    run(KEY, out, work.produce, work.load)
    document = json.loads((out / KEY_FILE).read_text())
    (out / KEY_FILE).write_text(json.dumps({**document, "files": files}))
    assert not run(KEY, out, work.produce, work.load).reused
    assert run(KEY, out, work.produce, work.load).reused


def test_damage_between_the_last_write_and_the_rename_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    work = Work()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("edge_ptf.cache._replace", killed)
        run(KEY, tmp_path / "out", work.produce, work.load)
    flip(tmp_path / "out.partial" / "artifact.txt")
    assert run(KEY, tmp_path / "out", work.produce, work.load).artifact == "result"
    assert work.times == 2


def test_own_files_beside_a_result_do_no_harm(tmp_path: Path) -> None:
    work = Work()
    run(KEY, tmp_path / "out", work.produce, work.load)
    (tmp_path / "out" / "notes.txt").write_text("mine")
    assert run(KEY, tmp_path / "out", work.produce, work.load).reused
