"""The kind "embedding": a vector for a text. Two texts are compared by the cosine of their vectors."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from edge_ptf.digests import value_digest
from edge_ptf.examples import Encoding, Example, Logits, Prediction
from edge_ptf.heads.base import Head, HeadOptions, LogitLoss, Reduction, Target
from edge_ptf.heads.pooled_model import Pooling, unit, with_pooling
from edge_ptf.heads.spec import HeadSpec
from edge_ptf.heads.vector_losses import contrastive, cosent, similarity_distance

if TYPE_CHECKING:
    from torch import Tensor

Form = Literal["scores", "pairs", "classes"]
"""What the data say: how alike two texts are; which two texts are alike; or the class of a text, and all texts of a
class are alike."""
SCORES, PAIRS, CLASSES = FORMS = ("scores", "pairs", "classes")
GROUP, TEXT, SCORE = range(3)
"""The columns of a target: the number of the pair or class, the number of the text, and the score of the pair."""
DECIMALS = 6
"""Of the numbers of an answer."""


class EmbeddingOptions(HeadOptions):
    """Settings of a head of the kind "embedding"."""

    pooling: Pooling = Field(
        "mean", description="How the states of the tokens become one: their mean, or the state of the first token."
    )
    form: Form | None = Field(
        None, description="What the training data said: scores of pairs, pairs of like texts, or classes of like texts."
    )
    matryoshka: tuple[int, ...] = Field(
        (), description="Sizes of shorter vectors that were trained too: the leading numbers, with the length 1 again."
    )
    dimensions: int | None = Field(
        None, ge=1, description="How many leading numbers of the output an answer has; null: all."
    )


class EmbeddingHead(Head):
    """A vector of length 1. A label is the place of a number in it.

    With two texts the model reads each of them alone, as in Sentence-BERT (Reimers and Gurevych 2019), and the logits
    hold both vectors, one after the other.
    """

    kind = "embedding"
    logits_axes = ("batch", "label")
    target_axes = ("batch", "label")
    target_dtype = np.float64
    ignored = float("nan")
    answers_a_vector = True
    reads_texts_apart = True
    tuned_options: ClassVar[tuple[str, ...]] = ("dimensions",)
    options_model = EmbeddingOptions

    def __init__(self, spec: HeadSpec) -> None:
        """Raises ValueError where an answer would have more numbers than the output."""
        super().__init__(spec)
        if (self.options.dimensions or 1) > len(spec.labels):
            raise ValueError(f"dimensions is {self.options.dimensions}, but a vector has {len(spec.labels)} numbers")

    @property
    def dimensions(self) -> int:
        """The numbers of an answer."""
        return int(self.options.dimensions or len(self.spec.labels))

    @property
    def reads_first_token(self) -> bool:
        """See Head."""
        return bool(self.options.pooling == "first")

    def settings(self) -> dict[str, str]:
        """Numbers, pooling, and the sizes that were trained."""
        found = {"numbers of a vector": str(self.dimensions), "pooling": POOLINGS[self.options.pooling]}
        if self.options.matryoshka:
            found["shorter sizes that were trained"] = ", ".join(map(str, self.options.matryoshka))
        return found

    @staticmethod
    def auto_model() -> Any:
        """An encoder with a linear layer, and with pooling after `adapted`."""
        from transformers import AutoModelForTokenClassification

        return AutoModelForTokenClassification

    def adapted(self, model: Any, drawn: Collection[str] = ()) -> Any:
        """See Head: with pooling between the encoder and the linear layer."""
        return with_pooling(model, self.options.pooling, drawn)

    def sized(self, width: int, pooling: Pooling, matryoshka: Sequence[int] = ()) -> HeadSpec:
        """The spec for a model whose hidden states have `width` numbers.

        Args:
            matryoshka: sizes of shorter vectors to train.
        """
        spec = self.spec.with_options(pooling=pooling, matryoshka=sorted(set(matryoshka)))
        return spec.replace(labels=tuple(map(str, range(width))))

    # Training

    def target(self, example: Example, encoding: Encoding) -> Target:
        """The number of the pair or class, the number of the text, and the score; equal texts have equal numbers."""
        scored = isinstance(example.label, float)
        key = [example.text, example.text_pair] if scored else example.label
        score = example.label if scored else self.ignored
        return np.asarray([_number(key), _number(encoding.input_ids), score], self.target_dtype)

    def no_target(self, encoding: Encoding) -> Target:
        """All columns are ignored."""
        return np.full(3, self.ignored, self.target_dtype)

    def batches_with(self, targets: Sequence[Target]) -> list[float] | None:
        """Two texts of a class belong into one batch, unless some texts have no class."""
        if self.options.form != CLASSES or not all(map(self.is_labelled, targets)):
            return None
        return [float(target[GROUP]) for target in targets]

    def is_labelled(self, target: Target) -> bool:
        """Whether the target names a pair or class."""
        return bool(np.isfinite(target[GROUP]))

    def loss(self, logits: Tensor, targets: Tensor, smoothing: float = 0.0, reduction: Reduction = "mean") -> Tensor:
        """CoSENT for scores, and a contrastive loss for texts that are alike. With sizes of shorter vectors, the mean
        over all sizes (Kusupati et al. 2022, "Matryoshka Representation Learning").

        A batch holds both texts of a pair, in their order. There is nothing that smoothing could spread.
        """
        labelled = targets[:, GROUP].isfinite()
        if not bool(labelled.any()):
            return logits.sum() * 0.0  # has a gradient all the same
        vectors, known = logits[labelled], targets[labelled]
        found = [self._loss(each, known) for each in self._sizes(vectors)]
        mean = sum(found[1:], found[0]) / len(found)
        return mean if reduction == "mean" else mean * len(vectors)

    def _loss(self, vectors: Tensor, targets: Tensor) -> Tensor:
        groups = targets[:, GROUP].tolist()
        if not bool(targets[:, SCORE].isfinite().all()):
            return contrastive(vectors, targets[:, GROUP], targets[:, TEXT])
        first, second = pairs_of(groups)
        return cosent((vectors[first] * vectors[second]).sum(-1), targets[first, SCORE])

    def _sizes(self, vectors: Tensor) -> list[Tensor]:
        """The vectors, and their leading numbers in each size that is trained."""
        return [vectors, *(unit(vectors[:, :size]) for size in self.options.matryoshka)]

    def distillation_loss(self, student: Tensor, teacher: Tensor, form: LogitLoss, temperature: float) -> Tensor:
        """The mean squared distance of the vectors, and that of the similarities within the batch, in each size that is
        trained. kl compares the similarities of each text as distributions (SEED, Fang et al. 2021)."""
        sizes = zip(self._sizes(student), self._sizes(unit(teacher)), strict=True)  # a mean of teachers is shorter
        found = [
            (own - wanted).square().sum(-1).mean() + similarity_distance(own, wanted, form, temperature)
            for own, wanted in sizes
        ]
        return sum(found[1:], found[0]) / len(found)

    # Answers

    def vectors(self, logits: Logits) -> NDArray[np.float64]:
        """The vector of each text [texts, numbers]; leading numbers have the length 1 again."""
        rows = np.asarray(logits, np.float64).reshape(-1, len(self.spec.labels))
        return rows if self.dimensions == rows.shape[1] else leading(rows, self.dimensions)

    def decode(self, logits: Logits, encoding: Encoding, text: str) -> Prediction:
        """The vector of a text. Of two texts the cosine, which is the score too.

        If the training data had no scores, the label of two texts is both vectors, for the search of one by the other.
        Numbers of a vector are rounded to six decimals. The score of one text is 1.
        """
        rows = self.vectors(logits)
        score = cosine(rows[0], rows[1]) if len(rows) == 2 else 1.0
        return embedding_answer(rows, score, self.options.form)

    def support(self, logits: Logits, encoding: Encoding, label: Any) -> float | None:
        """The cosine of two texts."""
        rows = self.vectors(logits)
        return cosine(rows[0], rows[1]) if len(rows) == 2 else None

    def rules(self) -> tuple[str, ...]:
        """What the output is, and how texts are compared."""
        found = [
            f"The output is a vector of {len(self.spec.labels)} numbers with the length 1. Two texts are run apart, "
            "and the dot product of their vectors says how alike they are, from -1 to 1 (cosine).",
        ]
        if self.options.matryoshka:
            found.append(
                "Vectors may be shorter: take the leading numbers and divide them by their length. These sizes were "
                f"trained: {', '.join(map(str, self.options.matryoshka))}."
            )
        if self.options.dimensions:
            found.append(f"edge-ptf takes the {self.options.dimensions} leading numbers, divided by their length.")
        return tuple(found)


POOLINGS = {"mean": "mean of all tokens", "first": "first token"}
"""Ways of pooling, in words."""


def embedding_answer(vectors: NDArray[np.float64], score: float, form: str | None) -> Prediction:
    """The answer to one text or two; see `EmbeddingHead.decode`.

    Args:
        vectors: of each text, [texts, numbers].
        score: the cosine of two texts.
        form: what the training data said.
    """
    numbers = tuple(np.round(vectors.reshape(-1), DECIMALS).tolist())
    if len(vectors) == 1:
        return Prediction(numbers, score)
    return Prediction(score if form in (SCORES, None) else numbers, score, {"cosine": score})


def cosine(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """The cosine of two vectors; 0 if one of them has no length."""
    lengths = float(np.sqrt((first @ first) * (second @ second)))
    return float(first @ second) / lengths if lengths else 0.0


def leading(vectors: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """The leading numbers of vectors [..., width], with the length 1 again; zeros stay zeros."""
    part = vectors[..., :count]
    lengths = np.linalg.norm(part, axis=-1, keepdims=True)
    found: NDArray[np.float64] = np.divide(part, lengths, out=np.zeros_like(part), where=lengths > 0)
    return found


def pairs_of(groups: Sequence[float]) -> tuple[list[int], list[int]]:
    """The places of the first and of the second text of each pair that is whole in a batch."""
    first, second, waiting = list[int](), list[int](), dict[float, int]()
    for place, group in enumerate(groups):
        if group in waiting:
            first.append(waiting.pop(group))
            second.append(place)
        else:
            waiting[group] = place
    return first, second


def _number(value: Any) -> int:
    """A number of 48 bits, which a float64 holds exactly: equal values have equal numbers."""
    return int(value_digest(value)[:12], 16)
