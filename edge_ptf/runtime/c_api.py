"""The structures and signatures of the C++ runner's interface (`cpp_runner/include/edge_ptf.h`) for ctypes."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from ctypes import POINTER, c_char_p, c_double, c_float, c_int, c_int32, c_int64, c_size_t, c_uint32, c_void_p
from typing import Any, ClassVar

ABI_VERSION = 2
ANSWERS, SCORES, WORDS, RELATIONS = range(4)
"""`edge_ptf_list`."""
OUT_OF_SCOPE, BY_THRESHOLD, NUMBER = 1, 4, 8
"""Of `edge_ptf_flag`."""


class Sized(ctypes.Structure):
    """Base of the structures: `struct_size` comes first and is set here."""

    _fields_: ClassVar[Sequence[tuple[str, Any]]] = (("struct_size", c_size_t),)

    def __init__(self) -> None:
        super().__init__(ctypes.sizeof(self))


class Options(Sized):
    """`edge_ptf_options`."""

    _fields_ = (
        ("threads", c_int32),
        ("spinning", c_int32),
        ("arena", c_int32),
        ("check_digests", c_int32),
        ("affinity", c_char_p),
        ("deadline_ms", c_int32),
        ("provider", c_char_p),
        ("provider_library", c_char_p),
        ("cache_folder", c_char_p),
        ("engine_folder", c_char_p),
        ("cuda_graphs", c_int32),
    )


class Head(Sized):
    """`edge_ptf_head`."""

    _fields_ = (("name", c_char_p), ("task", c_char_p), ("kind", c_char_p), ("label_count", c_size_t))


class Item(Sized):
    """`edge_ptf_item`."""

    _fields_ = (
        ("label", c_char_p),
        ("score", c_double),
        ("flags", c_uint32),
        ("begin_byte", c_size_t),
        ("end_byte", c_size_t),
        ("begin_character", c_size_t),
        ("end_character", c_size_t),
        ("first_word", c_size_t),
        ("last_word", c_size_t),
        ("subject", c_size_t),
        ("object", c_size_t),
    )


class Tensor(Sized):
    """`edge_ptf_tensor`."""

    _fields_ = (("values", POINTER(c_float)), ("shape", POINTER(c_size_t)), ("rank", c_size_t))


class Timing(Sized):
    """`edge_ptf_timing`, in nanoseconds."""

    _fields_ = (("tokenize", c_int64), ("engine", c_int64), ("decode", c_int64))


class Report(Sized):
    """`edge_ptf_report`."""

    _fields_ = (
        ("files", c_size_t),
        ("golden", c_size_t),
        ("largest_difference", c_double),
        ("tolerance", c_double),
        ("exact", c_int32),
        ("tokenized", c_int32),
    )


TEXTS = (c_void_p, c_char_p, c_size_t, c_char_p, c_size_t)
SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "abi_version": (c_uint32, ()),
    "version": (c_char_p, ()),
    "engine_version": (c_char_p, ()),
    "last_error": (c_char_p, ()),
    "open": (c_int, (c_char_p, POINTER(Options), POINTER(c_void_p))),
    "open_memory": (c_int, (c_char_p, c_size_t, POINTER(Options), POINTER(c_void_p))),
    "close": (None, (c_void_p,)),
    "runner_manifest": (c_char_p, (c_void_p,)),
    "runner_threads": (c_int, (c_void_p,)),
    "runner_has_tokenizer": (c_int, (c_void_p,)),
    "runner_head_count": (c_size_t, (c_void_p,)),
    "runner_head": (c_int, (c_void_p, c_size_t, POINTER(Head))),
    "runner_label": (c_char_p, (c_void_p, c_size_t, c_size_t)),
    "add_class": (c_int, (c_void_p, c_char_p, POINTER(c_char_p), c_size_t)),
    "result_create": (c_int, (c_void_p, POINTER(c_void_p))),
    "result_destroy": (None, (c_void_p,)),
    "predict": (c_int, TEXTS),
    "tokenize": (c_int, TEXTS),
    "predict_ids": (c_int, (c_void_p, POINTER(c_int64), POINTER(c_int64), c_size_t)),
    "result_score": (c_double, (c_void_p, c_size_t)),
    "result_count": (c_size_t, (c_void_p, c_size_t, c_int)),
    "result_item": (c_int, (c_void_p, c_size_t, c_int, c_size_t, POINTER(Item))),
    "result_tensor": (c_int, (c_void_p, c_size_t, c_char_p, POINTER(Tensor))),
    "result_vector": (POINTER(c_float), (c_void_p, c_size_t, c_size_t, POINTER(c_size_t))),
    "result_ids": (POINTER(c_int64), (c_void_p, POINTER(c_size_t))),
    "result_types": (POINTER(c_int64), (c_void_p, POINTER(c_size_t))),
    "result_timing": (c_int, (c_void_p, POINTER(Timing))),
    "selftest": (c_int, (c_void_p, POINTER(Report))),
    "verify": (c_int, (c_char_p, POINTER(Options), POINTER(Report))),
}
