"""The C++ runner in this process, through its C API (`cpp_runner/include/edge_ptf.h`)."""

from __future__ import annotations

import ctypes
import ctypes.util
import json
import operator
import os
import threading
from collections.abc import Mapping, Sequence
from ctypes import byref, c_char_p, c_void_p
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_ptf.errors import BadInputError, EdgePtfError, EnvironmentFault, ExitCode, PackageError, VerificationError
from edge_ptf.examples import Prediction, combined
from edge_ptf.runtime.c_api import ABI_VERSION, ANSWERS, SCORES, SIGNATURES, Head, Options, Report
from edge_ptf.runtime.native_result import Result, prediction
from edge_ptf.runtime.texts import without_surrogates

LIBRARY_VARIABLE = "EDGE_PTF_RUNNER_LIBRARY"
FILE_NAMES = ("libedge_ptf_runner.so", "libedge_ptf_runner.dylib")
BUILT = Path(__file__).resolve().parents[2] / "build" / "runner-release"
"""Where `make runner` puts the library in a source tree."""
MOST_THREADS = 1 << 16
SMALLEST, LARGEST = -(1 << 63), (1 << 63) - 1
"""Of the numbers that the runner takes as token ids."""
OF_STATUS: dict[int, type[EdgePtfError]] = {
    ExitCode.BAD_INPUT: PackageError,
    ExitCode.FAIL: VerificationError,
    ExitCode.ENVIRONMENT: EnvironmentFault,
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
    options: Mapping[str, Any]
    """Settings of this kind of head, as the manifest has them."""


class NativeRunner:
    """Text to answer, one text at a time, by the C++ runner; the answers have the form of `Runner`'s.

    Any number of threads may use one runner at the same time, and any of them may close it. `output`, `logits` and
    `timing` are about the last answer of the calling thread.
    """

    def __init__(
        self,
        path: Path,
        threads: int = 0,
        library: Library | None = None,
        *,
        check_digests: bool = True,
        provider: str = "",
        provider_library: Path | None = None,
        cache_folder: Path | None = None,
        engine_folder: Path | None = None,
    ) -> None:
        """Args:
        path: a package file or directory.
        threads: of one inference; 0: as the package says.
        library: None: the one that `load_library` finds.
        check_digests: compare the sha256 of every file that is used.
        provider: execution provider of ONNX Runtime: cpu, cuda, tensorrt or nv-tensorrt-rtx; empty: cpu.
        provider_library: a plugin of ONNX Runtime that has the provider.
        cache_folder: where the providers tensorrt and nv-tensorrt-rtx keep what they build.
        engine_folder: where `edge-ptf build-engine` put the engines of the package, which TensorRT then runs.

        Raises:
            BadInputError: the path or the number of threads is none.
            PackageError: not a readable package, or a provider that does not exist.
            EnvironmentFault: the provider or an engine is missing here, or does not fit.
        """
        self._lock, self._answers, self._runner = threading.Lock(), threading.local(), c_void_p()
        self.library = library or load_library()
        if not 0 <= threads <= MOST_THREADS:
            raise BadInputError(f"{threads} threads", hint=f"Give 1 to {MOST_THREADS}, or 0: as the package says")
        options = Options()
        options.threads, options.check_digests = threads, check_digests
        options.provider = os.fsencode(provider) or None
        for name, given in (
            ("provider_library", provider_library),
            ("cache_folder", cache_folder),
            ("engine_folder", engine_folder),
        ):
            setattr(options, name, None if given is None else _path(given))
        self.library.check(self.library.open(_path(path), byref(options), byref(self._runner)))
        self.heads = self._read_heads()

    def __enter__(self) -> NativeRunner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "library"):
            self.close()

    def close(self) -> None:
        """Closes the package: every later call raises BadInputError. Answers that are being made are finished."""
        with self._lock:
            self.library.close(self._runner)
            self._runner, self._answers = c_void_p(), threading.local()

    def add_class(self, name: str, texts: Sequence[str]) -> None:
        """Adds a class; see `Runner.add_class`. It belongs to this object.

        Raises:
            BadInputError: a zero character in a name or text, or one text in the place of a list.
            PackageError: the package takes no classes, the name cannot be that of a new class, or there are no texts.
        """
        plain = [name, *map(without_surrogates, texts)]
        if isinstance(texts, str) or any("\0" in each for each in plain):
            raise BadInputError("a new class needs a list of texts without zero characters", hint="Give such a list")
        given = (c_char_p * len(texts))(*(each.encode() for each in plain[1:]))
        with self._lock:
            self._check_open()
            self.library.check(
                self.library.add_class(self._runner, name.encode(errors="surrogatepass"), given, len(texts))
            )
            self.heads = self._read_heads()

    def answer(self, text: str | bytes, text_pair: str | None = None) -> Prediction:
        """The answer: its label (or tags), its probability, and details; of several heads all their answers as one."""
        found = self.answers(text, text_pair)
        if len(found) == 1:
            return found[0]
        return combined({head.name: answer for head, answer in zip(self.heads, found, strict=True)})

    def answers(self, text: str | bytes, text_pair: str | None = None) -> list[Prediction]:
        """The answer of every head, from one pass through the graph.

        A lone surrogate of a text, and each invalid part of bytes, is read as U+FFFD.
        """
        result = self._result()
        plain = result.take(self.library.predict, text, text_pair)
        return [self._prediction(result, index, plain) for index in range(len(self.heads))]

    def encode(self, text: str | bytes, text_pair: str | None = None) -> tuple[list[int], list[int]]:
        """Token ids and types, special tokens included."""
        result = self._result()
        result.take(self.library.tokenize, text, text_pair)
        return result.numbers(self.library.result_ids), result.numbers(self.library.result_types)

    def answer_ids(self, ids: Sequence[int], types: Sequence[int] | None = None) -> Prediction | None:
        """The answer of the first head to token ids; None if it needs the text. `output` has the values in both cases.

        Raises:
            BadInputError: an id or type is no whole number of 64 bits, or there are not as many types as ids.
        """
        given = _whole_numbers(ids, "token ids")
        kinds = None if types is None else _whole_numbers(types, "token types")
        if kinds is not None and len(kinds) != len(given):
            raise BadInputError(f"{len(kinds)} token types for {len(given)} token ids")
        result = self._result()
        result.take_ids(given, kinds)
        answered = any(result.count(0, each) for each in (ANSWERS, SCORES))
        return self._prediction(result, 0, "") if answered else None

    def output(self, role: str = "logits", head: int = 0) -> NDArray[np.float32]:
        """An output of this thread's last answer without the batch axis: [label], or [token, label].

        Raises:
            BadInputError: there is no such head.
            PackageError: the head has no such output, or this thread has made no answer.
        """
        if not 0 <= head < len(self.heads):
            raise BadInputError(f"there is no head {head}", hint=f"The package has {len(self.heads)}, from 0")
        if "\0" in role:
            raise BadInputError(f"there is no output {role!r}")
        return self._result().output(role, head)

    @property
    def logits(self) -> NDArray[np.float32]:
        """The logits of the first head for this thread's last answer."""
        return self.output()

    @property
    def timing(self) -> tuple[int, int, int]:
        """Nanoseconds of this thread's last answer: to tokenize, in the engine, to decode."""
        return self._result().timing()

    def selftest(self) -> SelftestReport:
        """Answers the golden vectors.

        Raises:
            VerificationError: an answer differs.
        """
        report = Report()
        with self._lock:
            self._check_open()
            self.library.check(self.library.selftest(self._runner, byref(report)))
        return _report(report)

    def _check_open(self) -> None:
        if not self._runner:
            raise BadInputError("this runner is closed", hint="Open the package again: NativeRunner(path)")

    def _result(self) -> Result:
        """The memory of the calling thread's answers; whoever closes the runner meanwhile does not take it away."""
        with self._lock:
            self._check_open()
            found: Result | None = getattr(self._answers, "result", None)
            if found is None:
                found = self._answers.result = Result(self.library, self._runner)
            return found

    def _read_heads(self) -> tuple[NativeHead, ...]:
        declared = json.loads(self.library.runner_manifest(self._runner))["heads"]
        count = self.library.runner_head_count(self._runner)
        return tuple(self._head(index, declared[index].get("options", {})) for index in range(count))

    def _head(self, index: int, options: Mapping[str, Any]) -> NativeHead:
        found = Head()
        self.library.check(self.library.runner_head(self._runner, index, byref(found)))
        labels = (self.library.runner_label(self._runner, index, number) for number in range(found.label_count))
        name, task, kind = (each.decode() for each in (found.name, found.task, found.kind))
        return NativeHead(name, task, kind, tuple(label.decode() for label in labels), options)

    def _prediction(self, result: Result, head: int, text: str) -> Prediction:
        return prediction(self.heads[head], result, head, text)


