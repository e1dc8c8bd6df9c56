"""Runs the whole job on a real data set as a user does, and runs it again. Prints all figures in one table.

python benchmarks/real_data.py clinc150 --out build/clinc150
python benchmarks/real_data.py semeval2010_task8
python benchmarks/real_data.py sst2
python benchmarks/real_data.py sick_entailment
python benchmarks/real_data.py sick_relatedness
python benchmarks/real_data.py sick_vectors
python benchmarks/real_data.py clinc150_vectors
python benchmarks/real_data.py clinc150_prototypes
python benchmarks/real_data.py demo-large
python benchmarks/real_data.py wnut17 --seeds 0 1 2
python benchmarks/real_data.py subjqa_restaurants
python benchmarks/real_data.py snips_intent
python benchmarks/real_data.py snips_slots
python benchmarks/real_data.py snips_joint
python benchmarks/real_data.py xquad_en
python benchmarks/real_data.py goemotions
python benchmarks/real_data.py goemotions_sentiment --max-drop accuracy=1

With several seeds, the job runs once with each, in separate folders, and the table ends with the means. This is for
small data sets, where each seed gives a different teacher and one run is not enough to judge the drop. The runs share
their stages: if a student has several teachers, the teacher of one seed is an extra teacher of another seed, and is
fine-tuned once.

goemotions has 28 labels, and a text has one or more of them. goemotions_sentiment has the classes negative, neutral and
positive, by the sentiment grouping of the paper (Demszky et al. 2020, `sentiment_mapping.json` of its data). The
paper's fourth group, ambiguous (confusion, curiosity, realization, surprise), is left out: a text is kept if all its
labels are of one of the other three groups. Texts with an ambiguous label, or with labels of two groups, are left out
of all splits.

sick_vectors and clinc150_vectors train sentence embeddings: on scores of pairs, and on the intents of CLINC150 without
its out-of-scope texts, which are not alike.

`--only-data` writes the data of a set that edge-ptf does not read as it is, for programs such as those in
`benchmarks/plain/`, and runs nothing.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
JOBS = {
    "clinc150": ["--task", "text-classification", "--out-of-scope-label", "oos"],
    "wnut17": ["--task", "token-classification"],
    "semeval2010_task8": ["--task", "relation-extraction"],
    "goemotions": ["--task", "multi-label-classification"],
    "goemotions_sentiment": ["--task", "text-classification"],
    "sst2": ["--task", "text-classification"],
    "sick_entailment": ["--task", "sentence-pair-classification"],
    "sick_relatedness": ["--task", "regression"],
    "sick_vectors": ["--task", "sentence-embedding"],
    "clinc150_vectors": ["--task", "sentence-embedding"],
    "clinc150_prototypes": ["--task", "prototype-classification", "--out-of-scope-label", "oos"],
    "xquad_en": ["--task", "question-answering"],
    "subjqa_restaurants": ["--task", "question-answering"],
    "snips_intent": ["--task", "text-classification"],
    "snips_slots": ["--task", "token-classification"],
    "snips_joint": ["--task", "intent=text-classification", "--task", "slots=token-classification"],
    "demo-large": ["--task", "text-classification", "--out-of-scope-label", "out_of_scope"],
}


SENTIMENTS = {
    "positive": "admiration amusement approval caring desire excitement gratitude joy love optimism pride relief",
    "negative": "anger annoyance disappointment disapproval disgust embarrassment fear grief nervousness remorse "
    "sadness",
    "neutral": "neutral",
}
SICK = {
    "sick_entailment": ("label", "entailment_judgment"),
    "sick_relatedness": ("value", "relatedness_score"),
    "sick_vectors": ("score", "relatedness_score"),
}
"""For each job about SICK the column that it reads, and the name of that column in SICK."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=JOBS)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with the data sets")
    parser.add_argument("--profile", default="x86-vnni")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--results", help="name of the results file [default: NAME-PROFILE]")
    parser.add_argument("--seeds", type=int, nargs="+", help="seeds of all trainings [default: the recipe's]")
    parser.add_argument("--only-data", action="store_true", help="write the data and print their place")
    parser.epilog = "All other options are passed to compress."
    given, more = parser.parse_known_args()
    given.results = given.results or f"{given.name}-{given.profile}"
    out = given.out or Path("build") / f"{given.name}-{given.profile}"
    command = [sys.executable, "-m", "edge_ptf", "compress", "--profile", given.profile, "--model", "minilm-l6"]
    data = _data(given.name, given.data, out / "data")
    if given.only_data:
        print(data)
        return
    command += ["--data", str(data), *JOBS[given.name], *more]
    if given.seeds is None:
        figures = _job(command, out)
    else:
        folders = {seed: out / f"seed-{seed}" for seed in given.seeds}
        for folder in folders.values():
            _share(out / "stages", folder)
        each = {f"seed {seed}": _job([*command, "--seed", str(seed)], folder) for seed, folder in folders.items()}
        figures = {f"{name}, {seed}": value for seed, found in each.items() for name, value in found.items()}
        figures |= _means(list(each.values()))
    width = max(map(len, figures))
    for name, value in figures.items():
        print(f"{name:<{width}}  {value}")
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{given.results}.json"
    file.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def _data(name: str, shared: Path, folder: Path) -> str | Path:
    """What a job reads: the built-in corpus, the set as it is, or what is written to `folder`."""
    if name == "demo-large":
        return name
    writers = {"sst2": _sentiment, "semeval2010_task8": _relations, "clinc150_vectors": _in_scope}
    if name in writers:
        return writers[name](shared / name.removesuffix("_vectors"), folder)
    if name.startswith("snips"):
        return shared / "snips_joint"
    if name == "xquad_en":
        return shared / name / "xquad.en.json"
    if name.startswith("goemotions"):
        return emotions(shared / "goemotions", folder, by_sentiment=name != "goemotions")
    return (
        _sentence_pairs(shared / "sick", folder, *SICK[name])
        if name in SICK
        else shared / name.removesuffix("_prototypes")
    )


