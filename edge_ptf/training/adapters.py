"""Parameter-efficient fine-tuning: a small part of the weights is trained, and becomes part of the model afterwards.

The methods, by `peft` unless it is said otherwise:
- LoRA: a product of two narrow matrices is added to each weight matrix (Hu et al. 2021, arXiv 2106.09685).
- DoRA: LoRA for the direction of a matrix, and its lengths apart (Liu et al. 2024, arXiv 2402.09353).
- IA³: keys, values and feed-forward neurons are multiplied by numbers (Liu et al. 2022, arXiv 2205.05638).
- BitFit: only the biases are trained (Ben Zaken et al. 2021, arXiv 2106.10199). It needs no library.

The head is new, so it is trained whole with each of them, and the pooler with it. Prefix and prompt tuning are not
here: they add tokens to each call, so they cannot become part of the weights.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from edge_ptf import models
from edge_ptf.errors import BadInputError

Method = Literal["full", "lora", "dora", "ia3", "bitfit"]
FOLDER = "adapter"
"""In the directory of a checkpoint: the adapter alone, as `peft` loads it."""
FILES = ("adapter_config.json", "adapter_model.safetensors")


class Adapter:
    """What was put into a model for one of the methods."""

    def __init__(self, model: Any, method: Method, rank: int, alpha: int, dropout: float) -> None:
        """Freezes the encoder, and adds what the method trains. `full` changes nothing.

        Args:
            model: with its head; changed in place.
            rank: of the two matrices of LoRA and DoRA.
            alpha: their product is multiplied by this number, divided by the rank.
            dropout: of the input of LoRA and DoRA.

        Raises:
            BadInputError: the layers of the model's family are not known.
        """
        self.model, self.method = model, method
        self.peft: Any = None
        if method == "full":
            return
        if not models.is_known(model):
            raise BadInputError(
                f"finetune.method is {method}, but the layers of the model family '{model.config.model_type}' are not "
                "known",
                hint=f"Use finetune.method=full, or a model of one of these: {', '.join(models.FAMILIES)}",
            )
        if method == "bitfit":
            self._only_biases()
        else:
            self._add(method, rank, alpha, dropout)

    def train_rows(self, ids: Sequence[int]) -> None:
        """Trains some rows of the word embeddings too: those of tokens that the pretrained model does not know.

        The rows are in the merged model, not in the file of the adapter.
        """
        import torch

        if self.method == "full" or not ids:
            return
        weight = models.word_embeddings(self.model).weight
        kept = torch.zeros(len(weight), 1)
        kept[list(ids)] = 1
        weight.requires_grad_(True)
        weight.register_hook(lambda gradient: gradient * kept.to(gradient.device))

    def merge(self, out: Path, base_name: str) -> None:
        """Writes the adapter alone, and puts it into the weights; then the model is as it was, with new weights.

        Args:
            out: the directory of the checkpoint.
            base_name: the pretrained model, as the adapter's configuration names it.
        """
        if self.peft is None:
            self.model.requires_grad_(True)
            return
        folder = out / FOLDER
        self.peft.save_pretrained(str(folder), save_embedding_layers=False)  # see train_rows
        for file in folder.iterdir():
            if file.name not in FILES:
                file.unlink()  # a model card
        about = folder / FILES[0]
        written = json.loads(about.read_text(encoding="utf-8")) | {"base_model_name_or_path": base_name}
        about.write_text(json.dumps(written, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        self.peft.merge_and_unload()
        self.model.requires_grad_(True)

    def _only_biases(self) -> None:
        whole = {id(value) for module in self._of_the_head().values() for value in module.parameters()}
        for name, value in self.model.named_parameters():
            value.requires_grad_(id(value) in whole or name.endswith("bias"))

    def _add(self, method: Method, rank: int, alpha: int, dropout: float) -> None:
        from peft import IA3Config, LoraConfig, get_peft_model

        names = {id(module): name for name, module in self.model.named_modules()}
        linear = {role: [names[id(module)] for module in found] for role, found in self._linear().items()}
        whole = list(self._of_the_head())
        if method == "ia3":
            config: Any = IA3Config(
                target_modules=[*linear["key"], *linear["value"], *linear["down"]],
                feedforward_modules=linear["down"],
                modules_to_save=whole,
            )
        else:
            config = LoraConfig(
                r=rank,
                lora_alpha=alpha,
                lora_dropout=dropout,
                use_dora=method == "dora",
                target_modules=[name for found in linear.values() for name in found],
                modules_to_save=whole,
            )
        self.peft = get_peft_model(self.model, config)

    def _linear(self) -> dict[str, list[Any]]:
        """The linear modules of all layers, by their role. A layer without heads or neurons lacks some."""
        found: dict[str, list[Any]] = {role: [] for role in ("query", "key", "value", "output", "up", "down")}
        for part in models.parts(self.model):
            family = part.family
            if part.num_heads:
                for role, path in zip(found, (*family.projections, family.attention_output), strict=False):
                    found[role].append(part.get(path))
            if part.intermediate_size:
                found["up"].append(part.get(family.feed_forward_input))
                found["down"].append(part.get(family.feed_forward_output))
        return found

    def _of_the_head(self) -> dict[str, Any]:
        """The modules with weights of all heads, and of the pooler of the encoder, by their names."""
        model, encoder = self.model, models.encoder(self.model)
        found = [child for head in models.headed(model) for child in head.children() if child is not encoder]
        pooler = models.family_of(model).pooler
        if pooler is not None:
            found += [child for name, child in encoder.named_children() if name == pooler.partition(".")[0]]
        names = {id(module): name for name, module in model.named_modules()}
        inner = [each for module in found for each in module.modules()]
        return {names[id(each)]: each for each in inner if any(True for _ in each.parameters(recurse=False))}


def trained_parameters(model: Any) -> int:
    """How many numbers of a model are trained."""
    return sum(value.numel() for value in model.parameters() if value.requires_grad)


def layer_rates(model: Any, decay: float) -> Iterator[tuple[Any, float]]:
    """Each trained parameter with the factor of its learning rate: 1 in the head, `decay` less for each layer below.

    The embeddings have the smallest one (ULMFiT: Howard and Ruder 2018, arXiv 1801.06146, section 3.2).
    """
    stack = list(models.layers(model)) if models.is_known(model) else []
    depth = {id(value): number for number, layer in enumerate(stack) for value in layer.parameters()}
    inside = {id(value) for value in models.encoder(model).parameters()}
    for name, value in model.named_parameters():
        if not value.requires_grad:
            continue
        if id(value) in depth:
            yield value, decay ** (len(stack) - depth[id(value)])
        elif id(value) in inside and "embeddings" in name:
            yield value, decay ** (len(stack) + 1)
        else:
            yield value, 1.0
