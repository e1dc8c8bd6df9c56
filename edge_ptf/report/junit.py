"""The verdict as JUnit XML, for the test pages of CI systems.

The structure is `testsuites` > `testsuite` > `testcase`, which Jenkins, GitLab and the GitHub actions for test reports
read. FAIL is a `failure`. UNPROVEN is an `error`, which is the format's word for a test without a result. `skipped`
would be wrong for UNPROVEN, because CI systems show it in green like a pass.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from edge_ptf.package.evidence import Status, TargetVerdict, Verdict
from edge_ptf.report.formatting import figure_text
from edge_ptf.report.target_verdicts import explanation, limit_text

TAGS = {Status.FAIL: "failure", Status.UNPROVEN: "error"}
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot contain, not even escaped (section 2.2)."""


def junit(verdict: Verdict, package: str) -> bytes:
    """One test case for each target, in UTF-8. Without targets, one skipped case. Equal verdicts give equal bytes.

    Args:
        package: the package's name, shown with each test case.
    """
    counts = {
        "tests": max(len(verdict.target_verdicts), 1),
        "failures": sum(item.status is Status.FAIL for item in verdict.target_verdicts),
        "errors": sum(item.status is Status.UNPROVEN for item in verdict.target_verdicts),
        "skipped": 0 if verdict.target_verdicts else 1,
    }
    root = _element(None, "testsuites", name="edge-ptf gate", time=0, **counts)
    suite = _element(root, "testsuite", name=f"{package} on {verdict.profile}", time=0, **counts)
    properties = _element(suite, "properties")
    for name, value in (
        ("payload", verdict.payload),
        ("profile", verdict.profile),
        ("confidence", f"{verdict.confidence:g}"),
        ("status", verdict.status.value if verdict.status else "nothing judged"),
    ):
        _element(properties, "property", name=name, value=value)
    for item in verdict.target_verdicts:
        _case(suite, item, f"{package}.{verdict.profile}")
    if not verdict.target_verdicts:
        case = _element(suite, "testcase", name="targets", classname=f"{package}.{verdict.profile}", time=0)
        _element(case, "skipped", message="nothing judged: neither the profile nor the command line sets a target")
    if verdict.warnings:
        _element(suite, "system-out").text = _clean("\n".join(f"Warning: {warning}" for warning in verdict.warnings))
    ElementTree.indent(root)
    written: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _case(suite: ElementTree.Element, item: TargetVerdict, group: str) -> None:
    """One test case. CI systems follow a test by its name, so the name is the target's, equal in every run."""
    case = _element(suite, "testcase", name=f"{item.title} ({item.target})", classname=group, time=0)
    bound = figure_text(item.bound, item.unit)
    figures = f"{figure_text(item.value, item.unit)}, bound {bound}, limit {limit_text(item)}"
    if item.status in TAGS:
        problem = _element(case, TAGS[item.status], type=item.status.value, message=f"{item.status.value}: {figures}")
        problem.text = _clean(explanation(item) or figures)
    else:
        _element(case, "system-out").text = _clean(figures)


def _element(parent: ElementTree.Element | None, tag: str, **attributes: object) -> ElementTree.Element:
    values = {name: _clean(str(value)) for name, value in attributes.items()}
    return ElementTree.Element(tag, values) if parent is None else ElementTree.SubElement(parent, tag, values)


def _clean(text: str) -> str:
    return NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
