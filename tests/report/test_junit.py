"""JUnit XML in the form that CI systems read."""

from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_ptf.metrics import Direction
from edge_ptf.package.evidence import Status, TargetVerdict, Verdict
from edge_ptf.report.junit import junit

HOSTILE = "a\x00b\x1b[31m]]>&<!--\"'\ud800\ufffe\U0001f600 <failure/>"


def target_verdict(target: str, status: Status, **more: object) -> TargetVerdict:
    direction = Direction.HIGHER if target == "min_speedup" else Direction.LOWER
    return TargetVerdict(target=target, title=target, unit="ms", direction=direction, limit=20, status=status, **more)


def verdict(*target_verdicts: TargetVerdict, **more: object) -> Verdict:
    found = {item.status for item in target_verdicts}
    status = next((status for status in (Status.FAIL, Status.UNPROVEN, Status.PASS) if status in found), None)
    values = {"payload": "p" * 64, "profile": "jetson", "confidence": 0.95, "status": status, **more}
    return Verdict(target_verdicts=target_verdicts, **values)


def check(root: ElementTree.Element) -> None:
    """The common structure of the readers (the schema of Jenkins' xUnit plugin, as far as it is used here)."""
    counts = ("tests", "failures", "errors", "skipped")
    assert root.tag == "testsuites"
    assert [child.tag for child in root] == ["testsuite"]
    suite = root[0]
    assert {*suite.attrib} == {"name", "time", *counts}
    assert all(root.attrib[name] == suite.attrib[name] for name in counts)
    order = [child.tag for child in suite]
    assert order == sorted(order, key=["properties", "testcase", "system-out"].index)
    assert order.count("properties") == 1
    assert order.count("system-out") <= 1
    assert all(item.tag == "property" and {*item.attrib} == {"name", "value"} for item in suite[0])
    cases = suite.findall("testcase")
    assert all({*case.attrib} == {"name", "classname", "time"} for case in cases)
    assert int(suite.attrib["tests"]) == len(cases)
    for tag, name in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        assert int(suite.attrib[name]) == sum(case.find(tag) is not None for case in cases)
    for case in cases:
        assert [child.tag for child in case] in (["failure"], ["error"], ["skipped"], ["system-out"])
        assert all(child.attrib["message"] for child in case if child.tag in ("failure", "error", "skipped"))
    assert len({(case.attrib["classname"], case.attrib["name"]) for case in cases}) == len(cases)


def test_every_judgement_is_a_test_case_with_its_result() -> None:
    open_one = target_verdict("latency_ms.p95", Status.UNPROVEN, value=19.0, reason="too few", settle="bench more")
    found = verdict(
        target_verdict("max_drop.accuracy", Status.PASS, value=0.5, bound=0.9),
        open_one,
        target_verdict("latency_ms.p50", Status.FAIL, value=25.0, bound=26.0),
        warnings=("governor unknown",),
    )
    content = junit(found, "package")
    assert content.startswith(b"<?xml version='1.0' encoding='utf-8'?>")
    root = ElementTree.fromstring(content)
    check(root)
    results = {case.attrib["name"].split(" (")[0]: case[0] for case in root.iter("testcase")}
    assert {name: item.tag for name, item in results.items()} == {
        "max_drop.accuracy": "system-out",
        "latency_ms.p95": "error",
        "latency_ms.p50": "failure",
    }
    assert results["latency_ms.p50"].attrib["message"] == "FAIL: 25.00 ms, bound 26.00 ms, limit ≤ 20.00 ms"
    assert results["latency_ms.p95"].attrib["type"] == "UNPROVEN"
    assert results["latency_ms.p95"].text == "too few. To settle it: bench more"
    assert root[0].find("system-out").text == "Warning: governor unknown"
    assert {item.attrib["name"]: item.attrib["value"] for item in root[0][0]}["status"] == "FAIL"
    assert junit(found, "package") == content


def test_what_is_unproven_never_looks_green() -> None:
    root = ElementTree.fromstring(junit(verdict(target_verdict("min_speedup", Status.UNPROVEN)), "package"))
    check(root)
    assert (root.attrib["errors"], root.attrib["skipped"]) == ("1", "0")
    assert "≥" in root.find(".//error").attrib["message"]


def test_a_verdict_without_targets_is_one_skipped_case() -> None:
    root = ElementTree.fromstring(junit(verdict(), "package"))
    check(root)
    assert root.find(".//skipped").attrib["message"].startswith("nothing judged")


def test_hostile_names_stay_text() -> None:
    found = verdict(target_verdict(HOSTILE, Status.UNPROVEN, reason=HOSTILE, settle=HOSTILE), warnings=(HOSTILE,))
    root = ElementTree.fromstring(junit(found, HOSTILE))
    check(root)
    shown = HOSTILE.translate(dict.fromkeys([0, 0x1B, 0xD800, 0xFFFE], "\ufffd"))
    assert shown in root.find(".//testcase").attrib["name"]
    assert shown in root.find(".//error").text
    assert shown in root[0].find("system-out").text


@given(st.text(st.characters()), st.sampled_from(Status), st.floats(allow_nan=False, allow_infinity=False))
@settings(deadline=None)
def test_any_text_and_figure_gives_well_formed_xml(text: str, status: Status, value: float) -> None:
    found = verdict(target_verdict("x", status, value=value, reason=text, settle=text), profile=text or "p")
    check(ElementTree.fromstring(junit(found, text)))
