"""What this machine is: the facts that decide which profile fits and whether a measurement counts."""

from __future__ import annotations

from pydantic import Field

from edge_ptf.config import StrictModel


class Machine(StrictModel):
    """Facts of one machine; nothing that identifies its owner."""

    arch: str = Field(description="x86_64, aarch64, …")
    cpu: str
    isa: tuple[str, ...] = Field(description="Instruction sets that matter to INT8, such as avx512_vnni, asimddp.")
    device_model: str = Field("", description="Board name from the device tree, e.g. Raspberry Pi 5 Model B.")
    cores: int
    memory_mb: int
    os: str
    governor: str = Field("", description="CPU frequency governor, empty when unknown.")
    emulated: bool = False
    gpu: str = ""
