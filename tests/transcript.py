"""The transcript in docs/tutorial/own-csv.md: one CSV file with `;`, checked, compressed, and asked from four places.

    python -m tests.transcript --environment build/wheel/env build/wheel/transcript           # compares
    python -m tests.transcript --environment build/wheel/env build/wheel/transcript --write   # writes the page

It runs every command in an environment in which only the wheel is installed (`make wheel-test`). Times and scores
differ between machines, so it compares the commands, the programs, the exit codes, and the answers of each place.
Needs the C++ runner (`make runner`), a C compiler and chromium.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "tutorial" / "own-csv.md"
TEXTS = ("turn on the lights in the kitchen", "set an alarm for seven tomorrow")
ROWS = 40
"""Rows of a class. The demo data have more."""
PYTHON = f"""\
import edge_ptf

runner = edge_ptf.Runner("build/orders/package.eptf")
for text in {json.dumps(TEXTS)}:
    print(runner.answer(text).label)
"""
C = """\
#include <edge_ptf.h>
#include <stdio.h>

int main(int count, char** arguments) {
  edge_ptf_runner* runner = NULL;
  edge_ptf_result* result = NULL;
  edge_ptf_status status = edge_ptf_open(arguments[1], NULL, &runner);
  if (status == EDGE_PTF_OK) status = edge_ptf_result_create(runner, &result);
  for (int i = 2; i < count && status == EDGE_PTF_OK; ++i) {
    status = edge_ptf_predict(result, arguments[i], EDGE_PTF_TERMINATED, NULL, 0);
    if (status == EDGE_PTF_OK) puts(edge_ptf_result_label(result, 0));
  }
  if (status != EDGE_PTF_OK) fprintf(stderr, "%s\\n", edge_ptf_last_error());
  edge_ptf_result_destroy(result);
  edge_ptf_close(runner);
  return (int)status;
}
"""
QUOTED = " ".join(f'"{text}"' for text in TEXTS)
BROWSER = "chromium --headless --no-sandbox --virtual-time-budget=5000 --dump-dom build/orders/report.html"


@dataclass(frozen=True)
class Step:
    """One command of the page, and what must hold of its output."""

    title: str
    words: str
    command: str
    codes: tuple[int, ...] = (0,)
    answers: str = ""
    """A regular expression; all its matches are compared with those on the page."""
    shown: str = ""
    """A regular expression for the lines that the page shows; empty: all."""
    program: str = ""
    """A file that the page shows before the command, as `name\\ncontent`."""
    language: str = ""


STEPS = (
    Step(
        "The file",
        "The columns have other names than `text` and `label`, and `;` separates them.",
        "head -4 orders.csv",
    ),
    Step(
        "Check it",
        "Nothing is trained. `check` says how it read the file, and what the test rows can prove.",
        "edge-ptf check orders.csv --task text-classification --out-of-scope-label out_of_scope"
        " --max-drop in_scope_accuracy=5",
        answers=r"separated by '(.)'|column '?(utterance|intent)'?",
    ),
    Step(
        "Compress it",
        "This run is short, so that it can be repeated in a minute or two. It keeps two layers and trains little.",
        "edge-ptf compress --profile x86-generic --model minilm-l6 --data orders.csv --task text-classification"
        " --out-of-scope-label out_of_scope --set prune.num_layers=2 --set finetune.epochs=8 --set distill.epochs=8"
        " --set bench.launches=5 --set bench.seconds=0.5 --max-drop in_scope_accuracy=50"
        " --max-drop out_of_scope_recall=80 --min-speedup 2 --out build/orders",
        codes=(0, 4),
        answers=r"(?m)^Package: (\S+)$",
        shown=r"^  (finetune|export|assemble|prune|distill|quantize|speed_check|evaluate|bench) "
        r"|^Overall|^Package|^Report",
    ),
    Step(
        "Ask it on the command line",
        "Each line is label, score, text.",
        f"edge-ptf predict build/orders/package.eptf {QUOTED}",
        answers=r"(?m)^(\w+)\t",
    ),
    Step(
        "Ask it in Python", "", "python ask.py", answers=r"(?m)^(\w+)$", program=f"ask.py\n{PYTHON}", language="python"
    ),
    Step(
        "Ask it in C",
        "`make runner` builds the library. The program needs no Python.",
        f"cc -std=c99 -I {{root}}/cpp_runner/include ask.c -L {{root}}/build/runner-release -ledge_ptf_runner"
        f" -Wl,-rpath,{{root}}/build/runner-release -o ask && ./ask build/orders/package.eptf {QUOTED}",
        answers=r"(?m)^(\w+)$",
        program=f"ask.c\n{C}",
        language="c",
    ),
    Step(
        "Read the report in a browser",
        "The page needs no network. This prints what the browser made of it.",
        BROWSER + " | grep -o '<title>.*</title>\\|PASS\\|UNPROVEN' | sort -u",
        answers=r"(<title>.*</title>)",
    ),
)


def write_data(file: Path, python: Path) -> None:
    """One file with `;` and columns `utterance` and `intent`, from the demo data in the environment."""
    code = (
        "import json; from edge_ptf.data.demo import generate; "
        "print(json.dumps([[row.text, row.intent] for rows in generate().values() for row in rows]))"
    )
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    counts: dict[str, int] = {}
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, delimiter=";")
        writer.writerow(["utterance", "intent"])
        for text, label in json.loads(done.stdout):
            counts[label] = counts.get(label, 0) + 1
            if counts[label] <= ROWS:
                writer.writerow([text, label])


def run(environment: Path, folder: Path) -> list[tuple[Step, int, str]]:
    """Every step with its exit code and output."""
    folder.mkdir(parents=True, exist_ok=True)
    write_data(folder / "orders.csv", environment / "bin" / "python")
    variables = {
        **os.environ,
        "PATH": f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "100",
        "HF_HUB_OFFLINE": "1",
    }
    variables.pop("PYTHONPATH", None)
    found = []
    for step in STEPS:
        if step.program:
            name, _, content = step.program.partition("\n")
            (folder / name).write_text(content, encoding="utf-8")
        command = step.command.replace("{root}", str(ROOT))
        done = subprocess.run(
            ["bash", "-c", command], cwd=folder, env=variables, capture_output=True, text=True, check=False
        )
        print(f"$ {step.command}\n{done.stdout}{done.stderr}", flush=True)
        if done.returncode not in step.codes:
            raise SystemExit(f"{step.title}: exit code {done.returncode}, expected one of {step.codes}")
        found.append((step, done.returncode, done.stdout))
    return found


def page(found: list[tuple[Step, int, str]]) -> str:
    """The page about a run."""
    parts = [
        "# Transcript: from your own CSV file to answers in Python, C and the browser",
        "",
        "`make transcript` runs every command of this page in an environment that has only the wheel, and compares the "
        "answers.",
        "Times and scores differ between machines. The outputs below are from one run.",
        "",
    ]
    for number, (step, code, output) in enumerate(found, 1):
        parts += [f"## {number}. {step.title}", ""]
        parts += [step.words, ""] if step.words else []
        if step.program:
            name, _, content = step.program.partition("\n")
            parts += [f"`{name}`:", "", f"```{step.language}", content.rstrip("\n"), "```", ""]
        lines = [line for line in output.splitlines() if not step.shown or re.search(step.shown, line)]
        parts += ["```bash", wrapped(step.command.replace("{root}/", "")), "```", ""]
        parts += ["```text", *(line.rstrip() for line in lines), "```", ""]
        if code:
            parts += [f"The exit code is {code}.", ""]
    return "\n".join(parts)


def wrapped(command: str) -> str:
    """The command on lines of at most 110 characters, with a backslash at the end of all but the last."""
    lines = [""]
    for part in re.split(r" (?=--|&& |\| )", command):
        if len(lines[-1]) + len(part) > 108 and lines[-1]:
            lines.append(f"    {part}")
        else:
            lines[-1] += f" {part}" if lines[-1] else part
    return " \\\n".join(lines)


def difference(found: list[tuple[Step, int, str]], text: str) -> str:
    """What the page has otherwise than the run; empty if nothing."""
    blocks = dict(re.findall(r"^## \d+\. (.*?)\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE))
    if list(blocks) != [step.title for step, _, _ in found]:
        return f"the page has the steps {list(blocks)}"
    for step, _, output in found:
        shown = blocks[step.title]
        if wrapped(step.command.replace("{root}/", "")) not in shown:
            return f"{step.title}: the page shows another command"
        if step.program and step.program.partition("\n")[2].rstrip("\n") not in shown:
            return f"{step.title}: the page shows another program"
        outputs = re.findall(r"^```text\n(.*?)^```", shown, re.DOTALL | re.MULTILINE)[-1]
        if step.answers and re.findall(step.answers, outputs) != re.findall(step.answers, output):
            return f"{step.title}: the page shows {outputs!r}, and the run printed {output!r}"
        if not step.answers and outputs.split() != output.split():
            return f"{step.title}: the page shows {outputs!r}, and the run printed {output!r}"
    return ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--environment", type=Path, required=True)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    found = run(given.environment.absolute(), given.folder)
    if given.write:
        PAGE.write_text(page(found), encoding="utf-8")
    elif problem := difference(found, PAGE.read_text(encoding="utf-8")):
        raise SystemExit(f"{PAGE.name}: {problem}")


if __name__ == "__main__":
    main()
