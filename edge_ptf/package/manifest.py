"""`manifest.json`: what a package is. No measurements and no times; its sha256 is the payload digest."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from edge_ptf import engines, tasks
from edge_ptf.engines import EngineSettings
from edge_ptf.errors import BadInputError
from edge_ptf.graph.artifact import Scheme
from edge_ptf.heads import HEADS, LOGITS, HeadSpec, OutputSpec, joint_spec
from edge_ptf.models import LayerShape
from edge_ptf.models.lineage import LineageStep

FORMAT = "edge-ptf-package"
MAJOR = 2
MINOR = 0
MANIFEST = "manifest.json"


class Part(BaseModel):
    """Base of everything in the manifest: unknown fields are ignored within a major version."""

    model_config = ConfigDict(extra="ignore", frozen=True)


def _known_fields(model: type[BaseModel]) -> BeforeValidator:
    """A strict model as a part of the manifest: fields that only a later minor version knows are dropped."""

    def drop_unknown(value: Any) -> Any:
        return {key: value[key] for key in value if key in model.model_fields} if isinstance(value, dict) else value

    return BeforeValidator(drop_unknown)


class FileEntry(Part):
    """One file of the payload."""

    path: str = Field(description="Relative path inside the package.")
    size: int = Field(ge=0, description="Bytes.")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class TensorEntry(Part):
    """One input or output of a graph."""

    name: str
    dtype: str = Field(description="int64 or float32.")
    shape: tuple[str | int, ...] = Field(description="A name stands for a dimension that changes from call to call.")


def _known_format(name: str) -> str:
    try:
        engines.running(name)
    except BadInputError as error:
        raise ValueError(str(error)) from None
    return name


class GraphEntry(Part):
    """One graph."""

    name: str
    format: Annotated[str, AfterValidator(_known_format)] = Field(json_schema_extra={"enum": list(engines.formats())})
    file: str
    inputs: tuple[TensorEntry, ...]
    outputs: tuple[TensorEntry, ...]
    opset: int
    scheme: Annotated[Scheme, _known_fields(Scheme)] = Field(description="The INT8 quantization.")
    layers: tuple[Annotated[LayerShape, _known_fields(LayerShape)], ...] = Field(
        description="Width of each encoder layer."
    )


class HeadEntry(HeadSpec):
    """One head: its declaration, and the graph whose outputs it reads."""

    model_config = ConfigDict(extra="ignore")

    outputs: dict[str, Annotated[OutputSpec, _known_fields(OutputSpec)]] = Field(
        description="By role; the role logits is in every head."
    )
    graph: str
    text_pairs: bool = Field(False, description="Pairs of texts are answered, not single ones.")

    @model_validator(mode="after")
    def _declares_a_task(self) -> HeadEntry:
        if LOGITS not in self.outputs or not HEADS[self.kind].logits_axes:
            raise ValueError(f"the head '{self.name}' is not that of one task with an output '{LOGITS}'")
        try:
            tasks.create(self)
        except BadInputError as error:
            raise ValueError(str(error)) from None
        return self


class TablesProof(Part):
    """How much of the tables was compared with the Hugging Face tokenizer, and found equal."""

    code_points: int = Field(ge=0, description="Code points, each between two letters.")
    texts: int = Field(ge=0, description="Real and random texts.")


class TokenizerEntry(Part):
    """How text becomes token ids: exactly as `AutoTokenizer(text, truncation=True, max_length=…)` without padding."""

    huggingface: str = Field("tokenizer.json", description="The tokenizer in Hugging Face form.")
    max_length: int = Field(description="Longest sequence in tokens, special tokens included; longer is cut.")
    truncation: Literal["longest_first", "only_first", "only_second"] = Field(
        "longest_first", description="Which text of a pair is cut."
    )
    truncation_side: Literal["right", "left"] = Field("right", description="Which end of a long text is removed.")
    kind: str | None = Field(None, description="The form of the tables, such as wordpiece; null without tables.")
    tables: str | None = Field(None, description="The runner's tables; null: callers tokenize with the form above.")
    unsupported: str = Field("", description="Why there are no tables: the part that the runner cannot execute.")
    proof: TablesProof | None = Field(None, description="What the tables were compared on when they were made.")


class GoldenEntry(Part):
    """Texts with the ids and output tensors they must give."""

    file: str = "golden.jsonl"
    count: int
    tolerance: float = Field(description="Largest accepted difference in a tensor, as a share of its largest value.")


class EngineEntry(EngineSettings):
    """How the runner sets up its engine where the application says nothing."""

    model_config = ConfigDict(extra="ignore")


class Requirements(Part):
    """What a device must have."""

    engines: dict[str, str] = Field(description="Each engine that may run the package, with its least version.")
    isa_any: tuple[str, ...] = Field((), description="One of these, or the INT8 products are not exact.")


class Lineage(Part):
    """Where the package comes from."""

    base_model: str
    data: str = Field(description="Fingerprint of the labelled text.")
    steps: tuple[Annotated[LineageStep, _known_fields(LineageStep)], ...]
    tools: dict[str, str]


class Manifest(Part):
    """The whole document."""

    format: Literal["edge-ptf-package"] = FORMAT  # type: ignore[assignment]
    version: str = Field(
        f"{MAJOR}.{MINOR}", pattern=r"^\d+\.\d+$", description="Major and minor version of the format."
    )
    name: str
    profile: str | None = Field(None, description="Name of the hardware profile that it was made for, if any.")
    graphs: tuple[GraphEntry, ...] = Field(min_length=1)
    heads: tuple[HeadEntry, ...] = Field(min_length=1)
    tokenizer: TokenizerEntry
    golden: GoldenEntry
    engine: EngineEntry = EngineEntry()
    requires: Requirements
    lineage: Lineage
    files: tuple[FileEntry, ...] = Field(description="Every file but this one and what sealing adds.")

    @property
    def head(self) -> HeadSpec:
        """The declaration of the head, or of one head over all those that read the first one's graph."""
        own = [head for head in self.heads if head.graph == self.heads[0].graph]
        parts = [HeadSpec(**{name: getattr(head, name) for name in HeadSpec.model_fields}) for head in own]
        return parts[0] if len(parts) == 1 else joint_spec(parts)

    @property
    def graph(self) -> GraphEntry:
        """The first head's graph."""
        return next(graph for graph in self.graphs if graph.name == self.heads[0].graph)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the manifest, as `docs/package.schema.json` holds it."""
    schema = Manifest.model_json_schema()
    for part in schema["$defs"].values():
        if part.get("additionalProperties") is False:  # a later minor version may add fields anywhere
            del part["additionalProperties"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
