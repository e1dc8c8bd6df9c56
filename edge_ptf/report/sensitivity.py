"""What a sensitivity record says, in words: the conclusion and the option that follows from it."""

from __future__ import annotations

from edge_ptf.export.sensitivity import Answers, Sensitivity
from edge_ptf.report.wording import metric_words


def conclusion(found: Sensitivity) -> str:
    """One sentence: what INT8 costs, and what keeping the culprits in FP32 returns for how much time."""
    limits = f"{found.limits.max_drop:g} points, {found.limits.max_distance:g} %"
    if not found.within_limits:
        return (
            f"No choice of products meets the limits ({limits}): with all of them in FP32 it is still "
            f"{_cost(found, found.tables)}, which is what the stored embedding tables do."
        )
    if not found.culprits:
        return f"INT8 costs {_cost(found, found.int8)}, within the limits ({limits}): no product need stay FP32."
    points = f"{found.mended.metric - found.int8.metric:.1f} points of {metric_words(found.metric)}"
    distance = f"{found.int8.distance:.1f} to {found.mended.distance:.1f} %"
    if len(found.culprits) == 1:
        kept = f"Keeping {found.culprits[0]} in FP32"
    else:
        kept = f"Keeping these {len(found.culprits)} products in FP32 ({', '.join(found.culprits)})"
    return (
        f"{kept} returns {points} and takes the logits' distance from {distance}, for about "
        f"{max(found.mended_ms - found.int8_ms, 0):.2f} ms a call (estimate)."
    )


def hint(found: Sensitivity) -> str:
    """The option that does what the conclusion says; empty where there is nothing to do."""
    if not found.within_limits:
        return "--set quantize.embeddings=fp16" if found.flavour.embeddings == "int8" else ""
    return f"--set quantize.keep_fp32={','.join(found.culprits)}" if found.culprits else ""


def _cost(found: Sensitivity, answers: Answers) -> str:
    return (
        f"{max(found.fp32_metric - answers.metric, 0):.1f} points of {metric_words(found.metric)} and moves logits by "
        f"{answers.distance:.1f} % of their deviation"
    )
