"""The C++ runner in this process, through its C API (`cpp_runner/include/edge_ptf.h`)."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
from collections.abc import Callable, Iterator, Sequence
from ctypes import POINTER, byref, c_char_p, c_double, c_float, c_int, c_int32, c_int64, c_size_t, c_uint32, c_void_p
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edge_ptf.errors import BadInputError, EdgePtfError, EnvironmentFault, ExitCode, PackageError, VerificationError
from edge_ptf.examples import Prediction

ABI_VERSION = 2
LIBRARY_VARIABLE = "EDGE_PTF_RUNNER_LIBRARY"
FILE_NAMES = ("libedge_ptf_runner.so", "libedge_ptf_runner.dylib")
BUILT = Path(__file__).resolve().parents[2] / "build" / "runner-release"
"""Where `make runner` puts the library in a source tree."""
SHOWN_CLASSES = 5
ANSWERS, SCORES, WORDS = range(3)
"""`edge_ptf_list`."""
OF_STATUS: dict[int, type[EdgePtfError]] = {
    ExitCode.BAD_INPUT: PackageError,
    ExitCode.FAIL: VerificationError,
    ExitCode.ENVIRONMENT: EnvironmentFault,
}


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
    "runner_threads": (c_int, (c_void_p,)),
    "runner_has_tokenizer": (c_int, (c_void_p,)),
    "runner_head_count": (c_size_t, (c_void_p,)),
    "runner_head": (c_int, (c_void_p, c_size_t, POINTER(Head))),
    "runner_label": (c_char_p, (c_void_p, c_size_t, c_size_t)),
    "result_create": (c_int, (c_void_p, POINTER(c_void_p))),
    "result_destroy": (None, (c_void_p,)),
    "predict": (c_int, TEXTS),
    "tokenize": (c_int, TEXTS),
    "predict_ids": (c_int, (c_void_p, POINTER(c_int64), POINTER(c_int64), c_size_t)),
    "result_score": (c_double, (c_void_p, c_size_t)),
    "result_count": (c_size_t, (c_void_p, c_size_t, c_int)),
    "result_item": (c_int, (c_void_p, c_size_t, c_int, c_size_t, POINTER(Item))),
    "result_tensor": (c_int, (c_void_p, c_size_t, c_char_p, POINTER(Tensor))),
    "result_ids": (POINTER(c_int64), (c_void_p, POINTER(c_size_t))),
    "result_types": (POINTER(c_int64), (c_void_p, POINTER(c_size_t))),
    "result_timing": (c_int, (c_void_p, POINTER(Timing))),
    "selftest": (c_int, (c_void_p, POINTER(Report))),
    "verify": (c_int, (c_char_p, POINTER(Options), POINTER(Report))),
}


class Library:
    """The shared library. Its functions are attributes, named without the prefix."""

    def __init__(self, path: str) -> None:
        try:
            self._handle = ctypes.CDLL(path)
        except OSError as error:
            raise EnvironmentFault(f"{path}: the runner cannot be loaded ({error})") from None
        try:
            if (found := self._handle.edge_ptf_abi_version()) != ABI_VERSION:
                raise EnvironmentFault(
                    f"{path}: the runner has ABI version {found}; this edge-ptf uses {ABI_VERSION}",
                    hint="Build it again: make runner",
                )
            for name, (result, arguments) in SIGNATURES.items():
                function = getattr(self._handle, f"edge_ptf_{name}")
                function.restype, function.argtypes = result, arguments
                setattr(self, name, function)
        except AttributeError as error:
            raise EnvironmentFault(
                f"{path}: not the runner of this edge-ptf ({error})", hint="Build it again: make runner"
            ) from None
        self.path = Path(path)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)

    def check(self, status: int) -> None:
        """Raises the error that belongs to a status other than OK."""
        if status != ExitCode.OK:
            message = self.last_error().decode(errors="replace")
            raise OF_STATUS.get(status, RuntimeError)(message)

    @property
    def title(self) -> str:
        """Name and version, for evidence."""
        return f"edge-ptf-runner {self.version().decode()}"

    @property
    def engine(self) -> tuple[str, str]:
        """Name and version of its first engine."""
        name, _, version = self.engine_version().decode().partition(",")[0].partition(" ")
        return name, version


def find_library() -> Path | None:
    """The runner's library: named by EDGE_PTF_RUNNER_LIBRARY, built in this source tree, or installed."""
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
    """The result of `selftest` and `verify` of the runner."""

    files: int
    golden: int
    largest_difference: float
    exact: bool
    tokenized: bool


@dataclass(frozen=True, slots=True)
class NativeHead:
    """A head of a package."""

    name: str
    task: str
    kind: str
    labels: tuple[str, ...]


