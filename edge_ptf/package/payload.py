"""Open a package, read its files with their checksums, unpack it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from edge_ptf.digests import bytes_digest, canonical_json
from edge_ptf.engines import Engine, Session, engine_for
from edge_ptf.errors import PackageError, VerificationError
from edge_ptf.heads import OutputSpec
from edge_ptf.package import archive, container
from edge_ptf.package.archive import Archive
from edge_ptf.package.evidence import Evidence, Verdict
from edge_ptf.package.manifest import MAJOR, MANIFEST, FileEntry, GraphEntry, HeadEntry, Manifest
from edge_ptf.package.samples import ENTRY, EVIDENCE, checked_samples, record_names, samples_file, samples_of
from edge_ptf.package.tokenizer import PackageTokenizer

MANIFEST_LIMIT = 16 << 20
VERDICT = "verdict.json"
STORED = container.MAPPED
SEALING_BYTES = 32 << 10
"""The most bytes that verdict and headers add to a package, and what it says about its samples."""


@dataclass(frozen=True, slots=True)
class Payload:
    """A package that was opened: the manifest is read and checked, other files are read on demand.

    `digest` is the sha256 of the manifest, which names every file's sha256: it identifies what ships.
    `size_bytes` is what the payload's files take as packed, without evidence.
    """

    path: Path
    manifest: Manifest
    digest: str
    size_bytes: int
    reader: Archive | None = field(default=None, compare=False, repr=False)
    """The open container; None: it is opened for each file."""
    samples_bytes: int = 0
    """What the samples take that lie inside the file."""

    def read(self, name: str) -> bytes:
        """One file of the payload.

        Raises:
            VerificationError: it is not what the manifest says.
        """
        return b"".join(self._blocks(name))

    def check(self, name: str) -> None:
        """Compares one file with the manifest, without the whole file in memory.

        Raises:
            VerificationError: it is not what the manifest says.
        """
        for _ in self._blocks(name):
            pass

    def _blocks(self, name: str) -> Iterator[bytes]:
        """One file in blocks. Its size and sha256 are compared behind the last block."""
        entry = next((entry for entry in self.manifest.files if entry.path == name), None)
        if entry is None:
            raise PackageError(f"{self.path}: the manifest names no file '{name}'")
        digest, size = hashlib.sha256(), 0
        for block in (self.reader or Archive(self.path)).blocks(name, limit=entry.size):
            digest.update(block)
            size += len(block)
            yield block
        if size != entry.size or digest.hexdigest() != entry.sha256:
            raise VerificationError(f"{self.path}: '{name}' is not what the manifest says (size or sha256 differs)")

    def model(self) -> bytes:
        """The graph of the first head."""
        return self.read(self.manifest.graph.file)

    def engine(self, graph: GraphEntry) -> Engine:
        """What runs a graph here.

        Raises:
            EnvironmentFault: no engine here is one that the package names.
        """
        return engine_for(graph.format, self.manifest.requires.engines, str(self.path))

    def session(self, graph: GraphEntry, threads: int = 1, outputs: Sequence[str] = ()) -> Session:
        """A loaded graph, whose runs give these outputs; empty: all outputs."""
        return self.engine(graph).session(self.read(graph.file), threads, outputs)

    def tokenizer(self, inputs: Sequence[str]) -> PackageTokenizer:
        """Texts to the ids of a graph that takes these inputs."""
        entry = self.manifest.tokenizer
        return PackageTokenizer(self.read(entry.huggingface), inputs, entry.truncation, entry.truncation_side)

    @property
    def shipped_bytes(self) -> int:
        """The most bytes that the sealed file has: payload, verdict, what is said about the samples, and the samples
        if they lie inside. The size target judges this."""
        return self.size_bytes + self.samples_bytes + SEALING_BYTES

    def evidence(self) -> list[Evidence]:
        """What was measured about this payload and its baseline, in the order it was sealed in within each kind; empty
        before sealing.

        Raises:
            MissingSamplesError: the file with the samples is not beside the package.
            VerificationError: it is another file.
        """
        reader = Archive(self.path)
        if (beside := samples_of(self.path, reader)) is not None:
            reader = checked_samples(self.path, *beside)
        adapter: TypeAdapter[Evidence] = TypeAdapter(Evidence)
        try:
            return [adapter.validate_json(reader.read(name)) for name in record_names(reader)]
        except ValidationError as error:
            raise PackageError(f"{reader.path}: damaged evidence ({error.errors()[0]['msg']})") from None

    def verdict(self) -> Verdict | None:
        """The verdict it was sealed with.

        Raises:
            VerificationError: it is about another payload.
        """
        reader = Archive(self.path)
        if VERDICT not in reader.sizes:
            return None
        try:
            verdict = Verdict.model_validate_json(reader.read(VERDICT))
        except ValidationError as error:
            raise PackageError(f"{self.path}: damaged verdict ({error.errors()[0]['msg']})") from None
        if verdict.payload != self.digest:
            raise VerificationError(f"{self.path}: the verdict inside is about another payload")
        return verdict


def open_payload(path: Path) -> Payload:
    """Opens a package file or its unpacked directory.

    Raises:
        PackageError: it is none, or breaks a rule of `docs/package.md`.
    """
    reader = Archive(path)
    if MANIFEST not in reader.sizes:
        raise PackageError(f"{path}: no {MANIFEST}, so this is no package", hint="Give a .eptf file or its directory")
    content = reader.read(MANIFEST, limit=MANIFEST_LIMIT)
    manifest = _parsed(path, content)
    if gap := _gap(manifest):
        raise PackageError(f"{path}: {MANIFEST}: {gap}")
    for entry in manifest.files:
        archive.check_name(entry.path)
        if entry.path not in reader.sizes:
            raise PackageError(f"{path}: '{entry.path}' is missing")
        if reader.sizes[entry.path] != entry.size:
            raise VerificationError(f"{path}: '{entry.path}' has {reader.sizes[entry.path]} bytes, not {entry.size}")
    for name in _mapped(manifest):
        if not reader.is_stored(name):
            raise PackageError(f"{path}: '{name}' is deflated; a device maps it, so it must be stored")
    size = reader.packed_bytes([MANIFEST, *(entry.path for entry in manifest.files)])
    inside = [] if ENTRY in reader.sizes else record_names(reader)
    samples = reader.packed_bytes(inside) - reader.packed_bytes([])
    return Payload(path, manifest, bytes_digest(content), size, reader, samples)


def write_payload(manifest: Manifest, files: dict[str, bytes], path: Path) -> Payload:
    """Writes a payload; `manifest.files` is filled in here."""
    entries = tuple(
        FileEntry(path=name, size=len(content), sha256=bytes_digest(content)) for name, content in sorted(files.items())
    )
    document = manifest.model_copy(update={"files": entries}).model_dump(mode="json")
    path.parent.mkdir(parents=True, exist_ok=True)
    contents = [(name, files[name], name.endswith(STORED)) for name in sorted(files)]
    archive.write(path, [(MANIFEST, canonical_json(document), False), *contents])
    return open_payload(path)


def unpack(payload: Payload, out: Path) -> Path:
    """Writes every file of a package below `out`, checked; the result opens as a package too.

    What neither the manifest names nor sealing adds is left behind. Samples that lie beside the package come along.

    Raises:
        VerificationError: a file, or the file with the samples, is not what the package says.
    """
    reader = Archive(payload.path)
    known = {entry.path for entry in payload.manifest.files}
    for name in reader.sizes:
        if name not in known and name not in (MANIFEST, VERDICT) and not name.startswith(EVIDENCE):
            continue
        target = out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(payload.read(name) if name in known else reader.read(name))
    if (beside := samples_of(payload.path, reader)) is not None and beside[0].is_file():
        checked_samples(payload.path, *beside)
        samples_file(out).write_bytes(beside[0].read_bytes())
    return out


def _gap(manifest: Manifest) -> str:
    """What the manifest refers to and does not have; empty when it is whole."""
    names = {MANIFEST}
    for entry in manifest.files:
        if entry.path in names:
            return f"files: '{entry.path}' is named twice"
        names.add(entry.path)
    for place, named in (("graphs", manifest.graphs), ("heads", manifest.heads)):
        parts = [part.name for part in named]
        if repeated := next((name for name in parts if parts.count(name) > 1), ""):
            return f"{place}: '{repeated}' is named twice"
    if gap := next(filter(None, (_head_gap(manifest, head) for head in manifest.heads)), ""):
        return f"heads: {gap}"
    if manifest.tokenizer.tables and not manifest.tokenizer.kind:
        return "tokenizer: tables without a kind"
    needed = [*_mapped(manifest), manifest.tokenizer.huggingface, manifest.golden.file]
    names.remove(MANIFEST)
    return next((f"files: '{name}' is not among them" for name in needed if name not in names), "")


def _mapped(manifest: Manifest) -> list[str]:
    """The files that a device maps into memory: the graphs and the tables."""
    tables = manifest.tokenizer.tables
    return [*(graph.file for graph in manifest.graphs), *([tables] if tables else [])]


def _head_gap(manifest: Manifest, head: HeadEntry) -> str:
    """What a head refers to and its graph does not have."""
    graph = next((graph for graph in manifest.graphs if graph.name == head.graph), None)
    if graph is None:
        return f"there is no graph '{head.graph}'"
    if head.text_pairs != manifest.heads[0].text_pairs:
        return "some take pairs of texts, others single texts"
    elsewhere = [
        output.tensor for each in manifest.heads if each.graph != graph.name for output in each.outputs.values()
    ]
    for output in head.outputs.values():
        if output.tensor in elsewhere:  # golden vectors name tensors without a graph
            return f"two graphs have the output '{output.tensor}'"
        if gap := _output_gap(head, output, graph):
            return gap
    return ""


def _output_gap(head: HeadEntry, output: OutputSpec, graph: GraphEntry) -> str:
    """How the tensor of the graph differs from what the head reads."""
    tensor = next((tensor for tensor in graph.outputs if tensor.name == output.tensor), None)
    if tensor is None:
        return f"the graph '{graph.name}' has no output '{output.tensor}'"
    if tensor.dtype != output.dtype or len(tensor.shape) != len(output.axes):
        return f"the output '{output.tensor}' is not {output.dtype} with {len(output.axes)} axes"
    for axis, size in zip(output.axes, tensor.shape, strict=True):
        if axis == "label" and isinstance(size, int) and size != len(head.labels):
            return f"'{head.name}' has {len(head.labels)} labels; its output '{output.tensor}' has {size}"
        if axis == "number" and not (isinstance(size, int) and size > 0):
            return f"the output '{output.tensor}' does not say how many numbers it has"
    return ""


def _parsed(path: Path, content: bytes) -> Manifest:
    try:
        document: Any = json.loads(content)
        version = str(document["version"])
        major = int(version.partition(".")[0])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise PackageError(f"{path}: {MANIFEST} is damaged") from None
    if major != MAJOR:
        raise PackageError(
            f"{path}: package format {version}; this edge-ptf reads {MAJOR}.x",
            hint="Make the package again with this edge-ptf" if major < MAJOR else "Use a newer edge-ptf",
        )
    try:
        return Manifest.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise PackageError(f"{path}: {MANIFEST}: {place}: {first['msg']}") from None
