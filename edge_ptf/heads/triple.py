"""The kind "triple": entities of a text, and the relation of each pair of them, from one row of logits for each token.

A label is a list of texts: the tag of each word, then one text for each triple, such as "0 2 works_for". The numbers
are places in the list of entities that the tags form. A tag has no space, so the two parts cannot be mixed up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from edge_ptf.examples import Encoding, Example, Logits, Prediction
from edge_ptf.heads.base import LogitLoss, Reduction, Target
from edge_ptf.heads.classes import ClassHead
from edge_ptf.heads.losses import label_loss
from edge_ptf.heads.probabilities import softmax
from edge_ptf.heads.spec import HeadSpec
from edge_ptf.heads.token import OUTSIDE, TokenHead, TokenOptions, spans

if TYPE_CHECKING:
    from torch import Tensor

LINKS = 16
"""Numbers of a token that say to which other tokens it belongs, for each of the two roles."""
OBJECT = "object of "
SUBJECT_LINK, OBJECT_LINK = "subject link ", "object link "
RESERVED = (OBJECT, SUBJECT_LINK, OBJECT_LINK)
"""How the name of a relation cannot begin: such names are those of further columns."""
NO_RELATION = 0
"""The class of a pair without a relation; relation r of the options has the class r + 1."""
TAG = 0
"""The column of a target with the tags; the others are about pairs."""

Triple = tuple[int, str, int]
"""The place of the subject in the list of entities, the relation, and the place of the object."""


def column_names(tags: Sequence[str], relations: Sequence[str], links: int = LINKS) -> tuple[str, ...]:
    """The names of the columns of the logits. The name of a relation is that of the column about its subject."""
    return (
        *tags,
        *relations,
        *(f"{OBJECT}{name}" for name in relations),
        *(f"{SUBJECT_LINK}{number}" for number in range(1, links + 1)),
        *(f"{OBJECT_LINK}{number}" for number in range(1, links + 1)),
    )


def relations_of(labels: Sequence[str]) -> tuple[tuple[str, ...], int]:
    """The relations among the names of columns, and the number of links; the opposite of `column_names`."""
    others = [label for label in labels if label != OUTSIDE and not label.startswith(("B-", "I-"))]
    relations = tuple(label for label in others if not label.startswith(RESERVED))
    return relations, sum(label.startswith(SUBJECT_LINK) for label in others)


def label_of(tags: Sequence[str], triples: Sequence[Triple]) -> tuple[str, ...]:
    """A label, from its tags and its triples in any order."""
    ordered = sorted(triples, key=lambda triple: (triple[0], triple[2], triple[1]))
    return (*tags, *(f"{first} {second} {relation}" for first, relation, second in ordered))


def tags_of(label: Sequence[str]) -> tuple[str, ...]:
    """The tags of a label."""
    return tuple(part for part in label if " " not in part)


def triples_of(label: Sequence[str]) -> tuple[Triple, ...]:
    """The triples of a label."""
    parts = [part.split(" ", 2) for part in label if " " in part]
    return tuple((int(first), relation, int(second)) for first, second, relation in parts)


class TripleOptions(TokenOptions):
    """Settings of a head of the kind "triple"."""

    relations: tuple[str, ...] = Field((), description="The relations, in the order of their columns.")
    links: int = Field(0, ge=0, description="Numbers in the link of a token, for each of the two roles.")


class TripleHead(ClassHead):
    """Tags of words, as a head of the kind "token" gives them, and for each ordered pair of entities one relation.

    One linear layer gives all columns for each token: a logit for each tag, two for each relation (the token begins the
    subject, or the object), and two short vectors, the links. The score of a relation for a pair is the subject's logit
    at its first token, plus the object's logit, plus the dot product of the subject's link with the object's. No
    relation has the score 0. Without links no scores could say that of two people and two firms each belongs to its own
    firm: the sum over both right pairs would equal that over both wrong ones.
    """

    kind = "triple"
    logits_axes = ("batch", "token", "label")
    target_axes = ("batch", "token", "label")
    answers_a_list = True
    answers_with_text = True
    compares_words = True
    options_model = TripleOptions

    def __init__(self, spec: HeadSpec) -> None:
        """Raises ValueError where the labels are not the columns that the options describe, or are no BIO tags."""
        super().__init__(spec)
        relations, links = self.options.relations, self.options.links
        count = len(spec.labels) - 2 * len(relations) - 2 * links
        self.tags = tuple(spec.labels[: max(count, 0)])
        if OUTSIDE not in self.tags or spec.labels != column_names(self.tags, relations, links):
            raise ValueError(
                f"the labels of the head '{spec.name}' are not tags, {len(relations)} relations and {links} links"
            )
        self.tagger = TokenHead(TokenHead.declare(spec.task, self.tags, decoding=self.options.decoding))

    def settings(self) -> dict[str, str]:
        """The relations, and the decoding if it is not the usual one."""
        return {"relations": ", ".join(self.options.relations), **self.tagger.settings()}

    @property
    def single_columns(self) -> slice:
        """See Head. A link has a meaning only beside the other link of the same model."""
        return slice(len(self.tags) + 2 * len(self.options.relations), None)

    @staticmethod
    def auto_model() -> Any:
        """Token classification: one linear layer on each token."""
        return TokenHead.auto_model()

    # Training

    def target(self, example: Example, encoding: Encoding) -> Target:
        """[tokens, 1 + entities]: the tag at the first token of each word; and at the first token of each entity the
        class of its pair with each entity, in the order of their tokens. The rest is ignored.

        An entity whose first token was truncated, or begins another entity too, is left out of the pairs. If a pair has
        several relations, the first one counts.
        """
        tags = tags_of(example.label)
        firsts = [encoding.word_starts[first] for _, first, _ in spans(tags)]
        places = sorted({first for first in firsts if first >= 0})
        ids = np.full((len(encoding.input_ids), 1 + len(places)), self.ignored, self.target_dtype)
        ids[:, TAG] = self.tagger.target(Example(example.text, tags), encoding)
        ids[places, 1:] = NO_RELATION
        ids[places, 1 + np.arange(len(places))] = self.ignored
        for first, relation, second in reversed(triples_of(example.label)):
            pair = firsts[first], firsts[second]
            if min(pair) >= 0 and pair[0] != pair[1]:
                ids[pair[0], 1 + places.index(pair[1])] = 1 + self.options.relations.index(relation)
        return ids

    def no_target(self, encoding: Encoding) -> Target:
        """See Head."""
        return np.full((len(encoding.input_ids), 1), self.ignored, self.target_dtype)

    def batch_targets(self, targets: Sequence[Target], length: int) -> Target:
        """See Head. Targets have as many columns as the text has entities; the batch has as many as the widest."""
        widest = max(target.shape[1] for target in targets)
        padded = np.full((len(targets), length, widest), self.ignored, self.target_dtype)
        for row, target in zip(padded, targets, strict=True):
            row[: target.shape[0], : target.shape[1]] = target
        return padded

    def loss(self, logits: Tensor, targets: Tensor, smoothing: float = 0.0, reduction: Reduction = "mean") -> Tensor:
        """The cross-entropy of the tags, plus that of the ordered pairs of entities.

        Args:
            logits: [texts, tokens, labels].
            targets: [texts, tokens, 1 + most entities], see `target`.
            smoothing: share of each target that is spread over all tags, or over all classes of a pair.
            reduction: mean or sum, over the words and over the pairs.
        """
        import torch

        tags = label_loss(logits[..., : len(self.tags)], targets[..., TAG], smoothing, reduction)
        scores, wanted = [], []
        for row, target in zip(logits, targets[..., TAG + 1 :], strict=True):
            places = (target != self.ignored).any(-1).nonzero()[:, 0]
            if len(places):
                scores.append(self._pairs(row[places]).flatten(0, 1))
                wanted.append(target[places, : len(places)].flatten())
        if not scores:
            return tags
        return tags + label_loss(torch.cat(scores), torch.cat(wanted), smoothing, reduction)

    def distillation_loss(self, student: Tensor, teacher: Tensor, form: LogitLoss, temperature: float) -> Tensor:
        """The distance of the tags, plus that of the scores of pairs between the entities that the teacher finds.

        Args:
            student, teacher: [words, labels], of one text.
        """
        import torch

        count = len(self.tags)
        apart = super().distillation_loss(student[:, :count], teacher[:, :count], form, temperature)
        found = spans([self.tags[best] for best in teacher[:, :count].argmax(-1).tolist()])
        if len(found) < 2 or not self.options.relations:
            return apart
        places = torch.tensor([first for _, first, _ in found], device=student.device)
        different = ~torch.eye(len(found), dtype=torch.bool, device=student.device)
        own, wanted = (self._pairs(rows[places])[different] for rows in (student, teacher))
        return apart + super().distillation_loss(own, wanted, form, temperature)

    def _pairs(self, rows: Tensor) -> Tensor:
        """The scores of all ordered pairs of some tokens [entities, entities, 1 + relations]; see `pair_scores`."""
        from torch.nn.functional import pad

        return pad(self._related(rows), (1, 0))

    def pair_scores(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """The scores of all ordered pairs of some tokens [entities, entities, 1 + relations]; the first one is 0.

        Args:
            rows: the logits of the tokens that begin the entities, [entities, labels].
        """
        return np.pad(self._related(rows), ((0, 0), (0, 0), (1, 0)))

    def _related(self, rows: Any) -> Any:
        """The scores of the relations alone, of an array or a tensor."""
        at, count, links = len(self.tags), len(self.options.relations), self.options.links
        subject, object_ = rows[:, None, at : at + count], rows[None, :, at + count : at + 2 * count]
        at += 2 * count
        link = rows[:, None, at : at + links] * rows[None, :, at + links : at + 2 * links]
        return subject + object_ + link.sum(-1)[..., None]

    # Answers

    def decode(self, logits: Logits, encoding: Encoding, text: str) -> Prediction:
        """Tags and triples; the entities and the triples with their characters in the text.

        The score of a triple is the lowest of those of its entities and of its relation, that of the answer the lowest
        of all words and of all pairs.
        """
        tagged = self.tagger.decode(logits[:, : len(self.tags)], encoding, text)
        entities: list[dict[str, Any]] = tagged.details["entities"]
        firsts = [encoding.word_starts[first] for _, first, _ in spans(tagged.label)]
        shares = softmax(self.pair_scores(np.asarray(logits[firsts], np.float64)))
        best, score = shares.argmax(-1), tagged.score
        triples: list[Triple] = []
        shown = []
        for first, second in np.ndindex(best.shape):
            if first == second:
                continue
            relation = int(best[first, second])
            share = float(shares[first, second, relation])
            score = min(score, share)
            if relation != NO_RELATION:
                name, ends = self.options.relations[relation - 1], (entities[first], entities[second])
                triples.append((first, name, second))
                sure = min(share, *(float(end["score"]) for end in ends))
                shown.append({"subject": ends[0], "relation": name, "object": ends[1], "score": sure})
        label = label_of(tagged.label, triples)
        return Prediction(label, score, {"entities": entities, "triples": shown})

    def rules(self) -> tuple[str, ...]:
        """Those of tags, then the scores of a pair."""
        relations, links = len(self.options.relations), self.options.links
        return (
            f"The first {len(self.tags)} columns of the logits are tags.",
            *self.tagger.rules(),
            f"The next {relations} columns are the logits of the subject of each relation, the next {relations} those "
            f"of the object, then {links} numbers of the subject's link and {links} of the object's. The score of a "
            "relation for two entities is the subject's logit at the first token of the one, plus the object's logit "
            "at the first token of the other, plus the dot product of the subject's link and the object's there. No "
            "relation has the score 0. The probabilities are the softmax of these scores, and the largest one is the "
            "answer.",
        )

    @property
    def shifts(self) -> bool:
        """See TokenHead."""
        return True

    def matched_shift(
        self, logits: Sequence[Logits], encodings: Sequence[Encoding], answers: Sequence[Any]
    ) -> NDArray[np.float32] | None:
        """That of the tags. The scores of pairs stay as they are."""
        rows = [row[:, : len(self.tags)] for row in logits]
        found = self.tagger.matched_shift(rows, encodings, [tags_of(answer) for answer in answers])
        return None if found is None else np.pad(found, (0, len(self.spec.labels) - len(self.tags)))
