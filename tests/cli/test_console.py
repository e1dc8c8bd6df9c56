"""No name and no text steers the terminal, and no password gets there."""

from __future__ import annotations

import ast
import io
import json
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

import edge_ptf
from edge_ptf.cli.console import (
    Bars,
    SafeConsole,
    SafeRecord,
    make_console,
    say,
    say_fields,
    say_json,
)
from edge_ptf.errors import BadInputError
from edge_ptf.escaping import escaped
from edge_ptf.report.terminal import headline

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\x7f\x00\u202egpj.exe\u2066\u2028x\ud800"
SHOWN = r"\x1b]0;owned\x07\x1b[2J\x9b31m\x7f\x00\u202egpj.exe\u2066\u2028x\ud800"
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029\ud800-\udfff]")
CLI = Path(edge_ptf.__file__).parent / "cli"


def printed(thing: Any, **options: Any) -> str:
    stream = io.StringIO()
    SafeConsole(file=stream, width=200, markup=False, emoji=False, highlight=False, **options).print(thing)
    return stream.getvalue()


def table(*cells: Any) -> Table:
    found = Table(title=f"title {HOSTILE}")
    for _ in cells:
        found.add_column(f"column {HOSTILE}")
    found.add_row(*cells)
    return found


@pytest.mark.parametrize(
    "thing",
    [HOSTILE, Text(HOSTILE), Text(HOSTILE, style="bold"), table(HOSTILE, Text(HOSTILE)), headline("x", {"a": HOSTILE})],
)
def test_control_characters_are_printed_as_text(thing: Any) -> None:
    said = printed(thing)
    assert not RAW.search(said)
    assert r"\x1b]0;owned" in said
    if isinstance(thing, str):
        assert SHOWN in said


def test_own_colours_stay() -> None:
    said = printed(Text(HOSTILE, style="bold"), force_terminal=True, color_system="standard")
    assert said.startswith("\x1b[1m")
    assert not RAW.search(said.replace("\x1b[1m", "").replace("\x1b[0m", ""))


