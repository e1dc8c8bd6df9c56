from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_ptf.credentials import masked, masked_url, masked_values

SECRET = "s3cr3t"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://me:s3cr3t@db/search", "postgresql://me:***@db/search"),
        ("postgresql+psycopg2://me:s3cr3t@db:5432/a?b=c", "postgresql+psycopg2://me:***@db:5432/a?b=c"),
        ("mysql://me:s3cr3t/@x@db/a", "mysql://me:***@db/a"),
        ("redis://:s3cr3t@db/0", "redis://:***@db/0"),
        ("ssh://pi:s3cr3t@kitchen", "ssh://pi:***@kitchen"),
        ("postgresql://db/a?user=me&password=s3cr3t&x=1", "postgresql://db/a?user=me&password=***&x=1"),
        ("host=db user=me password=s3cr3t", "host=db user=me password=***"),
        ("https://x/y?access_token=s3cr3t#z", "https://x/y?access_token=***#z"),
        ("storage postgresql://me:s3cr3t@db: cannot be used", "storage postgresql://me:***@db: cannot be used"),
        ("token hf_s3cr3tAbCdEfGh is wrong", "token hf_*** is wrong"),
        ("(given: 'mysql://me:s3cr3t@db')", "(given: 'mysql://me:***@db')"),
    ],
)
def test_passwords_and_tokens_are_masked_wherever_they_stand(text: str, shown: str) -> None:
    assert masked(text) == shown
    assert masked(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sqlite:///search.db",
        "ssh://pi@kitchen:22",
        "https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2",
        "http://localhost:8080/path",
        "write to me@example.org",
        "12:30 @ home",
        "edge-ptf compress --out build/",
        "password reset",
        "tokens: 12",
    ],
)
def test_what_holds_no_secret_stays(text: str) -> None:
    assert masked(text) == masked_url(text) == text


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12))
def test_no_password_of_a_storage_survives(password: str) -> None:
    whole = f"<{password}>{SECRET}"
    shown = masked_url(f"postgresql://me:{whole}@db/search")
    assert shown == "postgresql://me:***@db/search"


def test_sqlalchemy_reads_the_same_password() -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    for password in ("s3cr3t", "a:b", "a/b", "p%40w", "a?b"):
        url = f"postgresql://me:{password}@db/search"
        assert sqlalchemy.make_url(url).render_as_string(hide_password=True) == masked_url(url)


def test_values_are_masked_at_any_depth() -> None:
    value = {"a": ["postgresql://me:s3cr3t@db", {"b": ("hf_s3cr3tAbCdEfGh", 1, None, 1.5, True)}], "c": "x"}
    assert json.loads(json.dumps(masked_values(value))) == {
        "a": ["postgresql://me:***@db", {"b": ["hf_***", 1, None, 1.5, True]}],
        "c": "x",
    }