def _sentence_pairs(source: Path, folder: Path, column: str, name: str) -> Path:
    """Writes the pairs of SICK with one of its two labels."""
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "validation", "test"):
        with (source / f"{split}.txt").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
        with (folder / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("text", "text_pair", column))
            writer.writerows((row["sentence_A"], row["sentence_B"], row[name]) for row in rows)
    return folder


def _sentiment(source: Path, folder: Path) -> Path:
    """Writes the sentences of SST-2 with the names of the two classes."""
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "dev", "test"):
        lines = (source / f"{split}.tsv").read_text(encoding="utf-8").rstrip("\n").split("\n")
        rows = [(text, ("negative", "positive")[int(label)]) for text, label in (line.split("\t") for line in lines)]
        with (folder / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("text", "label"), *rows])
    return folder


def _in_scope(source: Path, folder: Path) -> Path:
    """Writes CLINC150 without the texts of no intent."""
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "validation", "test"):
        with (source / f"{split}.csv").open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["label"] != "oos"]
        with (folder / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("text", "label"), *((row["text"], row["label"]) for row in rows)])
    return folder


def _relations(source: Path, folder: Path) -> Path:
    """Writes the sentences, in which the entities are marked already, with their relation as label."""
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "test"):
        lines = (source / f"{split}.txt").read_text(encoding="utf-8").splitlines()
        rows = [
            (line.split("\t", 1)[1].strip().removeprefix('"').removesuffix('"'), relation.strip())
            for line, relation in zip(lines[::4], lines[1::4], strict=True)
        ]
        with (folder / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("text", "label"), *rows])
    return folder


def emotions(source: Path, folder: Path, *, by_sentiment: bool) -> Path:
    """Writes GoEmotions with the names of the labels, or with one sentiment for each text that has just one."""
    folder.mkdir(parents=True, exist_ok=True)
    names = (source / "labels.txt").read_text(encoding="utf-8").split()
    group_of = {name: group for group, members in SENTIMENTS.items() for name in members.split()}
    for split in ("train", "dev", "test"):
        rows = []
        for line in (source / f"{split}.tsv").read_text(encoding="utf-8").rstrip("\n").split("\n"):
            text, ids, _ = line.split("\t")
            labels = [names[int(each)] for each in ids.split(",")]
            groups = {group_of.get(label, "ambiguous") for label in labels}
            if not by_sentiment:
                rows.append((text, "|".join(labels)))
            elif len(groups) == 1 and groups != {"ambiguous"}:
                rows.append((text, *groups))
        with (folder / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("text", "label" if by_sentiment else "labels"), *rows])
    return folder


