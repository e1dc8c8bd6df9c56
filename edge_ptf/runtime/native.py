"""The C++ runner in this process, through its C interface (`cpp_runner/include/edge_ptf.h`)."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
from ctypes import POINTER, byref, c_char_p, c_double, c_float, c_int, c_int32, c_int64, c_size_t, c_uint32, c_void_p
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_ptf.errors import BadInputError, EdgePtfError, EnvironmentFault, ExitCode, PackageError, VerificationError
from edge_ptf.tasks.base import Prediction

ABI_VERSION = 1
LIBRARY_VARIABLE = "EDGE_PTF_RUNNER_LIBRARY"
FILE_NAMES = ("libedge_ptf_runner.so", "libedge_ptf_runner.dylib")
BUILT = Path(__file__).resolve().parents[2] / "build" / "runner-release"
"""Where `make runner` puts it, beside a source tree."""
SHOWN_CLASSES = 5
CLASSIFICATION = 1
OF_STATUS: dict[int, type[EdgePtfError]] = {
    ExitCode.BAD_INPUT: PackageError,
    ExitCode.FAIL: VerificationError,
    ExitCode.ENVIRONMENT: EnvironmentFault,
}


class Options(ctypes.Structure):
    """`edge_ptf_options`."""

    _fields_ = (
        ("struct_size", c_size_t),
        ("threads", c_int32),
        ("spinning", c_int32),
        ("arena", c_int32),
        ("check_digests", c_int32),
        ("affinity", c_char_p),
    )


class Entity(ctypes.Structure):
    """`edge_ptf_entity`."""

    _fields_ = (
        ("type", c_char_p),
        ("score", c_double),
        ("begin_byte", c_size_t),
        ("end_byte", c_size_t),
        ("begin_character", c_size_t),
        ("end_character", c_size_t),
        ("first_word", c_size_t),
        ("last_word", c_size_t),
    )


class Word(ctypes.Structure):
    """`edge_ptf_word`."""

    _fields_ = (("tag", c_char_p), ("score", c_double), ("begin_byte", c_size_t), ("end_byte", c_size_t))


class Timing(ctypes.Structure):
    """`edge_ptf_timing`, in nanoseconds."""

    _fields_ = (("tokenize", c_int64), ("engine", c_int64), ("decode", c_int64))


class Report(ctypes.Structure):
    """`edge_ptf_report`."""

    _fields_ = (
        ("struct_size", c_size_t),
        ("files", c_size_t),
        ("golden", c_size_t),
        ("largest_difference", c_double),
        ("tolerance", c_double),
        ("exact", c_int32),
        ("tokenized", c_int32),
    )


TEXTS = (c_void_p, c_char_p, c_size_t, c_char_p, c_size_t, c_void_p)
SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "abi_version": (c_uint32, ()),
    "version": (c_char_p, ()),
    "engine_version": (c_char_p, ()),
    "last_error": (c_char_p, ()),
    "options_init": (None, (POINTER(Options),)),
    "open": (c_int, (c_char_p, POINTER(Options), POINTER(c_void_p))),
    "open_memory": (c_int, (c_char_p, c_size_t, POINTER(Options), POINTER(c_void_p))),
    "close": (None, (c_void_p,)),
    "runner_kind": (c_int, (c_void_p,)),
    "runner_threads": (c_int, (c_void_p,)),
    "runner_has_tokenizer": (c_int, (c_void_p,)),
    "result_create": (c_int, (c_void_p, POINTER(c_void_p))),
    "result_destroy": (None, (c_void_p,)),
    "predict": (c_int, TEXTS),
    "tokenize": (c_int, TEXTS),
    "predict_ids": (c_int, (c_void_p, POINTER(c_int64), POINTER(c_int64), c_size_t, c_void_p)),
    "result_label": (c_char_p, (c_void_p,)),
    "result_score": (c_double, (c_void_p,)),
    "result_class": (c_char_p, (c_void_p, c_size_t, POINTER(c_double))),
    "result_word_count": (c_size_t, (c_void_p,)),
    "result_word": (c_int, (c_void_p, c_size_t, POINTER(Word))),
    "result_entity_count": (c_size_t, (c_void_p,)),
    "result_entity": (c_int, (c_void_p, c_size_t, POINTER(Entity))),
    "result_ids": (POINTER(c_int64), (c_void_p, POINTER(c_size_t))),
    "result_types": (POINTER(c_int64), (c_void_p, POINTER(c_size_t))),
    "result_logits": (POINTER(c_float), (c_void_p, POINTER(c_size_t), POINTER(c_size_t))),
    "result_timing": (Timing, (c_void_p,)),
    "selftest": (c_int, (c_void_p, POINTER(Report))),
    "verify": (c_int, (c_char_p, POINTER(Options), POINTER(Report))),
}


class Library:
    """The shared library, its functions by their names without the prefix."""

    def __init__(self, path: str) -> None:
        try:
            self._handle = ctypes.CDLL(path)
        except OSError as error:
            raise EnvironmentFault(f"{path}: the runner cannot be loaded ({error})") from None
        try:
            if (found := self._handle.edge_ptf_abi_version()) != ABI_VERSION:
                raise EnvironmentFault(f"{path}: ABI version {found} of the runner; this edge-ptf uses {ABI_VERSION}")
            for name, (result, arguments) in SIGNATURES.items():
                function = getattr(self._handle, f"edge_ptf_{name}")
                function.restype, function.argtypes = result, arguments
                setattr(self, name, function)
        except AttributeError as error:
            raise EnvironmentFault(
                f"{path}: not the runner of this edge-ptf ({error})", hint="Build it anew: make runner"
            ) from None
        self.path = Path(path)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)

    def check(self, status: int) -> None:
        """Raises what a status other than OK stands for."""
        if status != ExitCode.OK:
            message = self.last_error().decode(errors="replace")
            raise OF_STATUS.get(status, RuntimeError)(message)

    @property
    def title(self) -> str:
        """Name and version, as evidence has it."""
        return f"edge-ptf-runner {self.version().decode()}"

    @property
    def engine(self) -> tuple[str, str]:
        """Name and version of its engine."""
        name, _, version = self.engine_version().decode().partition(" ")
        return name, version


def find_library() -> Path | None:
    """Where the runner's library is: named by EDGE_PTF_RUNNER_LIBRARY, built in this source tree, or installed."""
    if named := os.environ.get(LIBRARY_VARIABLE):
        if not Path(named).exists():
            raise BadInputError(f"{LIBRARY_VARIABLE}: {named} does not exist", hint="Name the runner's shared library")
        return Path(named)
    built = next((BUILT / name for name in FILE_NAMES if (BUILT / name).exists()), None)
    installed = ctypes.util.find_library("edge_ptf_runner")
    return built or (Path(installed) if installed else None)


