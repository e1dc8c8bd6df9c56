"""The declaration of a head: its kind, and the graph's output tensors with their axes, labels and options."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from edge_ptf.config import StrictModel

Axis = Literal["batch", "token", "label", "number"]
"""number: the numbers of a vector, as many as the graph says."""

LOGITS = "logits"
"""The output role that every kind has."""


class OutputSpec(StrictModel):
    """One output tensor of a graph, as a head reads it."""

    tensor: str = Field(description="Name of the tensor in the graph.")
    axes: tuple[Axis, ...] = Field(description="What each axis counts; batch is the first.")
    dtype: Literal["float32"] = "float32"


class HeadSpec(StrictModel):
    """What must be known to turn the outputs of a graph into answers. Checkpoint, graph and manifest carry it."""

    name: str
    task: str = Field(description="Task name, as in --task.")
    kind: str = Field(
        description="How answers are made, such as text (a label for each text) or token (a BIO tag for each word)."
    )
    outputs: dict[str, OutputSpec] = Field(description="By role; the role logits is in every head of one task.")
    labels: tuple[str, ...] = Field(description="Label names; the index is the class id.")
    options: dict[str, Any] = Field(default_factory=dict, description="Settings of this kind of head.")

    @model_validator(mode="after")
    def _outputs_fit_the_kind(self) -> HeadSpec:
        from edge_ptf.heads import HEADS  # the heads themselves need this module

        if self.kind not in HEADS:
            raise ValueError(f"'{self.kind}' is not a known kind of head ({', '.join(HEADS)})")
        if axes := HEADS[self.kind].logits_axes:  # a head over several has the logits of each under its name
            if LOGITS not in self.outputs:
                raise ValueError(f"the head '{self.name}' has no output '{LOGITS}'")
            if self.logits.axes != axes:
                raise ValueError(f"the logits of the kind '{self.kind}' have the axes {', '.join(axes)}")
        for role, output in self.outputs.items():
            if output.axes[:1] != ("batch",) or output.axes.count("batch") != 1:
                raise ValueError(f"the axes of the output '{role}' do not begin with batch, or name it twice")
        HEADS[self.kind].read_options(self.options)
        return self

    def with_options(self, **changes: Any) -> HeadSpec:
        """The spec with some options changed."""
        return self.replace(options={**self.options, **changes})

    @property
    def logits(self) -> OutputSpec:
        """The output whose role is logits."""
        return self.outputs[LOGITS]

    @property
    def per_token(self) -> bool:
        """Whether the logits have a token axis; of several heads, whether any have one."""
        read = [self.logits] if LOGITS in self.outputs else self.outputs.values()
        return any("token" in output.axes for output in read)
