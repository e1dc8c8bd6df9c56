from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_ptf.digests import bytes_digest, canonical_json, file_digest, tree_digest, value_digest

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text("aé€ 😀\n"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abé", max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text("abcé", max_size=4), json_values, max_size=5))
def test_the_order_of_keys_does_not_count(value: dict[str, object]) -> None:
    assert value_digest(value) == value_digest(dict(reversed(value.items())))


def test_different_values_differ() -> None:
    values = [1, "1", [1], [[1]], {"1": 1}, True, None, "", [], {}, 1.5, ["a", "b"], ["ab"], "é", "e"]
    assert len({value_digest(value) for value in values}) == len(values)


def test_not_a_number_has_no_digest() -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"loss": float("nan")})


def test_text_is_hashed_as_utf8_without_spare_white_space() -> None:
    assert canonical_json({"b": [1, 2], "a": "é"}) == '{"a":"é","b":[1,2]}'.encode()


def test_file_digest_is_sha256_across_block_boundaries(tmp_path: Path) -> None:
    for size in (0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1):
        data = os.urandom(1) * size
        path = tmp_path / "data"
        path.write_bytes(data)
        assert file_digest(path) == hashlib.sha256(data).hexdigest() == bytes_digest(data)


def grown(folder: Path) -> Path:
    (folder / "sub").mkdir(parents=True)
    (folder / "a").write_bytes(b"1")
    (folder / "sub" / "b").write_bytes(b"2")
    return folder


def test_tree_digest_does_not_depend_on_place_time_mode_or_hidden_files(tmp_path: Path) -> None:
    first, second = grown(tmp_path / "one"), grown(tmp_path / ".hidden" / "two")
    os.utime(second / "a", (1, 1))
    (second / "a").chmod(0o600)
    (second / ".stage.json").write_text("{}")
    (second / ".training").mkdir()
    (second / ".training" / "state").write_text("x")
    assert tree_digest(first) == tree_digest(second)


@pytest.mark.parametrize("change", ["content", "name", "new", "gone", "moved"])
def test_tree_digest_changes_with_content_and_names(tmp_path: Path, change: str) -> None:
    folder = grown(tmp_path / "one")
    before = tree_digest(folder)
    if change == "content":
        (folder / "sub" / "b").write_bytes(b"3")
    elif change == "name":
        (folder / "a").rename(folder / "c")
    elif change == "new":
        (folder / "empty").touch()
    elif change == "gone":
        (folder / "a").unlink()
    else:
        (folder / "sub" / "b").rename(folder / "b")
    assert tree_digest(folder) != before