def _share(stages: Path, folder: Path) -> None:
    stages.mkdir(parents=True, exist_ok=True)
    folder.mkdir(exist_ok=True)
    own = folder / "stages"
    if not own.exists():
        own.symlink_to(stages.resolve(), target_is_directory=True)


def _job(command: list[str], out: Path) -> dict[str, object]:
    command = [*command, "--out", str(out)]
    return _figures(out, [_timed(command, out), _timed(command, out)])


def _means(each: list[dict[str, object]]) -> dict[str, object]:
    """The means of every number, and of every target verdict's value."""
    means: dict[str, object] = {}
    for name, first in each[0].items():
        values = [found[name] for found in each]
        if isinstance(first, str) and ", bound " in first:
            values = [float(str(value).split()[0]) for value in values if str(value)[0] in "-0123456789"]
        numbers = [value for value in values if isinstance(value, int | float)]
        if len(numbers) == len(each) and name != "exit code":
            means[f"{name}, mean of {len(each)}"] = round(sum(numbers) / len(numbers), 3)
    return means


def _timed(command: list[str], out: Path) -> tuple[int, float, str]:
    """Exit code, seconds, and how many stages were reused from an earlier run."""
    started = time.monotonic()
    code = subprocess.run(command, check=False).returncode
    if code not in (0, 3, 4):
        sys.exit(code)
    seconds = time.monotonic() - started
    stages = json.loads((out / "run.json").read_text(encoding="utf-8"))["stages"]
    return code, seconds, f"{sum(stage['reused'] for stage in stages)} of {len(stages)}"


def _figures(out: Path, runs: list[tuple[int, float, str]]) -> dict[str, object]:
    from edge_ptf import open_package
    from edge_ptf.package.evidence import AccuracyEvidence, LatencyEvidence, MemoryEvidence
    from edge_ptf.report.formatting import score_unit
    from edge_ptf.statistics import percentile

    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    package = open_package(out / record["package"])
    work = {stage["key"]: stage["work_seconds"] for stage in record["stages"]}
    known = all(work.values())  # a result of an earlier version does not have the seconds
    figures: dict[str, object] = {
        "exit code": runs[0][0],
        "seconds from nothing": round(sum(work.values()), 1) if known else None,
        # of the largest of all processes, without stages of an earlier run; Linux counts it in KiB
        "peak memory of compress in this run, MB": round(
            resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6
        ),
    }
    for when, (_, seconds, reused) in zip(("", ", second run"), runs, strict=True):
        figures |= {f"seconds{when}": round(seconds, 1), f"stages reused{when}": reused}
    for evidence in package.evidence():
        if isinstance(evidence, AccuracyEvidence):
            who = "package" if evidence.payload == package.digest else "teacher"
            for name, value in sorted(evidence.metrics.items()):
                percent = score_unit(name) == "%"
                figures[f"{who} {name}{', %' if percent else ''}"] = round(value, 2 if percent else 4)
        elif isinstance(evidence, LatencyEvidence):
            calls = [ms for launch in evidence.launches for ms in launch.end_to_end_ms]
            figures["latency p50, ms"] = round(percentile(calls, 0.5), 3)
            figures["latency p95, ms"] = round(percentile(calls, 0.95), 3)
        elif isinstance(evidence, MemoryEvidence):
            figures["peak memory, MB"] = max(evidence.peak_memory_mb)
    verdict = package.verdict()
    assert verdict is not None
    for item in verdict.target_verdicts:
        value, bound = (None if number is None else round(number, 3) for number in (item.value, item.bound))
        figures[item.target] = (
            f"{f'{value} {item.unit}'.strip()}, bound {bound}, limit {item.limit}: {item.status.value}"
        )
    figures["verdict"] = verdict.status.value if verdict.status else "nothing judged"
    figures["payload"] = package.digest
    return figures


if __name__ == "__main__":
    main()