@cache
def load_library(path: str | None = None) -> Library:
    """The runner's library.

    Raises:
        EnvironmentFault: there is none, or it cannot be used.
    """
    found = path or find_library()
    if found is None:
        raise EnvironmentFault(
            "the C++ runner is not built here", hint=f"`make runner` builds it; or set {LIBRARY_VARIABLE}"
        )
    return Library(str(found))


@dataclass(frozen=True, slots=True)
class SelftestReport:
    """What `selftest` and `verify` of the runner found."""

    files: int
    golden: int
    largest_difference: float
    exact: bool
    tokenized: bool


class NativeRunner:
    """Text to answer, one text at a time, by the C++ runner; the answers have the form of `Runner`'s."""

    def __init__(
        self, path: Path, threads: int = 0, library: Library | None = None, *, check_digests: bool = True
    ) -> None:
        """Args:
        path: a package file or directory.
        threads: of one inference; 0: as the package says.
        library: None for the one that is found.
        check_digests: compare the sha256 of what is used.
        """
        self.library = library or load_library()
        options, self._runner, self._result = Options(), c_void_p(), c_void_p()
        self.library.options_init(byref(options))
        options.threads, options.check_digests = threads, check_digests
        self.library.check(self.library.open(os.fsencode(path), byref(options), byref(self._runner)))
        self.library.check(self.library.result_create(self._runner, byref(self._result)))
        self.classifies = self.library.runner_kind(self._runner) == CLASSIFICATION

    def __enter__(self) -> NativeRunner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Gives the package back; the runner cannot be used any more."""
        self.library.result_destroy(self._result)
        self.library.close(self._runner)
        self._result, self._runner = c_void_p(), c_void_p()

    def answer(self, text: str | bytes, text_pair: str | None = None) -> Prediction:
        """The label (or tags), its probability, and details."""
        self._call(self.library.predict, text, text_pair)
        return self._classes() if self.classifies else self._tags(text)

    def encode(self, text: str | bytes, text_pair: str | None = None) -> tuple[list[int], list[int]]:
        """Token ids and types, special tokens included."""
        self._call(self.library.tokenize, text, text_pair)
        return self._numbers(self.library.result_ids), self._numbers(self.library.result_types)

    def answer_ids(self, ids: list[int], types: list[int] | None = None) -> Prediction | None:
        """The answer to token ids; None for tags, which need the text. `logits` holds what the engine gave."""
        array, kinds = (None if each is None else (c_int64 * len(each))(*each) for each in (ids, types))
        self.library.check(self.library.predict_ids(self._runner, array, kinds, len(ids), self._result))
        return self._classes() if self.classifies else None

    @property
    def logits(self) -> NDArray[np.float32]:
        """Of the last answer: [classes] or [tokens, classes]."""
        rows, columns = c_size_t(), c_size_t()
        first = self.library.result_logits(self._result, byref(rows), byref(columns))
        found = np.ctypeslib.as_array(first, (rows.value, columns.value)).copy()
        return found[0] if self.classifies else found

    @property
    def timing(self) -> tuple[int, int, int]:
        """Nanoseconds that the last answer took to tokenize, in the engine, and to decode."""
        found = self.library.result_timing(self._result)
        return found.tokenize, found.engine, found.decode

    def selftest(self) -> SelftestReport:
        """Answers the golden vectors.

        Raises:
            VerificationError: one is answered otherwise.
        """
        report = Report(struct_size=ctypes.sizeof(Report))
        self.library.check(self.library.selftest(self._runner, byref(report)))
        return _report(report)

    def _call(self, function: Any, text: str | bytes, text_pair: str | None) -> None:
        first = text.encode() if isinstance(text, str) else text
        second = None if text_pair is None else text_pair.encode()
        self.library.check(function(self._runner, first, len(first), second, len(second or b""), self._result))

    def _numbers(self, function: Any) -> list[int]:
        count = c_size_t()
        found = function(self._result, byref(count))
        return list(found[: count.value])

    def _classes(self) -> Prediction:
        library, classes, score = self.library, [], c_double()
        for rank in range(SHOWN_CLASSES):
            label = library.result_class(self._result, rank, byref(score))
            if label is None:
                break
            classes.append({"label": label.decode(), "score": score.value})
        label = library.result_label(self._result).decode()
        return Prediction(label, library.result_score(self._result), {"classes": classes})

    def _tags(self, text: str | bytes) -> Prediction:
        library, word, entity = self.library, Word(), Entity()
        plain = text if isinstance(text, str) else text.decode(errors="replace")
        tags, entities = [], []
        for index in range(library.result_word_count(self._result)):
            library.check(library.result_word(self._result, index, byref(word)))
            tags.append(word.tag.decode())
        for index in range(library.result_entity_count(self._result)):
            library.check(library.result_entity(self._result, index, byref(entity)))
            start, end = entity.begin_character, entity.end_character
            entities.append(
                {
                    "type": entity.type.decode(),
                    "start": start,
                    "end": end,
                    "text": plain[start:end],
                    "score": entity.score,
                }
            )
        return Prediction(tuple(tags), library.result_score(self._result), {"entities": entities})


def verify_native(path: Path, library: Library | None = None) -> SelftestReport:
    """Every checksum, then the golden vectors, by the C++ runner.

    Raises:
        PackageError: no readable package.
        VerificationError: a file or an answer is not what the manifest says.
    """
    used, report = library or load_library(), Report(struct_size=ctypes.sizeof(Report))
    used.check(used.verify(os.fsencode(path), None, byref(report)))
    return _report(report)


def _report(report: Report) -> SelftestReport:
    return SelftestReport(
        report.files, report.golden, report.largest_difference, bool(report.exact), bool(report.tokenized)
    )
