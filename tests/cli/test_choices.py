"""Names on the command line: near matches of wrong ones, and what a shell completes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from edge_ptf.cli.choices import metric_names


def completed(line: str) -> list[str]:
    """What bash is offered for the last word of `line`."""
    words = line.split(" ")
    env = {**os.environ, "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1), "_EDGE_PTF_COMPLETE": "bash_complete"}
    done = subprocess.run(
        [sys.executable, "-m", "edge_ptf"], env=env, capture_output=True, text=True, check=True, timeout=60
    )
    return [name for kind, _, name in (entry.partition(",") for entry in done.stdout.splitlines()) if kind == "plain"]


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("edge-ptf comp", ["compress", "compare"]),
        ("edge-ptf profiles li", ["list"]),
        ("edge-ptf compress --profile x86-v", ["x86-vnni"]),
        ("edge-ptf check --task t", ["text-classification", "token-classification"]),
        ("edge-ptf compress --max-drop ", ["accuracy=", "in_scope_accuracy=", "out_of_scope_recall=", "micro_f1="]),
        ("edge-ptf compress --task token-classification --max-drop ", ["entity_f1="]),
        ("edge-ptf compress --task text-classification --max-drop acc", ["accuracy="]),
        ("edge-ptf compress --task a=text-cl", ["a=text-classification"]),
        (
            "edge-ptf compress --task a=text-classification --task b=token-classification --max-drop ",
            ["a.accuracy=", "b.entity_f1="],
        ),
        ("edge-ptf compress --set finetune.ep", ["finetune.epochs="]),
        ("edge-ptf compress --set spe", ["speed_check."]),
        ("edge-ptf compress --data de", ["demo", "demo:ner"]),
        ("edge-ptf compress --model mini", ["minilm-l6"]),
    ],
)
def test_the_shell_completes_names(line: str, names: list[str]) -> None:
    offered = completed(line)
    assert set(names) <= set(offered)
    if not line.endswith(" "):
        assert all(name.startswith(line.rsplit(" ", maxsplit=1)[-1]) for name in offered)


def test_completion_waits_for_the_other_task() -> None:
    assert completed("edge-ptf compress --task a=text-classification --max-drop ") == []


def test_completion_offers_the_metrics_of_the_task_alone() -> None:
    offered = completed("edge-ptf compress --task text-classification --out-of-scope-label oos --max-drop ")
    assert offered == [f"{name}=" for name in metric_names("text-classification", "oos")]
    assert "accuracy=" not in offered


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        (["compres"], "Did you mean compress"),
        (["compress", "--task", "text-clasification"], "Did you mean text-classification"),
        (["compress", "--max-drop", "acuracy=1"], "Did you mean accuracy"),
        (["finetune", "--schedule", "liner"], "Did you mean linear"),
    ],
)
def test_a_wrong_name_is_answered_with_the_near_ones(
    run: Callable, csv_data: object, tiny_base: Callable, arguments: list[str], near: str
) -> None:
    whole = ["--profile", "x86-generic", "--model", tiny_base("bert"), "--data", csv_data, "--out", "out", "--dry-run"]
    task = [] if "--task" in arguments else ["--task", "text-classification"]
    done = run(*arguments, *([*whole, *task] if arguments[0] == "compress" else []))
    assert done.returncode == 2
    assert near in done.stderr
