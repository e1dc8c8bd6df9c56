"""The command as a process, and tiny projects to run it in."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands import edge_ptf

INTENTS = {
    "light": ("turn on the lights", "turn off the light in the kitchen", "lights on please", "light off in bedroom"),
    "timer": ("set a timer for ten minutes", "timer five minutes", "set timer please", "a timer for five minutes"),
    "music": ("play some jazz", "play music please", "play some music in the kitchen", "jazz music please"),
}
QUICK = (
    *("--set", "finetune.epochs=1", "--set", "distill.epochs=1", "--set", "distill.spliced_texts=0.2"),
    *("--set", "bench.launches=5", "--set", "bench.calls=100", "--set", "bench.seconds=0"),
    *("--set", "bench.memory_launches=2", "--set", "prune.vocabulary_size=null"),
)

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """`run("compress", …)` in a directory of its own; gives exit code, stdout and stderr."""

    def call(*arguments: object, env: dict[str, str] | None = None, text: str | None = None) -> object:
        return edge_ptf(tmp_path, *arguments, env=env, text=text)

    return call  # type: ignore[return-value]


@pytest.fixture(scope="session")
def csv_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with train, validation and test: 3 intents, 96 / 24 / 48 rows."""
    folder = tmp_path_factory.mktemp("csv-data")
    for number, (split, count) in enumerate({"train": 32, "validation": 8, "test": 16}.items()):
        rows = ["text,label"]
        for index in range(count):
            for label, texts in INTENTS.items():
                rows.append(f"{texts[index % 4]} {'now ' * number}{index},{label}")
        (folder / f"{split}.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder
