"""`edge-ptf devices probe`."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from edge_ptf import profiles
from edge_ptf.machine import this_machine


def test_probe_shows_this_machine_and_what_fits(run: Callable) -> None:
    done = run("devices", "probe")
    assert done.returncode == 0, done.stderr
    assert this_machine().cpu in done.stdout
    assert profiles.for_machine(this_machine()).name in done.stdout


def test_probe_as_json_is_all_of_it(run: Callable) -> None:
    done = run("devices", "probe", "local", "--json")
    found = json.loads(done.stdout)
    assert found["machine"]["arch"] == this_machine().arch
    assert found["profiles"][0] == profiles.for_machine(this_machine()).name
    assert found["device"] == "local"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("toaster",), 2, "'toaster' names no device. Allowed: local, ssh://"),
        (("ssh://127.0.0.1:1",), 5, "ssh://127.0.0.1:1 cannot be reached"),
        (("ssh://h", "--ssh-option", "x"), 2, "--ssh-option x: not KEYWORD=VALUE"),
    ],
)
def test_what_does_not_work_is_one_line(run: Callable, arguments: tuple[str, ...], code: int, message: str) -> None:
    done = run("devices", "probe", *arguments)
    assert done.returncode == code
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
