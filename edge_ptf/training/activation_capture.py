"""Reading what modules inside a model give while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any


class ActivationCapture:
    """Within it `given` holds what each of some modules gave in the model's last run, gradients and all."""

    def __init__(self, modules: Sequence[Any]) -> None:
        self.modules = modules
        self.given: list[Any] = [None] * len(modules)

    def __enter__(self) -> ActivationCapture:
        self.hooks = [module.register_forward_hook(self._keeping(number)) for number, module in enumerate(self.modules)]
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        for hook in self.hooks:
            hook.remove()
        self.given = [None] * len(self.modules)

    def _keeping(self, number: int) -> Any:
        def keep(module: Any, arguments: tuple[Any, ...], output: Any) -> None:
            self.given[number] = output

        return keep
