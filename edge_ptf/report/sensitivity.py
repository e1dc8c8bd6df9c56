"""Shows a sensitivity record: its table, the conclusion in words, and the option to set."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from edge_ptf.graph.sensitivity import Answers, Sensitivity
from edge_ptf.report.formatting import counted, metric_words, score_number, score_text
from edge_ptf.report.tables import titled_table


def sensitivity_table(found: Sensitivity) -> RenderableType:
    """Each linear op alone in FP32 and alone in INT8, then all in INT8, then the conclusion."""
    table = titled_table(
        f"INT8 against FP32 ({metric_words(found.metric)} {score_text(found.metric, found.fp32_metric)}, validation)"
    )
    table.add_column("linear op")
    for name in ("points, FP32 alone", "logits", "points, INT8 alone", "logits", "FP32 adds"):
        table.add_column(name, justify="right")

    def cells(answers: Answers) -> tuple[str, str]:
        return score_number(found.metric, answers.metric - found.fp32_metric, "+"), f"{answers.distance:.1f} %"

    for item in found.linear_ops:
        style = "bold yellow" if item.name in found.culprits else ""
        row = (*cells(item.only_fp32), *cells(item.only_int8), f"{item.added_ms:+.3f} ms")
        table.add_row(item.name, *row, style=style)
    table.add_section()
    table.add_row("all in INT8", *cells(found.int8), "", "", f"{found.int8_ms:.3f} ms")
    table.add_row(
        "only the tables in " + found.quantization.embeddings.upper(),
        *cells(found.tables),
        "",
        "",
        f"{found.fp32_ms:.3f} ms",
    )
    if found.culprits:
        table.add_row("as proposed", *cells(found.mended), "", "", f"{found.mended_ms:.3f} ms")
    note = (
        f"  {counted(found.texts, 'text')}. Logits: mean distance from FP32 in % of their deviation between texts. "
        "Times are estimates of this process alone."
    )
    option = hint(found)
    advice = [Text(f"  {option}", style="bold")] if option else []
    return Group(table, Text(note, style="dim"), Text(f"\n{conclusion(found)}"), *advice, Text(""))


def conclusion(found: Sensitivity) -> str:
    """One sentence: what INT8 loses, and what FP32 for the culprits regains at which latency."""
    limits = f"{found.limits.max_drop:g} points, {found.limits.max_distance:g} %"
    if not found.within_limits:
        return (
            f"No choice of linear ops meets the limits ({limits}): with all of them in FP32, the model still loses "
            f"{_cost(found, found.tables)}. The cause is the precision of the embedding tables."
        )
    if not found.culprits:
        return f"INT8 loses {_cost(found, found.int8)}, within the limits ({limits}): no linear op needs FP32."
    points = f"{found.mended.metric - found.int8.metric:.1f} points of {metric_words(found.metric)}"
    distance = f"{found.int8.distance:.1f} to {found.mended.distance:.1f} %"
    if len(found.culprits) == 1:
        kept = f"Keeping {found.culprits[0]} in FP32"
    else:
        kept = f"Keeping these {len(found.culprits)} linear ops in FP32 ({', '.join(found.culprits)})"
    return (
        f"{kept} regains {points} and reduces the logits' distance from {distance}, for about "
        f"{max(found.mended_ms - found.int8_ms, 0):.2f} ms per call (estimate)."
    )


def hint(found: Sensitivity) -> str:
    """The option that follows from the conclusion; empty if there is nothing to set."""
    if not found.within_limits:
        finer = {"int4": "int8", "int8": "fp16"}.get(found.quantization.embeddings)
        return f"--set quantize.embeddings={finer}" if finer else ""
    return f"--set quantize.keep_fp32={','.join(found.culprits)}" if found.culprits else ""


def _cost(found: Sensitivity, answers: Answers) -> str:
    return (
        f"{max(found.fp32_metric - answers.metric, 0):.1f} points of {metric_words(found.metric)} and moves logits by "
        f"{answers.distance:.1f} % of their deviation"
    )
