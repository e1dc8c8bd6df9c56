"""The training loop of both stages: `transformers.Trainer` with length-grouped batches, a validation score after each
epoch, the last good epoch kept, and an epoch state from which a killed run resumes bit by bit.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from edge_ptf import models
from edge_ptf.config import StageConfig
from edge_ptf.examples import Example, Prediction, joined
from edge_ptf.heads import Head
from edge_ptf.heads.outputs import as_arrays
from edge_ptf.metrics import Direction, Metric
from edge_ptf.models.lineage import TrainingFacts
from edge_ptf.progress import Progress
from edge_ptf.tasks.base import Task
from edge_ptf.training.adapters import layer_rates
from edge_ptf.training.batching import Item, LengthGroupedBatches, collate
from edge_ptf.training.device import Precision, device_and_precision, on_gpu
from edge_ptf.training.epoch_states import kept_file, read_state, write_state

STATE = ".training"
SHARE = "share"
"""In a batch: the share of the training that is done before it."""
Watch = Callable[[Sequence[float]], str | None]
"""Takes the validation scores so far, in the metric's unit; what it returns is why training is to stop."""
SCORING_BATCH = 64
LOSS_STEPS = 10
"""Steps whose mean loss is shown."""
log = logging.getLogger(__name__)


class TrainingStopped(Exception):
    """Whoever watched a training saw no point in going on; its epoch states stay, so it can be taken up again."""

    def __init__(self, reason: str, history: Sequence[float]) -> None:
        """Args:
        reason: why, for people.
        history: the validation score of each epoch, in the metric's unit.
        """
        super().__init__(reason)
        self.reason, self.history = reason, tuple(history)


class OptimizationConfig(StageConfig):
    """What fine-tuning and distillation share."""

    epochs: int = Field(6, ge=1, description="Times the training texts are seen.")
    batch_size: int = Field(32, ge=1, description="Texts in one step.")
    learning_rate: float = Field(2e-4, gt=0, description="Largest step size.")
    optimizer: Literal["adamw", "sgd"] = Field("adamw", description="Update rule; SGD has momentum 0.9.")
    schedule: Literal["linear", "cosine", "constant"] = Field("linear", description="Course of the learning rate.")
    warmup: float = Field(0.1, ge=0, lt=1, description="Share of the steps in which the learning rate rises.")
    weight_decay: float = Field(0.01, ge=0, description="Not applied to embeddings, biases and LayerNorm.")
    max_gradient_norm: float = Field(1.0, gt=0, description="Longer gradients are clipped to this length.")
    layer_decay: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Learning rate of each layer, as a share of that of the layer above it; 1: all learn alike.",
        exclude_if=lambda decay: decay == 1,
    )
    dropout: float | None = Field(None, ge=0, lt=1, description="Replaces the model's own dropout.")
    patience: int = Field(0, ge=0, description="Stop after so many epochs without a better validation score; 0: never.")
    precision: Precision = Field("auto", description="bf16 where the machine is quick at it, or as said.")
    seed: int = Field(0, ge=0, description="Seed of initialisation, order and dropout.")


@dataclass(frozen=True, slots=True)
class Setup:
    """What one training run works on.

    `loss(outputs, batch)` gives a scalar from the model's outputs; `score()` the score of `metric` after an epoch, in
    its unit, over `scored` validation examples.
    """

    model: Any
    head: Head
    items: Sequence[Item]
    inputs: tuple[str, ...]
    pad: int
    loss: Callable[[Any, dict[str, Any]], Any]
    score: Callable[[], float]
    metric: Metric
    scored: int
    hidden_states: bool = False
    watch: Watch | None = None


