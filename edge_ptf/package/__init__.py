"""The package `.eptf`: what ships, how it is read safely, verified and sealed. Normative text: `docs/package.md`."""

from __future__ import annotations

from edge_ptf.package.assembly import AssembleConfig, assemble, deciding, threshold_texts
from edge_ptf.package.manifest import Manifest
from edge_ptf.package.payload import Payload, open_payload, unpack
from edge_ptf.package.samples import MissingSamplesError
from edge_ptf.package.sealing import seal
from edge_ptf.package.verification import verify

__all__ = [
    "AssembleConfig",
    "Manifest",
    "MissingSamplesError",
    "Payload",
    "assemble",
    "deciding",
    "open_payload",
    "seal",
    "threshold_texts",
    "unpack",
    "verify",
]