class NativeRunner:
    """Text to answer, one text at a time, by the C++ runner; the answers have the form of `Runner`'s."""

    def __init__(
        self, path: Path, threads: int = 0, library: Library | None = None, *, check_digests: bool = True
    ) -> None:
        """Args:
        path: a package file or directory.
        threads: of one inference; 0: as the package says.
        library: None: the one that `load_library` finds.
        check_digests: compare the sha256 of every file that is used.
        """
        self.library = library or load_library()
        options, self._runner, self._result = Options(), c_void_p(), c_void_p()
        options.threads, options.check_digests = threads, check_digests
        self.library.check(self.library.open(os.fsencode(path), byref(options), byref(self._runner)))
        self.library.check(self.library.result_create(self._runner, byref(self._result)))
        count = self.library.runner_head_count(self._runner)
        self.heads = tuple(self._head(index) for index in range(count))

    def __enter__(self) -> NativeRunner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the package; the runner cannot be used any more."""
        self.library.result_destroy(self._result)
        self.library.close(self._runner)
        self._result, self._runner = c_void_p(), c_void_p()

    def answer(self, text: str | bytes, text_pair: str | None = None) -> Prediction:
        """The answer of the first head: its label (or tags), its probability, and details."""
        return self.answers(text, text_pair)[0]

    def answers(self, text: str | bytes, text_pair: str | None = None) -> list[Prediction]:
        """The answer of every head, from one pass through the graph."""
        self._call(self.library.predict, text, text_pair)
        plain = text if isinstance(text, str) else text.decode(errors="replace")
        return [self._prediction(index, plain) for index in range(len(self.heads))]

    def encode(self, text: str | bytes, text_pair: str | None = None) -> tuple[list[int], list[int]]:
        """Token ids and types, special tokens included."""
        self._call(self.library.tokenize, text, text_pair)
        return self._numbers(self.library.result_ids), self._numbers(self.library.result_types)

    def answer_ids(self, ids: list[int], types: list[int] | None = None) -> Prediction | None:
        """The answer of the first head to token ids; None if it needs the text. `output` has the values in both cases.

        Raises:
            BadInputError: there are not as many types as ids.
        """
        if types is not None and len(types) != len(ids):
            raise BadInputError(f"{len(types)} token types for {len(ids)} token ids")
        array, kinds = (None if each is None else (c_int64 * len(each))(*each) for each in (ids, types))
        self.library.check(self.library.predict_ids(self._result, array, kinds, len(ids)))
        answered = any(self.library.result_count(self._result, 0, each) for each in (ANSWERS, SCORES))
        return self._prediction(0, "") if answered else None

    def output(self, role: str = "logits", head: int = 0) -> NDArray[np.float32]:
        """An output of the last answer without the batch axis: [label], or [token, label]."""
        tensor = Tensor()
        self.library.check(self.library.result_tensor(self._result, head, role.encode(), byref(tensor)))
        return np.ctypeslib.as_array(tensor.values, tuple(tensor.shape[: tensor.rank])).copy()

    @property
    def logits(self) -> NDArray[np.float32]:
        """The logits of the first head for the last answer."""
        return self.output()

    @property
    def timing(self) -> tuple[int, int, int]:
        """Nanoseconds of the last answer: to tokenize, in the engine, to decode."""
        found = Timing()
        self.library.check(self.library.result_timing(self._result, byref(found)))
        return found.tokenize, found.engine, found.decode

    def selftest(self) -> SelftestReport:
        """Answers the golden vectors.

        Raises:
            VerificationError: an answer differs.
        """
        report = Report()
        self.library.check(self.library.selftest(self._runner, byref(report)))
        return _report(report)

    def _head(self, index: int) -> NativeHead:
        found = Head()
        self.library.check(self.library.runner_head(self._runner, index, byref(found)))
        labels = (self.library.runner_label(self._runner, index, number) for number in range(found.label_count))
        name, task, kind = (each.decode() for each in (found.name, found.task, found.kind))
        return NativeHead(name, task, kind, tuple(label.decode() for label in labels))

    def _call(self, function: Any, text: str | bytes, text_pair: str | None) -> None:
        first = text.encode() if isinstance(text, str) else text
        second = None if text_pair is None else text_pair.encode()
        self.library.check(function(self._result, first, len(first), second, len(second or b"")))

    def _numbers(self, function: Any) -> list[int]:
        count = c_size_t()
        found = function(self._result, byref(count))
        return list(found[: count.value])

    def _items(self, head: int, kind: int, most: int | None = None) -> Iterator[Item]:
        """One object for all items: read it before the next one."""
        item, count = Item(), self.library.result_count(self._result, head, kind)
        for index in range(count if most is None else min(count, most)):
            self.library.check(self.library.result_item(self._result, head, kind, index, byref(item)))
            yield item

    def _prediction(self, head: int, text: str) -> Prediction:
        return PREDICTIONS.get(self.heads[head].kind, _labels)(self, head, text)


def _text(runner: NativeRunner, head: int, text: str) -> Prediction:
    classes = [
        {"label": item.label.decode(), "score": item.score} for item in runner._items(head, SCORES, SHOWN_CLASSES)
    ]
    label = next(runner._items(head, ANSWERS)).label.decode()
    return Prediction(label, runner.library.result_score(runner._result, head), {"classes": classes})


def _tokens(runner: NativeRunner, head: int, text: str) -> Prediction:
    entities = [
        {
            "type": item.label.decode(),
            "start": item.begin_character,
            "end": item.end_character,
            "text": text[item.begin_character : item.end_character],
            "score": item.score,
        }
        for item in runner._items(head, ANSWERS)
    ]
    tags = tuple(item.label.decode() for item in runner._items(head, WORDS))
    return Prediction(tags, runner.library.result_score(runner._result, head), {"entities": entities})


def _labels(runner: NativeRunner, head: int, text: str) -> Prediction:
    """Any other kind: the labels of its answers."""
    labels = tuple(item.label.decode() for item in runner._items(head, ANSWERS))
    return Prediction(labels, runner.library.result_score(runner._result, head), {})


PREDICTIONS: dict[str, Callable[[NativeRunner, int, str], Prediction]] = {"text": _text, "token": _tokens}
"""The form of `Runner`'s answers, by the kind of a head."""


def verify_native(path: Path, library: Library | None = None) -> SelftestReport:
    """Checks every checksum, then the golden vectors, with the C++ runner.

    Raises:
        PackageError: not a readable package.
        VerificationError: a file or an answer differs from the manifest.
    """
    used, report = library or load_library(), Report()
    used.check(used.verify(os.fsencode(path), None, byref(report)))
    return _report(report)


def _report(report: Report) -> SelftestReport:
    return SelftestReport(
        report.files, report.golden, report.largest_difference, bool(report.exact), bool(report.tokenized)
    )