def train(setup: Setup, config: OptimizationConfig, out: Path, title: str, progress: Progress) -> TrainingFacts:
    """Trains `setup.model` in place and leaves in it the weights of the last epoch that is no worse than noise.

    The state in `out`, from which a killed training resumes, is the caller's to remove once the weights are written.

    A score within one standard error of the best (Breiman et al., Classification and Regression Trees, 1984, 3.4.3)
    does not tell two epochs apart; of those the last had the smallest steps.

    Raises:
        TrainingStopped: `setup.watch` saw no point in going on.
    """
    from torch.utils.data import DataLoader
    from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments, set_seed

    state = out / STATE
    state.mkdir(parents=True, exist_ok=True)
    where = device_and_precision(config.precision)
    model = setup.model.to("cuda" if on_gpu() else "cpu")
    if not on_gpu():
        model.set_attn_implementation("eager")  # torch's fused attention is slow on the CPU at a dozen tokens
    sampler = LengthGroupedBatches.of(setup.items, setup.head, config.batch_size, config.seed)
    steps, losses, note = len(sampler), list[Any](), ""

    class Batches(DataLoader):  # type: ignore[type-arg]
        """Passes the epoch on to the sampler."""

        def set_epoch(self, epoch: int) -> None:
            sampler.set_epoch(epoch)

    class Loop(Trainer):  # type: ignore[misc]
        """Our batches and our loss in the library's loop."""

        def get_train_dataloader(self) -> Any:
            return Batches(
                setup.items,  # type: ignore[arg-type]
                batch_sampler=sampler,
                collate_fn=lambda items: collate(items, setup.inputs, setup.pad, setup.head),
            )

        def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, **_: Any) -> Any:
            wanted = {name: inputs[name] for name in setup.inputs}
            outputs = model(**wanted, output_hidden_states=setup.hidden_states, return_dict=True)
            share = self.state.global_step / max(self.state.max_steps, 1)
            loss = setup.loss(outputs, {**inputs, SHARE: share})
            losses.append(loss.detach())
            return (loss, outputs) if return_outputs else loss

    class Listener(TrainerCallback):  # type: ignore[misc]
        """Progress, the validation score, the best weights, early stopping, and the mark of a whole epoch state."""

        def on_step_end(self, args: Any, run: Any, control: Any, **_: Any) -> None:
            nonlocal note
            if len(losses) >= LOSS_STEPS:  # a GPU is not asked for each one
                parts = [f"epoch {len(history) + 1} of {config.epochs}", f"loss {float(sum(losses)) / len(losses):.4g}"]
                parts += [f"validation {history[-1]:.{setup.metric.digits}f}"] if history else []
                note = ", ".join(parts)
                losses.clear()
            progress.advance(note=note)

        def on_epoch_end(self, args: Any, run: Any, control: Any, **_: Any) -> None:
            score = setup.score()
            history.append(score)
            if kept_epoch(history, setup.metric, setup.scored) == len(history):
                _save_weights(model, kept_file(state, len(history)))
            if _is_enough(history, setup.metric.direction, config.patience):
                control.should_training_stop = True
            log.info("%s: epoch %d: validation %.4f", title, len(history), score)

        def on_save(self, args: Any, run: Any, control: Any, **_: Any) -> None:
            kept = kept_epoch(history, setup.metric, setup.scored)
            write_state(state, f"checkpoint-{run.global_step}", history, kept)
            if setup.watch and len(history) < config.epochs and (reason := setup.watch(history)):
                shutil.rmtree(out / STATE)  # nobody will go on with it, and a search stops many
                raise TrainingStopped(reason, history)

    resumed = read_state(state, progress)
    latest, history = resumed.checkpoint, list(resumed.history)
    set_seed(config.seed)
    optimizer = _optimizer(model, config)
    loop = Loop(
        model=model,
        args=TrainingArguments(
            output_dir=str(state),
            per_device_train_batch_size=config.batch_size,
            num_train_epochs=config.epochs,
            max_grad_norm=config.max_gradient_norm,
            bf16=where["precision"] == "bf16",
            use_cpu=not on_gpu(),
            save_strategy="epoch",
            save_total_limit=2,
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
            remove_unused_columns=False,
            seed=config.seed,
            dataloader_pin_memory=False,
        ),
        callbacks=[Listener()],
        optimizers=(optimizer, _schedule(optimizer, config, steps * config.epochs)),
    )
    loop.remove_callback(PrinterCallback)
    progress.start(title, steps * config.epochs, steps * len(history))
    try:
        with _quiet():
            if not _is_enough(
                history, setup.metric.direction, config.patience
            ):  # an earlier run may have been killed when it had just stopped
                loop.train(resume_from_checkpoint=str(latest) if latest else None)
    finally:
        progress.finish()
    _load_weights(model, kept_file(state, kept_epoch(history, setup.metric, setup.scored)))
    model.cpu().eval()
    return TrainingFacts(
        validation=tuple(round(score, setup.metric.digits) for score in history),
        kept_epoch=kept_epoch(history, setup.metric, setup.scored),
        texts=len(setup.items),
        tokens_per_epoch=sum(len(item.encoding.input_ids) for item in setup.items),
        **where,
    )


