"""The results of each stage as typed facts, and the lineage that is written from them.

The program reads facts. It only writes and shows the lineage, which is for people and reports.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, Field

from edge_ptf.config import StrictModel
from edge_ptf.models.structure import LayerShape


class LineageStep(StrictModel):
    """One stage that made a checkpoint, graph or package: what a reader needs to repeat it. No times, no paths."""

    stage: str
    config: dict[str, Any] = Field(default_factory=dict)
    facts: dict[str, Any] = Field(default_factory=dict, description="Figures of the stage, such as validation metrics.")


class Facts(StrictModel):
    """Base of the facts of one stage. The lineage has no entry for a fact that is None."""

    stage: str

    def step(self, config: BaseModel | None = None) -> LineageStep:
        """The lineage's step of the stage with these options."""
        options = config.model_dump(mode="json") if config else {}
        found = self.model_dump(mode="json", exclude={"stage"}, exclude_none=True)
        return LineageStep(stage=self.stage, config=options, facts=found)


class TrainingFacts(StrictModel):
    """Results of a training run. Scores are in the unit of the task's first metric."""

    validation: tuple[float, ...] = Field(description="The validation score of each epoch.")
    kept_epoch: int = Field(description="The epoch whose weights were kept, from 1.")
    texts: int
    tokens_per_epoch: int
    device: str
    precision: str
    threads: int
    cpu_capability: str


class FinetuneFacts(TrainingFacts, Facts):
    """Results of a fine-tuning."""

    stage: Literal["finetune"] = "finetune"
    trained_parameters: int | None = Field(
        None, description="Numbers that were trained, where they are not all.", exclude_if=lambda count: count is None
    )
    parameters: int | None = Field(
        None, description="Numbers of the whole model.", exclude_if=lambda count: count is None
    )


class DistillFacts(TrainingFacts, Facts):
    """Results of a distillation."""

    stage: Literal["distill"] = "distill"
    teachers: int | None = Field(None, description="How many, where they are more than one.")
    further_texts: int
    split_words: int
    quantization: dict[str, Any] | None = Field(None, description="The INT8 whose rounding was taught.")
    matched_layers: tuple[int, ...] = Field(description="The teacher's hidden states that were compared, from 1.")
    texts_tokenized_differently: int


class PruneFacts(Facts):
    """Results of a pruning. Layers and hidden axes are counted from 0, in the model before the pruning."""

    stage: Literal["prune"] = "prune"
    skipped: str | None = Field(None, description="Why the model was left as it is.")
    kept_layers: tuple[int, ...] | None = None
    shapes: tuple[LayerShape, ...] | None = None
    latency_table: str | None = Field(None, description="Where the predicted times come from.")
    predicted_ms: float | None = None
    predicted_unpruned_ms: float | None = None
    refit_error_left: tuple[float, ...] | None = None
    kept_hidden: tuple[int, ...] | None = None
    vocabulary_skipped: str | None = Field(None, description="Why the vocabulary was left as it is.")
    subwords_before: int | None = Field(None, description="Subwords of the vocabulary.")
    subwords_after: int | None = None
    unknown_per_thousand_before: float | None = None
    unknown_per_thousand_after: float | None = None
    mean_tokens_before: float | None = None
    mean_tokens_after: float | None = None


class ExportFacts(Facts):
    """Results of an export."""

    stage: Literal["export"] = "export"
    parity_max_difference: float
    parity_texts: int


class QuantizeFacts(Facts):
    """Results of a quantization; the logits are compared with those of the FP32 graph."""

    stage: Literal["quantize"] = "quantize"
    mean_logit_difference: float
    same_answer_percent: float | None = None
    texts: int
    smoothed_inputs: int | None = None
    calibration: str | None = Field(None, description="The static ranges that were chosen or given.")
    calibration_logit_difference: dict[str, float] | None = Field(None, description="Of each way that was tried.")
    kept_fp32_by_range: tuple[str, ...] | None = None
    embedding_tables: int
    without_vnni: dict[str, int | float] | None = Field(None, description="How often 16-bit sums would saturate.")


class AssembleFacts(Facts):
    """Results of an assembly that changed the graph. The calibration errors are those on validation, in percent."""

    stage: Literal["assemble"] = "assemble"
    temperature: float | None = Field(None, description="What the logits were divided by.")
    ece_before: float | None = Field(None, description="Expected calibration error without the temperature.")
    ece_after: float | None = None
    heads: dict[str, dict[str, float]] | None = Field(
        None, description="Temperature and calibration errors of each head, by name, if there are several."
    )
    added_to_logits: dict[str, float] | None = None


CheckpointFacts: TypeAlias = Annotated[FinetuneFacts | PruneFacts | DistillFacts, Field(discriminator="stage")]
GraphFacts: TypeAlias = Annotated[ExportFacts | QuantizeFacts, Field(discriminator="stage")]


class Origin(StrictModel):
    """The layers and hidden axes of an unpruned checkpoint that are left after all its prunings."""

    model: str = Field(description="Digest of the unpruned checkpoint.")
    layers: tuple[int, ...] = Field(description="Its layers that are left, counted from 0.")
    hidden: tuple[int, ...] | None = Field(None, description="Its hidden axes that are left; None: all.")

    def pruned(self, layers: Sequence[int], hidden: Sequence[int] | None) -> Origin:
        """The origin after one more pruning, which kept these layers and these hidden axes (None: all)."""
        left = self.hidden
        if hidden is not None:
            left = tuple(hidden) if left is None else tuple(left[place] for place in hidden)
        return Origin(model=self.model, layers=tuple(self.layers[place] for place in layers), hidden=left)

    def layers_in(self, other: Origin) -> tuple[int, ...] | None:
        """The place of each layer in the other model; None if this model was not pruned from the other."""
        return _places(self.layers, other.layers) if self.model == other.model else None

    def hidden_in(self, other: Origin, width: int) -> tuple[int, ...] | None:
        """The place of each hidden axis in the other model; None if this model was not pruned from the other.

        Args:
            width: the other's hidden size.
        """
        if self.model != other.model:
            return None
        if self.hidden is None:
            return tuple(range(width)) if other.hidden is None else None
        return _places(self.hidden, range(width) if other.hidden is None else other.hidden)


def _places(own: Sequence[int], theirs: Sequence[int]) -> tuple[int, ...] | None:
    places = {number: place for place, number in enumerate(theirs)}
    return tuple(places[number] for number in own) if places.keys() >= set(own) else None
