"""What work a job of `compress` has, so that the first measured speed tells when the whole ends."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_ptf import tasks
from edge_ptf.compression.pruning import wanted_shapes
from edge_ptf.data.dataset import DataReport
from edge_ptf.models import FAMILIES, LayerShape
from edge_ptf.models.base_models import open_base
from edge_ptf.package.assembly import SPLICED_TEXTS

if TYPE_CHECKING:
    from edge_ptf.preparation import Job

FORWARD = 1 / 3
"""The work of answering a text, as a share of a training step with it: forward is a third, backward the rest."""
FIXED = 0.7
"""Share of a distillation step that does not shrink with the student's layers: hidden states, embeddings, the update.
Rough, from one run of the demo on one core: 3.4 ms a text, where fine-tuning the teacher took 4.1 ms."""
ALONE = 1.0
"""The same for a text that is answered alone by one thread, in FP32. Rough; the stage corrects it once it runs."""
INT8 = 1 / 3
"""How much of that INT8 leaves. Rough as well."""


@dataclass(frozen=True, slots=True)
class Part:
    """Work with one title.

    `effort` counts training steps of the teacher with one text; `seconds` is for work that takes a fixed time.
    """

    title: str
    effort: float = 0.0
    seconds: float = 0.0


class ExpectedWork:
    """The parts of a job that are still to come. Work of a few seconds, such as an export, does not count."""

    def __init__(self) -> None:
        self.parts: list[Part] | None = None
        self.seconds_per_effort: float | None = None
        self.current: Part | None = None

    def expect(self, parts: list[Part] | None) -> None:
        """Takes what is to come; None: unknown."""
        self.parts = parts

    def begin(self, title: str) -> None:
        """This work begins. What stood before it is done or was reused."""
        titles = [part.title for part in self.parts or []]
        if self.parts is not None and title in titles:
            place = titles.index(title)
            self.current, self.parts = self.parts[place], self.parts[place + 1 :]

    def seconds_after(self, title: str, seconds: float) -> float | None:
        """Seconds of all that comes after work of this title, which takes `seconds` in all; None: unknown."""
        if self.parts is None:
            return None
        if self.current and self.current.title == title and self.current.effort:
            self.seconds_per_effort = seconds / self.current.effort
        effort = sum(part.effort for part in self.parts)
        if effort and self.seconds_per_effort is None:
            return None
        return effort * (self.seconds_per_effort or 0.0) + sum(part.seconds for part in self.parts)


def parts_of(job: Job, report: DataReport) -> list[Part] | None:
    """The work of a job in its order.

    Returns:
        None where it is not known: the targets decide what is trained, the family of the model is unknown, there are
        texts that the report does not count, or folds or further seeds are trained too.
    """
    recipe, shapes = job.recipe, _shapes(open_base(job.model).path)
    if shapes is None or recipe.search.automatic or recipe.data.unlabelled or recipe.cross_validation.folds:
        return None
    if recipe.repetition.seeds > 1:
        return None
    texts, validated, tested = (report.splits[name].rows for name in ("train", "validation", "test"))
    taught = texts * (1 + recipe.distill.spliced_texts + recipe.distill.substituted_texts)
    share, steps = _share(job, shapes), recipe.gradual.steps
    teacher = Part("Fine-tune", recipe.finetune.epochs * texts)
    tunes = tasks.create(job.task.spec_for(("O",), recipe.data.out_of_scope_label)).head.tunes
    parts = [*([] if job.skip_finetune else [teacher]), *([Part("Assemble", ALONE * validated)] if tunes else [])]
    for step in range(1, steps + 1):
        if recipe.prune.importance == "fisher":
            parts.append(Part("Importance", min(recipe.prune.samples, validated)))
        if step == 1:
            parts += [teacher] * (recipe.ensemble.teachers - 1)
        parts += [Part("Ask the teacher", FORWARD * taught)] * recipe.ensemble.teachers
        epochs = recipe.distill.epochs if step == steps else recipe.gradual.epochs
        smaller = (1 - FIXED) * (1 - share) * step / steps
        parts.append(Part("Distill", epochs * taught * (1 - smaller)))
    if tunes:
        asked = validated + SPLICED_TEXTS
        parts += [Part("Ask the baseline", ALONE * asked), Part("Assemble", ALONE * INT8 * share * asked)]
    parts += [Part("Evaluate", ALONE * tested), Part("Evaluate", ALONE * INT8 * share * tested)]
    return [*parts, Part("Bench", seconds=recipe.bench.launches * recipe.bench.pace.seconds)]


def _shapes(base: Path) -> list[LayerShape] | None:
    """The layers of a pretrained model, from its configuration; None for a family that cannot be pruned."""
    config: dict[str, Any] = json.loads((base / "config.json").read_text(encoding="utf-8"))
    family = FAMILIES.get(config.get("model_type", ""))
    heads = config.get("num_attention_heads", config.get("n_heads"))
    if family is None or not heads or not {family.layer_count, family.feed_forward_size} <= set(config):
        return None
    shape = LayerShape(num_heads=heads, intermediate_size=config[family.feed_forward_size])
    return [shape] * int(config[family.layer_count])


def _share(job: Job, shapes: list[LayerShape]) -> float:
    """The weights of the student's layers as a share of the teacher's."""
    prune = job.recipe.prune
    if prune.speedup is not None:
        return min(1 / prune.speedup, 1.0)
    kept = wanted_shapes(prune, shapes).values()
    full = shapes[0]  # of a usual layer's weights a third is attention
    each = [
        shape.num_heads / full.num_heads / 3 + 2 / 3 * shape.intermediate_size / full.intermediate_size
        for shape in kept
    ]
    width = prune.hidden_size if prune.hidden_size is not None and prune.hidden_size <= 1 else 1.0
    return width * sum(each) / len(shapes)
