"""The centres of the classes, in the graph that ships: it gives the cosine with each of them beside the vector."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_ptf import tasks
from edge_ptf.engines import Session
from edge_ptf.examples import Encoding, Example, Logits
from edge_ptf.graph.exporting import spread
from edge_ptf.graph.rewrite import rewritten
from edge_ptf.heads import VECTOR, Head, PrototypeVectors
from edge_ptf.heads.prototype import centre
from edge_ptf.heads.vector_losses import SCALE
from edge_ptf.tasks.base import Task

MOST_TEXTS = 200
"""Texts of a class that its centre is made of, spread over all of them: more move a mean very little."""

Encode = Callable[[Sequence[Example]], list[Encoding]]
Ask = Callable[[str, Session, Head, Sequence[Encoding]], list[Logits]]


def with_centres(
    model: bytes,
    head: PrototypeVectors,
    session: Session,
    train: Sequence[Example],
    encode: Encode,
    ask: Ask,
) -> tuple[bytes, Task]:
    """The graph with the centres of the classes, and the task with labels that are classes.

    The vectors come from the graph that ships, because the vectors of an INT8 model have other centres than those of
    the full-precision one.

    Args:
        model: the graph of `session`, which gives vectors.
        head: of the graph.
        train: texts with their class; those of other labels are left out.
        encode: token ids of examples.
        ask: gives the vectors of encodings.
    """
    texts = defaultdict[str, list[Example]](list)
    for example in train:
        texts[example.label].append(example)
    chosen = {name: spread(texts[name], MOST_TEXTS) for name in head.options.classes}
    encodings = encode([example for examples in chosen.values() for example in examples])
    vectors = iter(ask("Make class centres", session, head, encodings))
    centres = np.stack(
        [centre([np.asarray(next(vectors), np.float64) for _ in examples]) for examples in chosen.values()]
    )
    tensor = head.spec.logits.tensor

    def add(loaded: Any) -> None:
        add_centres(loaded, tensor, SCALE * centres)

    return rewritten(model, add), tasks.create(head.with_centres(SCALE))


def add_centres(model: Any, output: str, centres: NDArray[np.float64]) -> None:
    """Renames an output [batch, numbers] to "vector", and multiplies it by centres to the output, in place.

    Args:
        centres: [classes, numbers].
    """
    from onnx import TensorProto, helper, numpy_helper

    graph = model.graph
    for node in graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                if name == output:
                    names[place] = VECTOR
    weight, (count, width) = f"{output}_centres", centres.shape
    graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(centres.T, np.float32), weight))
    graph.node.append(helper.make_node("MatMul", [VECTOR, weight], [output], weight))
    for known in [each for each in graph.output if each.name == output]:
        graph.output.remove(known)
    for name, size in ((output, count), (VECTOR, width)):
        graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size]))
