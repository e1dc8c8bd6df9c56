"""Measures what each method adds: one student for each row, with one method removed or added, from one teacher.

    python benchmarks/ablation.py --data ../shared/data/clinc150 --out build/ablation
    python benchmarks/ablation.py --data ../shared/data/clinc150 --out build/ablation --rows all "one teacher"

- Every row is a student with the same predicted latency. The stages of edge-ptf make, package and measure it. Only the
  named options differ from the profile's recipe. A student with a smaller hidden size or fewer heads has more neurons,
  so that its predicted latency is that of the first row.
- A drop is the INT8 package against the FP32 teacher, on validation and on test, in points.
- Speed is the interleaved comparison with the teacher's package.
- No option was chosen by these figures.
- All students are trained for equally few epochs, so that the table takes hours and not days. Longer training reduces
  the loss in every row.
- Finished stages in --out are reused. The table is written after each row. Rows of an earlier run with the same teacher
  and size stay in it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from edge_ptf import data as data_package
from edge_ptf import profiles, stages, statistics, tasks
from edge_ptf.cache import Place
from edge_ptf.compression import PruneConfig
from edge_ptf.compression.pruning import NEURONS_STEP
from edge_ptf.config import Source
from edge_ptf.data.dataset import LabelledData
from edge_ptf.metrics import gated
from edge_ptf.models import LayerShape
from edge_ptf.models.base_models import open_base
from edge_ptf.models.checkpoint import Checkpoint
from edge_ptf.package import Payload
from edge_ptf.recipe import Recipe, resolve_recipe
from edge_ptf.search import apply_overrides
from edge_ptf.student_pipeline import int8_graph, taught_student

RESULTS = Path(__file__).parent / "results"
MODEL = "minilm-l6"
LABELS_ALONE = {"logit_weight": 0.0, "label_weight": 1.0, "hidden_weight": 0.0}
NO_FURTHER_TEXTS = {"spliced_texts": 0.0, "substituted_texts": 0.0}
ROWS: dict[str, dict[str, dict[str, Any]]] = {
    "all": {},
    "one teacher": {"ensemble": {"teachers": 1}},
    "replaced words too": {"distill": {"substituted_texts": 1.0}},
    "no further texts": {"distill": NO_FURTHER_TEXTS},
    "no foreign words": {"distill": {"split_words": 0.0}},
    "no hidden states": {"distill": {"hidden_weight": 0.0}},
    "divergence at T = 2 for the logits' distance": {"distill": {"logit_loss": "kl"}},
    "hidden states of the nearest layers": {"distill": {"layer_map": "nearest"}},
    "relations of queries, keys and values too": {"distill": {"relation_weight": 1.0}},
    "neurons by magnitude, nothing refitted": {
        "prune": {"importance": "magnitude", "rearrange": False, "refit": "none"}
    },
    "hidden states of 288, as many neurons as keep the time": {"prune": {"hidden_size": 288}},
    "half of the heads, as many neurons as keep the time": {"prune": {"num_heads": (0.5,)}},
    "in two steps, as many epochs in all": {"gradual": {"steps": 2, "epochs": 1}},
    "whole vocabulary": {"prune": {"vocabulary": False}},
    "FP32": {"quantize": {"mode": "none"}},
    "labels alone": {"ensemble": {"teachers": 1}, "distill": {**LABELS_ALONE, **NO_FURTHER_TEXTS}},
    "divergence of logits alone": {
        "ensemble": {"teachers": 1},
        "distill": {"logit_loss": "kl", "hidden_weight": 0.0, **NO_FURTHER_TEXTS},
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out-of-scope-label", default="oos")
    parser.add_argument("--profile", default="x86-vnni")
    parser.add_argument("--out", type=Path, default=Path("build/ablation"))
    parser.add_argument("--num-layers", type=int, default=5)
    parser.add_argument("--intermediate-size", type=int, default=352)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--teachers", type=int, default=3)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), metavar="ROW")
    given = parser.parse_args()
    profile, task_type = profiles.load(given.profile), tasks.get("text-classification")
    own = {
        "prune": {"num_layers": given.layers, "intermediate_size": [given.intermediate_size]},
        "distill": {"epochs": given.epochs},
        "ensemble": {"teachers": given.teachers},
        "bench": {"launches": 5},
    }
    recipe = resolve_recipe(profile, task_type, [Source("benchmark", own)])
    place = Place(given.out / "stages", keyed=True)
    reading = recipe.data.with_options(out_of_scope_label=given.out_of_scope_label)
    data = data_package.load(str(given.data), task_type, reading)
    task = tasks.create(task_type.spec_for(data.labels, given.out_of_scope_label))
    teachers: list[Checkpoint] = []
    for seed in range(given.teachers):
        config = recipe.finetune.replace(seed=recipe.finetune.seed + seed)
        teachers.append(stages.finetune(place, open_base(MODEL), data, config, task).artifact)
    graph = stages.export(place, teachers[0], data, recipe.export).artifact
    baseline = stages.assemble(place, graph, data, recipe.assemble.replace(name="teacher")).artifact
    names = [metric.name for metric in gated(task.metrics)]
    file = RESULTS / f"ablation-{given.data.name}.json"
    figures: dict[str, Any] = {
        "size": {
            "layers": given.layers,
            "intermediate_size": given.intermediate_size,
            "epochs": given.epochs,
            "teachers": given.teachers,
        },
        "teacher, % on test": _metrics(baseline, baseline, data, recipe, place, names)["values"],
    }
    figures["rows"] = _rows_so_far(file, figures)
    for row in given.rows:
        overrides = {section: {**values} for section, values in ROWS[row].items()}
        if "prune" in overrides:
            shape = LayerShape(
                num_heads=teachers[0].info.layers[0].num_heads, intermediate_size=given.intermediate_size
            )
            overrides["prune"] |= _as_quick(
                [shape] * given.layers, teachers[0], data, recipe, overrides["prune"], place
            )
        if "gradual" in overrides:
            between = (overrides["gradual"]["steps"] - 1) * overrides["gradual"]["epochs"]
            overrides["distill"] = {"epochs": given.epochs - between}
        payload = _student(teachers, baseline, data, apply_overrides(recipe, overrides), profile, place)
        found = _metrics(payload, baseline, data.tried_on_validation(), recipe, place, names)
        tested = _metrics(payload, baseline, data, recipe, place, names)
        latency, _ = stages.bench(place, payload, data, recipe.bench, baseline).artifact
        ratio, low = statistics.speedup(
            [launch.baseline_engine_ms for launch in latency.launches],
            [launch.engine_ms for launch in latency.launches],
        )
        figures["rows"][row] = {
            "neurons": payload.manifest.graph.layers[0].intermediate_size,
            "drop on validation": found["drops"],
            "drop on test": tested["drops"],
            "size, MB": round(payload.size_bytes / 1e6, 2),
            "speed-up": [round(ratio, 2), low and round(low, 2)],
        }
        print(f"{row:<48}{json.dumps(figures['rows'][row])}", flush=True)
        file.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        file.with_suffix(".md").write_text(table(figures), encoding="utf-8")


def table(figures: dict[str, Any]) -> str:
    """The figures as a Markdown table, in the order of `ROWS`."""
    size, rows = figures["size"], figures["rows"]
    names = list(figures["teacher, % on test"])
    head = [
        "recipe",
        "neurons",
        *(f"{name.replace('_', ' ')}, {split}" for name in names for split in ("validation", "test")),
    ]
    lines = [
        f"A student of {size['layers']} layers, trained for {size['epochs']} epochs, with "
        f"{size['teachers']} teachers unless the row has another number: drops in points from the FP32 teacher.",
        "",
        f"| {' | '.join([*head, 'speed-up', 'MB'])} |",
        f"| --- |{' ---: |' * (len(head) + 1)}",
    ]
    for row in (row for row in ROWS if row in rows):
        found = rows[row]
        drops = [f"{found[f'drop on {split}'][name]:.2f}" for name in names for split in ("validation", "test")]
        cells = [row, str(found["neurons"]), *drops, f"{found['speed-up'][0]:.2f} ×", f"{found['size, MB']:.2f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _rows_so_far(file: Path, figures: dict[str, Any]) -> dict[str, Any]:
    """The rows of an earlier run with the same teacher and size."""
    earlier = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    same = earlier and all(earlier[name] == value for name, value in figures.items())
    return dict(earlier["rows"]) if same else {}


def _as_quick(
    whole: list[LayerShape],
    teacher: Checkpoint,
    data: LabelledData,
    recipe: Recipe,
    options: dict[str, Any],
    place: Place,
) -> dict[str, Any]:
    """The number of neurons for which a smaller hidden size or fewer heads leave time; empty without either option."""
    if not options.keys() & {"hidden_size", "num_heads"}:
        return {}
    narrow = teacher
    if "hidden_size" in options:
        only = PruneConfig(hidden_size=options["hidden_size"], vocabulary=False)
        narrow = stages.prune(place, teacher, data, only).artifact
    before, after = (
        stages.latency_table(place, each, data, recipe.latency_table, recipe.quantize).artifact
        for each in (teacher, narrow)
    )
    heads = round(whole[0].num_heads * options.get("num_heads", (1.0,))[0])
    widths = range(NEURONS_STEP, teacher.info.layers[0].intermediate_size + 1, NEURONS_STEP)
    shapes = (LayerShape(num_heads=heads, intermediate_size=width) for width in widths)
    quick = (
        shape.intermediate_size for shape in shapes if after.predict([shape] * len(whole)) <= before.predict(whole)
    )
    return {"intermediate_size": (max(quick),)}


def _student(
    teachers: list[Checkpoint], baseline: Payload, data: LabelledData, recipe: Recipe, profile: Any, place: Place
) -> Payload:
    student = taught_student(teachers[0], teachers[1 : recipe.ensemble.teachers], data, recipe, place, lambda *_: None)
    graph = int8_graph(student, data, recipe, profile, place, lambda *_: None)
    return stages.assemble(place, graph, data, recipe.assemble.replace(name="student"), baseline).artifact


def _metrics(
    payload: Payload, baseline: Payload, data: LabelledData, recipe: Recipe, place: Place, names: list[str]
) -> dict[str, dict[str, float]]:
    before, after = (
        stages.evaluate(place, each, data, recipe.evaluate).artifact.metrics for each in (baseline, payload)
    )
    return {
        "values": {name: round(after[name], 2) for name in names},
        "drops": {name: round(before[name] - after[name], 2) for name in names},
    }


if __name__ == "__main__":
    main()
