"""How an engine is set up, declared once for profiles, stages and packages."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from edge_ptf.config import StrictModel

Threads = Annotated[int, Field(ge=1, le=64, description="Number of threads of one inference.")]
Opset = Annotated[int, Field(ge=17, le=21, description="ONNX operator set.")]


class EngineSettings(StrictModel):
    """What the C++ runner passes to its engine, unless the application chooses other values."""

    threads: Threads = 1
    spinning: bool = Field(False, description="Threads burn time while they wait for work.")
    arena: bool = Field(True, description="Memory is kept between calls.")
    affinity: str = Field(
        "", description="Processors of the threads beyond the first, as ONNX Runtime writes them: 2;3."
    )
