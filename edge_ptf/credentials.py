"""Passwords and tokens: they stand in no file that edge-ptf writes and on no screen."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MASK = "***"
SCHEME = r"[A-Za-z][A-Za-z0-9+.-]*://"
IN_TEXT = re.compile(rf"({SCHEME}[^\s:/@]*):[^\s]*@")
WHOLE_URL = re.compile(rf"({SCHEME}[^:/@]*):.*@", re.DOTALL)
"""A password of a URL may hold any character, an unescaped @ or / too; it ends before the last @."""
PARAMETER = re.compile(
    r"((?:^|[?&;\s])[\w.-]*(?:password|passwd|pwd|secret|token|api_?key|access_?key|credential)s?=)[^\s&;#'\"]+",
    re.IGNORECASE,
)
TOKEN = re.compile(r"\b(hf_|api_org_|gh[pousr]_|github_pat_|glpat-)[A-Za-z0-9_-]{8,}")
"""Of model and code hubs."""


def masked(text: str) -> str:
    """`text` with `***` for each password in a URL, each secret parameter and each token of a hub."""
    return TOKEN.sub(rf"\1{MASK}", PARAMETER.sub(rf"\1{MASK}", IN_TEXT.sub(rf"\1:{MASK}@", text)))


def masked_url(url: str) -> str:
    """`masked` for a text that is one URL and nothing else."""
    return masked(WHOLE_URL.sub(rf"\1:{MASK}@", url, count=1) if WHOLE_URL.match(url) else url)


def masked_values(value: Any) -> Any:
    """A JSON-like value with `masked_url` of every text in it, keys left alone."""
    if isinstance(value, str):
        return masked_url(value)
    if isinstance(value, Mapping):
        return {name: masked_values(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [masked_values(each) for each in value]
    return value