@pytest.mark.parametrize("label", ["[red]x[/red]", "[bold]", "[/]", ":smile:", "[link=http://x]y[/link]"])
def test_markup_in_a_label_is_text(label: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stdout", stream)
    console = make_console()
    console.print(label)
    console.print(table(label))
    with Bars(console) as bars:
        bars.start(label, 2)
        bars.advance(note=label)
        bars.say(label)
        bars.finish()
    assert stream.getvalue().count(label) == 4


def test_a_live_bar_shows_names_as_they_are() -> None:
    stream = io.StringIO()
    console = SafeConsole(file=stream, width=200, markup=False, force_terminal=True, color_system=None)
    with Bars(console) as bars:
        bars.start(f"[red]{HOSTILE}", 2)
        bars.advance(note="[blue]note")
        bars.bars.refresh()
    said = stream.getvalue()
    assert f"[red]{SHOWN}" in said
    assert "[blue]note" in said
    assert "\x1b]0;" not in said and "\x9b" not in said


def test_a_password_is_masked_although_the_line_is_folded() -> None:
    stream = io.StringIO()
    narrow = SafeConsole(file=stream, width=20, markup=False)
    narrow.print("postgresql://somebody:s3cr3tpassword@host/database")
    narrow.print(table("postgresql://somebody:s3cr3tpassword@host/database"))
    assert "s3cr3t"[:3] not in stream.getvalue()


def test_lines_and_fields(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"{HOSTILE}\nsecond\tline postgresql://me:s3cr3t@db")
    say_fields("label\twith tab\n", "0.5", HOSTILE)
    first, second, third = capsys.readouterr().out.splitlines()
    assert (first, second) == (SHOWN, "second\tline postgresql://me:***@db")
    assert third == f"label\\x09with tab\\x0a\t0.5\t{SHOWN}"


@pytest.mark.parametrize("indent", [None, 2])
def test_json_reads_back_the_same(capsys: pytest.CaptureFixture[str], indent: int | None) -> None:
    value = {"text": f"a\n\t{HOSTILE}", HOSTILE: [HOSTILE, "é 😀 \u200d"], "url": "postgresql://me:s3cr3t@db"}
    say_json(value, indent)
    said = capsys.readouterr().out
    assert not RAW.search(said)
    assert json.loads(said) == value
    assert "é 😀 \u200d" in said


def test_an_error_begins_no_line_of_its_own() -> None:
    error = BadInputError(f"a\nedge-ptf: PASS {HOSTILE}", hint="b\nc", problems=["d\ne", "mysql://me:s3cr3t@db"])
    assert str(error).splitlines() == [
        f"a\\x0aedge-ptf: PASS {SHOWN}. b\\x0ac",
        "  d\\x0ae",
        "  mysql://me:***@db",
    ]


def test_log_messages_are_escaped_and_masked(caplog: pytest.LogCaptureFixture) -> None:
    before = logging.getLogRecordFactory()
    logging.setLogRecordFactory(SafeRecord)
    try:
        logging.getLogger("some.library").error("%s at %s", HOSTILE, "postgresql://me:s3cr3t@db")
    finally:
        logging.setLogRecordFactory(before)
    assert caplog.messages == [f"{SHOWN} at postgresql://me:***@db"]


def test_escaping_twice_is_escaping_once_and_plain_text_stays() -> None:
    assert escaped(escaped(HOSTILE)) == escaped(HOSTILE) == SHOWN
    for text in ("plain", "é 😀 👩\u200d💻", "back\\slash", "שלום", "نعم\u200cها"):
        assert escaped(text) == text


def test_every_command_prints_through_the_console() -> None:
    """`print`, `click.echo`, `sys.stdout.write` and a console of rich's own would print names as they are."""
    for path in (*CLI.glob("*.py"), *(CLI.parent / "report").glob("*.py")):
        if path.name == "console.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                assert name not in ("print", "click.echo", "click.secho", "Console", "sys.stdout.write"), path
    assert issubclass(type(make_console()), Console)


def test_files_and_labels_of_a_user_reach_the_terminal_escaped(run: Callable[..., Any], tmp_path: Path) -> None:
    evil = f"no\x1b[2Jsuch\u202e{HOSTILE.replace(chr(0), '').replace(chr(0xD800), '')}"
    for arguments in (
        ("inspect", evil),
        ("compress", "--profile", evil),
        ("verify", evil),
        ("profiles", "validate", evil),
        ("compress", "--set", evil),
        (evil,),
        ("compress", f"--{evil}"),
        ("report", evil),
        ("compress", "--task", evil),
    ):
        done = run(*arguments)
        assert done.returncode == 2, arguments
        assert done.stderr.strip()
        assert not RAW.search(done.stdout + done.stderr), (arguments, done.stderr)


def test_a_password_of_the_storage_is_shown_nowhere(
    run: Callable[..., Any], tiny_base: Callable[[str], Path], csv_data: Path, tmp_path: Path
) -> None:
    url = "postgresql://me:s3cr3t@db/search"
    job = ("--profile", "x86-generic", "--model", tiny_base("bert"), "--data", csv_data)
    job = (*job, "--task", "text-classification", "--out", "out")
    dry = run("compress", *job, "--set", f"search.storage={url}", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "postgresql://me:***@db/search" in dry.stdout
    for setting in (
        f"search.trials={url}",
        f"search={url}",
        f"nothing.storage={url}",
        f"search.storage.deep={url}",
        url,
    ):
        wrong = run("compress", *job, "--set", setting, "--dry-run")
        assert wrong.returncode == 2
        assert "s3cr3t" not in dry.stdout + wrong.stdout + wrong.stderr, setting
    (tmp_path / "edge-ptf.yaml").write_text(f"search:\n  trials: {url}\n")
    assert "s3cr3t" not in run("compress", *job, "--dry-run").stderr
    for device in ("ssh://pi:s3cr3t@kitchen", "ssh://pi:s3cr3t@x@kitchen", "ssh://pi:s3cr3t@"):
        probed = run("devices", "probe", device)
        assert probed.returncode == 2
        assert "s3cr3t" not in probed.stdout + probed.stderr
