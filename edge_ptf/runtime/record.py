"""The record of one launch of the latency protocol: `edge-ptf-runner bench` and `edge_ptf.runtime.bench` write it."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, model_validator

from edge_ptf.environment import Environment
from edge_ptf.machine import Machine

SCHEMA = 1
Mode: TypeAlias = Literal["burst", "paced", "sustained"]
Milliseconds: TypeAlias = tuple[NonNegativeFloat, ...]


class PackageTimes(BaseModel):
    """What one package took; one item a call, in the order they were made. Times are in milliseconds."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    payload: str = Field(description="Payload digest.")
    load_ms: NonNegativeFloat = Field(description="Opening the package, until it can be asked.")
    first_ms: NonNegativeFloat = Field(description="The first answer of the process.")
    warmup_calls: int = Field(ge=0, description="Calls before the first one that is kept.")
    end_to_end_ms: Milliseconds = Field(min_length=1, description="Text to answer, all that a caller waits for.")
    tokenize_ms: Milliseconds = Field(description="Of it: text to token ids.")
    engine_ms: Milliseconds = Field(description="Of it: the graph, inputs ready.")
    decode_ms: Milliseconds = Field(description="Of it: logits to answer.")
    tokens: tuple[int, ...] = Field(description="Sequence length of each call.")

    @model_validator(mode="after")
    def _one_each(self) -> PackageTimes:
        counts = {len(each) for each in (self.end_to_end_ms, self.tokenize_ms, self.engine_ms, self.decode_ms)}
        if counts != {len(self.tokens)}:
            raise ValueError("the lists of a launch hold one item a call")
        return self


class LaunchRecord(PackageTimes):
    """One process that loaded a package, warmed it up and called it; fields that are not known are ignored."""

    schema_version: Literal[1] = Field(alias="schema", description="Version of this format.")
    runner: str = Field(description="Version of the C++ runner; empty: Python asked the engine.")
    engine: str = Field(description="Name and version of what ran the graph.")
    machine: Machine
    before: Environment
    after: Environment
    mode: Mode = Field(description="Calls without a pause, at a rate, or for a long time.")
    rate: float | None = Field(None, description="Calls a second, where paced.")
    threads: int = Field(ge=1, description="Of one inference.")
    baseline: PackageTimes | None = Field(None, description="Another package, called in turns over the same texts.")
    peak_memory_mb: float | None = Field(None, description="Most resident memory, 10^6 bytes, where asked for.")
    flags: tuple[str, ...] = Field((), description="The tool's own words why this launch does not count.")
    warnings: tuple[str, ...] = Field((), description="The tool's own words about what could matter.")


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a record, as `docs/bench.schema.json` holds it."""
    schema = LaunchRecord.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
