from __future__ import annotations

import inspect

import pytest

from edge_ptf import errors
from edge_ptf.errors import BadInputError, EdgePtfError, ExitCode, MissingExtraError, near_matches

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, EdgePtfError)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_ends_with_a_code_that_is_not_success(kind: type[EdgePtfError]) -> None:
    assert kind.exit_code != ExitCode.OK
    assert kind is EdgePtfError or kind.exit_code != ExitCode.INTERNAL


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("ConfigError", 2),
        ("ProfileError", 2),
        ("DataError", 2),
        ("CheckpointError", 2),
        ("PackageError", 2),
        ("VerificationError", 3),
        ("ParityError", 3),
        ("EnvironmentFault", 5),
        ("MissingExtraError", 5),
    ],
)
def test_exit_codes_are_those_of_the_documentation(kind: str, code: int) -> None:
    assert int(getattr(errors, kind).exit_code) == code


def test_text_is_message_and_hint_on_one_line_then_one_line_a_problem() -> None:
    error = BadInputError("a.csv: 2 rows cannot be used", hint="Mend them", problems=["a.csv:3: empty", "a.csv:9: no"])
    assert str(error) == "a.csv: 2 rows cannot be used. Mend them\n  a.csv:3: empty\n  a.csv:9: no"
    assert str(BadInputError("only this")) == "only this"


def test_missing_extra_names_the_command_that_installs_it() -> None:
    assert 'pip install "edge-ptf[demo]"' in str(MissingExtraError("some-package", "demo", "--model minilm-l6"))


def test_near_matches_name_the_closest_first_and_then_all() -> None:
    hint = near_matches("distil", ["prune", "distill", "finetune"])
    assert hint == "Did you mean distill? (known: distill, finetune, prune)"


def test_names_without_a_near_match_keep_their_spelling() -> None:
    assert near_matches("zzz", ["B-LOC", "MiniLM"]) == "Known: B-LOC, MiniLM"


def test_near_matches_of_nothing_promise_nothing() -> None:
    assert near_matches("zzz", []) == ""
