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
    """Times of one package in milliseconds. Each list has one item per call, in the order of the calls."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    payload: str = Field(description="Payload digest.")
    load_ms: NonNegativeFloat = Field(description="Time to open the package.")
    first_ms: NonNegativeFloat = Field(description="Time of the first answer of the process.")
    warmup_calls: int = Field(ge=0, description="Number of calls before the first recorded call.")
    end_to_end_ms: Milliseconds = Field(min_length=1, description="Time from text to answer, as a caller sees it.")
    tokenize_ms: Milliseconds = Field(description="Part of it: from text to token ids.")
    engine_ms: Milliseconds = Field(description="Part of it: the graph, with its inputs ready.")
    decode_ms: Milliseconds = Field(description="Part of it: from logits to the answer.")
    tokens: tuple[int, ...] = Field(description="Number of tokens of each call.")

    @model_validator(mode="after")
    def _one_each(self) -> PackageTimes:
        counts = {len(each) for each in (self.end_to_end_ms, self.tokenize_ms, self.engine_ms, self.decode_ms)}
        if counts != {len(self.tokens)}:
            raise ValueError("the lists of a launch must have one item per call")
        return self


class LaunchRecord(PackageTimes):
    """One process that loaded a package, warmed it up and called it. Unknown fields are ignored."""

    schema_version: Literal[1] = Field(alias="schema", description="Version of this format.")
    runner: str = Field(description="Version of the C++ runner; empty if Python called the engine.")
    engine: str = Field(description="Name and version of the engine that ran the graph.")
    machine: Machine
    before: Environment
    after: Environment
    mode: Mode = Field(description="burst: calls without a pause; paced: at a fixed rate; sustained: for a long time.")
    rate: float | None = Field(None, description="Calls per second, for paced.")
    threads: int = Field(ge=1, description="Number of threads of one inference.")
    baseline: PackageTimes | None = Field(None, description="Another package, called alternately with the same texts.")
    peak_memory_mb: float | None = Field(None, description="Peak resident memory in 10^6 bytes, if requested.")
    flags: tuple[str, ...] = Field((), description="Reasons from the tool why this launch does not count.")
    warnings: tuple[str, ...] = Field((), description="Conditions that may affect this launch, from the tool.")


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a record, which `docs/bench.schema.json` contains."""
    schema = LaunchRecord.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
