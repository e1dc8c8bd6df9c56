"""Whether the tables of a package can be read, and give the tokens of the golden vectors."""

from __future__ import annotations

from collections.abc import Sequence

from edge_ptf import tasks
from edge_ptf.errors import PackageError, VerificationError
from edge_ptf.package.golden import GoldenCase
from edge_ptf.package.payload import Payload
from edge_ptf.package.tokenizers import KINDS


def check_tables(payload: Payload, cases: Sequence[GoldenCase]) -> None:
    """Reads the tables as the C++ runner does; a package without tables passes.

    Raises:
        PackageError: they are damaged, or of a kind that is not known here.
        VerificationError: they give other tokens.
    """
    entry = payload.manifest.tokenizer
    if entry.tables is None:
        return
    place = f"{payload.path}: '{entry.tables}'"
    kind = KINDS.get(entry.kind or "")
    if kind is None:
        raise PackageError(f"{place} is of the kind '{entry.kind}'; this edge-ptf reads {', '.join(KINDS)}")
    content = payload.read(entry.tables)
    if gap := kind.gap(content):
        raise PackageError(f"{place} is no tables of a tokenizer ({gap})")
    tables = kind.reference(content)
    stride = tasks.create(payload.manifest.head).head.stride
    for number, case in enumerate(cases, 1):
        try:
            if stride is not None:
                ids, types, lengths = tables.windows(case.text, case.text_pair or "", entry.max_length, stride)
                if (ids, lengths) != (case.input_ids, case.windows) or case.token_type_ids not in (None, types):
                    raise VerificationError(f"{place} gives other tokens for golden text {number}")
                continue
            whole = len(tables.encode(case.text, case.text_pair)[0])
            found = tables.encode(case.text, case.text_pair, entry.max_length, entry.truncation_side)
        except VerificationError:
            raise
        except Exception as error:  # damaged tables lead anywhere
            raise PackageError(f"{place} is damaged ({type(error).__name__} at golden text {number})") from None
        if whole > entry.max_length and case.text_pair is not None and entry.truncation != "longest_first":
            continue  # the reference truncates the longer text only
        if found[0] != case.input_ids or case.token_type_ids not in (None, found[1]):
            raise VerificationError(f"{place} gives other tokens for golden text {number}")