def _path(path: Path) -> bytes:
    """A path as the runner takes it, which ends a path at its first zero byte."""
    name = os.fsencode(path)
    if b"\0" in name:
        raise BadInputError(f"{str(path)!r}: a path has no zero byte", hint="Give a package file or directory")
    return name


def _whole_numbers(values: Sequence[int], what: str) -> list[int]:
    """Plain whole numbers of 64 bits, of any sequence that holds such."""
    try:
        found = [operator.index(value) for value in values]
    except TypeError:
        raise BadInputError(f"{what}: not a list of whole numbers", hint="Give a list of int") from None
    wrong = next((value for value in found if not SMALLEST <= value <= LARGEST), None)
    if wrong is not None:
        raise BadInputError(f"{what}: {wrong} is beyond 64 bits")
    return found


def verify_native(path: Path, library: Library | None = None) -> SelftestReport:
    """Checks every checksum, then the golden vectors, with the C++ runner.

    Raises:
        PackageError: not a readable package.
        VerificationError: a file or an answer differs from the manifest.
    """
    used, report = library or load_library(), Report()
    used.check(used.verify(_path(path), None, byref(report)))
    return _report(report)


def _report(report: Report) -> SelftestReport:
    return SelftestReport(
        report.files, report.golden, report.largest_difference, bool(report.exact), bool(report.tokenized)
    )