def predictor(
    model: Any, task: Task, items: Sequence[Item], examples: Sequence[Example], inputs: tuple[str, ...], pad: int
) -> Callable[[], list[Prediction]]:
    """A function that gives the model's present answers to `examples`.

    Args:
        items: of the examples, in their order; an example has one for each of its windows.
    """
    import torch

    def predict() -> list[Prediction]:
        found: dict[int, Any] = {}
        training, head = model.training, task.head
        model.eval()
        device = next(model.parameters()).device
        with torch.no_grad():
            for batch in by_length(items, SCORING_BATCH):
                tensors = collate([items[index] for index in batch], inputs, pad, head)
                feeds = {name: tensors[name].to(device) for name in inputs}
                logits = as_arrays(model(**feeds, return_dict=True).logits)
                for place, index in enumerate(batch):
                    found[index] = head.of_text(logits, place, len(items[index].encoding.input_ids))
        model.train(training)
        texts: list[list[int]] = [[] for _ in examples]
        for index, item in enumerate(items):
            texts[item.text].append(index)
        answers = []
        for example, members in zip(examples, texts, strict=True):
            logits = np.concatenate([found[at] for at in members]) if len(members) > 1 else found[members[0]]
            answers.append(head.decode(logits, joined([items[at].encoding for at in members]), example.text))
        return answers

    return predict


def by_length(items: Sequence[Item], size: int) -> Iterator[list[int]]:
    """Indexes in batches of like length, shortest first."""
    order = sorted(range(len(items)), key=lambda index: len(items[index].encoding.input_ids))
    for start in range(0, len(order), size):
        yield order[start : start + size]


def freeze(model: Any, *, embeddings: bool, layers: int) -> None:
    """Switches off the gradients of the embeddings and of the first layers."""
    frozen = [models.encoder(model).embeddings] if embeddings else []
    if layers:
        frozen += list(models.layers(model)[:layers])
    for module in frozen:
        module.requires_grad_(False)


def kept_epoch(history: Sequence[float], metric: Metric, scored: int) -> int:
    """The last epoch, from 1, whose score over `scored` examples is within one standard error of the best.

    A score that is not a number is worse than any other.
    """
    best = metric.direction.best(history)
    as_good = [epoch for epoch, score in enumerate(history, 1) if metric.as_good(score, best, scored)]
    return max(as_good, default=len(history))


def _optimizer(model: Any, config: OptimizationConfig) -> Any:
    import torch

    factors = {id(value): factor for value, factor in layer_rates(model, config.layer_decay)}
    groups: dict[tuple[float, float], list[Any]] = {}
    for name, value in model.named_parameters():
        if value.requires_grad:
            decay = 0.0 if value.ndim < 2 or "embeddings" in name else config.weight_decay
            groups.setdefault((factors[id(value)], decay), []).append(value)
    options = [
        {"params": values, "weight_decay": decay, "lr": config.learning_rate * factor}
        for (factor, decay), values in sorted(groups.items(), key=lambda item: item[0], reverse=True)
    ]
    if config.optimizer == "sgd":
        return torch.optim.SGD(options, lr=config.learning_rate, momentum=0.9)
    return torch.optim.AdamW(options, lr=config.learning_rate, fused=True)


def _schedule(optimizer: Any, config: OptimizationConfig, steps: int) -> Any:
    from transformers import get_scheduler

    names = {"linear": "linear", "cosine": "cosine", "constant": "constant_with_warmup"}
    return get_scheduler(
        names[config.schedule],
        optimizer,
        num_warmup_steps=int(config.warmup * steps),
        num_training_steps=steps,
    )


def _is_enough(history: Sequence[float], direction: Direction, patience: int) -> bool:
    """Whether the last `patience` epochs brought no better score than those before."""
    if not 0 < patience < len(history):
        return False
    return not direction.lead(direction.best(history[-patience:]), direction.best(history[:-patience])) > 0


def _save_weights(model: Any, path: Path) -> None:
    from safetensors.torch import save

    draft = path.with_suffix(".draft")
    draft.write_bytes(save({name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}))
    draft.replace(path)


def _load_weights(model: Any, path: Path) -> None:
    from safetensors.torch import load_file

    model.load_state_dict(load_file(path))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the library's own notices and bars away; ours go through Progress."""
    from transformers.utils import logging as notices

    level, bars = notices.get_verbosity(), notices.is_progress_bar_enabled()
    notices.set_verbosity_error()
    notices.disable_progress_bar()
    try:
        yield
    finally:
        notices.set_verbosity(level)
        if bars:
            notices.enable_progress_bar()
