"""Heads: what the outputs of a graph mean. One file for each kind, and one line here."""

from __future__ import annotations

from edge_ptf.heads.base import Head, LogitLoss, PositiveWeights, Target
from edge_ptf.heads.embedding import EmbeddingHead
from edge_ptf.heads.encoding import encode
from edge_ptf.heads.joint import JointHead, joint_spec
from edge_ptf.heads.multi_label import MultiLabelHead
from edge_ptf.heads.pooled_model import Pooling
from edge_ptf.heads.prototype import VECTOR, PrototypeHead, PrototypeVectors
from edge_ptf.heads.regression import RegressionHead
from edge_ptf.heads.relation import RelationHead
from edge_ptf.heads.span import SpanHead
from edge_ptf.heads.spec import LOGITS, HeadSpec, OutputSpec
from edge_ptf.heads.text import TextHead
from edge_ptf.heads.token import TokenHead
from edge_ptf.heads.triple import TripleHead

HEADS: dict[str, type[Head]] = {
    head.kind: head
    for head in (
        *(TextHead, TokenHead, MultiLabelHead, RegressionHead, RelationHead, SpanHead, EmbeddingHead),
        *(PrototypeHead, TripleHead, JointHead),
    )
}
"""Every kind of head."""

__all__ = [
    "HEADS",
    "LOGITS",
    "VECTOR",
    "EmbeddingHead",
    "Head",
    "HeadSpec",
    "JointHead",
    "LogitLoss",
    "MultiLabelHead",
    "OutputSpec",
    "Pooling",
    "PositiveWeights",
    "PrototypeHead",
    "PrototypeVectors",
    "RegressionHead",
    "RelationHead",
    "SpanHead",
    "Target",
    "TextHead",
    "TokenHead",
    "TripleHead",
    "encode",
    "joint_spec",
]
