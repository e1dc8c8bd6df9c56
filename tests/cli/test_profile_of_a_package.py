"""Which profile judges a package that comes without --profile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edge_ptf import profiles
from edge_ptf.api.judging import judged
from edge_ptf.api.settings import Settings
from edge_ptf.errors import BadInputError
from edge_ptf.package import AssembleConfig, Payload, assemble, open_payload, seal
from edge_ptf.profiles import Profile

MakePayload = Callable[..., Payload]


@pytest.fixture
def made_for(make_graph: Callable, tiny_labelled: Callable, tmp_path: Path) -> Callable[[Profile | None], Payload]:
    """A package that was made for a profile."""

    def make(profile: Profile | None) -> Payload:
        return assemble(make_graph(), tiny_labelled(), AssembleConfig(), tmp_path / "made", profile=profile)

    return make


def judge_of(payload: Payload, **flags: str) -> str:
    return judged(payload, [], Settings(None, (), flags)).profile


def test_the_profile_is_that_of_the_package_unless_another_is_named(
    made_for: Callable[[Profile | None], Payload], tmp_path: Path
) -> None:
    payload = made_for(profiles.load("raspberry-pi-5"))
    assert payload.manifest.profile == "raspberry-pi-5"
    assert judge_of(payload) == "raspberry-pi-5"
    assert judge_of(payload, profile="x86-vnni") == "x86-vnni"


def test_a_sealed_package_without_a_profile_has_that_of_its_verdict(
    made_for: Callable[[Profile | None], Payload], tmp_path: Path
) -> None:
    payload = made_for(None)
    with pytest.raises(BadInputError, match="--profile is missing"):
        judge_of(payload)
    verdict = judged(payload, [], Settings(None, (), {"profile": "jetson"}))
    assert judge_of(open_payload(seal(payload, [], verdict, tmp_path / "sealed.eptf").path)) == "jetson"


def test_a_profile_of_ones_own_must_be_named(made_for: Callable[[Profile | None], Payload]) -> None:
    payload = made_for(profiles.load("jetson").replace(name="my-board"))
    with pytest.raises(BadInputError, match="'my-board', which is not a shipped one"):
        judge_of(payload)
