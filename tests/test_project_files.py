"""The files around the code (workflows, templates, citation, changelog, contribution guide) are valid and agree."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.reference import pages as reference_pages

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = [ROOT / ".github" / "ISSUE_TEMPLATE" / name for name in ("bug.yml", "feature.yml")]
OTHER_YAML = [
    ROOT / ".pre-commit-config.yaml",
    ROOT / "CITATION.cff",
    ROOT / ".github" / "ISSUE_TEMPLATE" / "config.yml",
]
DOCUMENTS = ["CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "docs/deprecation.md"]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def scripts(path: Path) -> list[str]:
    """The commands of a workflow, one entry per step."""
    jobs = load(path)["jobs"].values()
    return [step["run"] for job in jobs for step in job["steps"] if "run" in step]


def called_targets(text: str) -> set[str]:
    """The targets of all lines that call make, without assignments and options."""
    calls = re.findall(r"^\s*make +(.+)$", text, re.MULTILINE)
    words = [word for call in calls for word in call.split("#")[0].split()]
    return {word for word in words if re.fullmatch(r"[a-z][a-z0-9-]*", word)}


def existing_targets() -> set[str]:
    phony = re.search(r"^\.PHONY: (.+?)(?<!\\)$", read("Makefile"), re.MULTILINE | re.DOTALL)
    assert phony is not None
    return set(phony[1].replace("\\", " ").split())


def installed_packages(text: str) -> set[str]:
    """The system packages that a script installs with apt-get."""
    found = re.search(r"--no-install-recommends \\\n(.+?)> /dev/null", text, re.DOTALL)
    assert found is not None
    return set(found[1].replace("\\", " ").split())


def subject_pattern() -> str:
    found = re.search(r"```regex\n(.+)\n```", read("CONTRIBUTING.md"))
    assert found is not None
    return found[1]


@pytest.mark.parametrize("path", [*WORKFLOWS, *FORMS, *OTHER_YAML], ids=lambda path: path.name)
def test_yaml_file_parses_to_a_mapping(path: Path) -> None:
    assert isinstance(load(path), dict)


def test_both_workflows_exist_and_say_that_they_are_unrun() -> None:
    assert [path.name for path in WORKFLOWS] == ["ci.yml", "release.yml"]
    for path in WORKFLOWS:
        comment = re.match(r"(?:#.*\n)+", path.read_text(encoding="utf-8"))
        assert comment is not None
        assert "without a chance to run it" in comment[0]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflow_has_few_rights_and_ends(path: Path) -> None:
    workflow = load(path)
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        assert job["timeout-minutes"] <= 120, name
        assert all(("run" in step) != ("uses" in step) for step in job["steps"]), name
        needed = job.get("needs", [])
        assert set([needed] if isinstance(needed, str) else needed) <= set(workflow["jobs"]), name


def test_ci_runs_the_make_targets_of_the_local_check() -> None:
    called = called_targets("\n".join(scripts(ROOT / ".github" / "workflows" / "ci.yml")))
    assert called <= existing_targets()
    assert called == called_targets(read(".ci/run"))


def test_ci_installs_the_system_packages_of_the_local_check() -> None:
    packages = load(ROOT / ".github" / "workflows" / "ci.yml")["env"]["SYSTEM_PACKAGES"].split()
    assert set(packages) == installed_packages(read(".ci/run"))


def test_ci_covers_each_supported_python_on_linux_and_macos() -> None:
    jobs = load(ROOT / ".github" / "workflows" / "ci.yml")["jobs"]
    assert jobs["linux"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    assert jobs["macos"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    oldest = jobs["oldest-python"]
    assert {system.split("-")[0] for system in oldest["strategy"]["matrix"]["os"]} == {"ubuntu", "macos"}
    assert [step["with"]["python-version"] for step in oldest["steps"] if "with" in step] == ["3.10"]
    assert 'requires-python = ">=3.10"' in read("pyproject.toml")


def test_release_builds_with_targets_and_presets_that_exist() -> None:
    release = load(ROOT / ".github" / "workflows" / "release.yml")["jobs"]
    presets = read("cpp_runner/CMakePresets.json")
    for archive in release["runner"]["strategy"]["matrix"]["include"]:
        assert archive["target"] in existing_targets()
        assert f'{{"name": "{archive["preset"]}", "configurePreset"' in presets
    assert called_targets("\n".join(scripts(ROOT / ".github" / "workflows" / "release.yml"))) <= existing_targets()


def test_release_publishes_without_a_stored_token() -> None:
    publish = load(ROOT / ".github" / "workflows" / "release.yml")["jobs"]["publish-python"]
    assert publish["permissions"] == {"id-token": "write"}
    assert publish["environment"] == "pypi"
    assert "secrets." not in read(".github/workflows/release.yml")


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_issue_form_has_what_github_needs(path: Path) -> None:
    form = load(path)
    assert {"name", "description", "body"} <= set(form)
    fields = [item for item in form["body"] if item["type"] != "markdown"]
    assert all(item["attributes"]["label"] for item in fields)
    names = [item["id"] for item in fields]
    assert len(names) == len(set(names))
    assert any(item.get("validations", {}).get("required") for item in fields)


def test_citation_has_the_required_keys() -> None:
    citation = load(ROOT / "CITATION.cff")
    assert {"cff-version", "message", "title", "authors", "version", "license"} <= set(citation)
    assert citation["authors"] == [{"name": "The edge-ptf developers"}]
    assert citation["type"] == "software"


def test_one_version_and_one_licence_everywhere() -> None:
    project = dict(re.findall(r'^(version|license) = "(.+)"$', read("pyproject.toml"), re.MULTILINE))
    citation = load(ROOT / "CITATION.cff")
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])
    assert re.search(
        rf"^project\(\w+ VERSION {re.escape(project['version'])} ", read("cpp_runner/CMakeLists.txt"), re.M
    )


def test_changelog_follows_keep_a_changelog() -> None:
    text = read("CHANGELOG.md")
    releases = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert releases[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}", release) for release in releases[1:])
    groups = set(re.findall(r"^### (.+)$", text, re.MULTILINE))
    assert groups <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


@pytest.mark.parametrize(
    "subject",
    [
        "search: keep failed trials, and count only measured targets as met",
        "docs: explain how thresholds are tuned",
        "cpp_runner: accept a smaller options struct",
        "package/tokenizers: read BPE tables",
        "tests: " + "x" * 65,
    ],
)
def test_good_commit_subject_matches(subject: str) -> None:
    assert re.search(subject_pattern(), subject)


@pytest.mark.parametrize(
    "subject",
    [
        "Let no trial be lost",
        "Docs: explained the thresholds.",
        "docs: explain the thresholds.",
        "docs:explain the thresholds",
        "docs: ",
        "fix bug",
        "tests: " + "x" * 66,
    ],
)
def test_bad_commit_subject_does_not_match(subject: str) -> None:
    assert not re.search(subject_pattern(), subject)


def test_commit_hook_and_guide_have_the_same_rule() -> None:
    hooks = load(ROOT / ".pre-commit-config.yaml")["repos"][0]["hooks"]
    hook = next(hook for hook in hooks if hook["id"] == "commit-subject")
    assert hook["entry"].removeprefix(r"\A") == subject_pattern().removeprefix("^")
    assert hook["stages"] == ["commit-msg"]


def test_hooks_are_local() -> None:
    repositories = load(ROOT / ".pre-commit-config.yaml")["repos"]
    assert [repository["repo"] for repository in repositories] == ["local"]
    assert {hook["language"] for hook in repositories[0]["hooks"]} <= {"system", "pygrep"}


def test_guide_names_make_targets_that_exist() -> None:
    text = read("CONTRIBUTING.md") + read("SECURITY.md") + read(".github/pull_request_template.md")
    named = set(re.findall(r"^    make ([a-z-]+)", text, re.MULTILINE)) | set(re.findall(r"`make ([a-z-]+)", text))
    assert {"install", "check", "test", "runner"} <= named <= existing_targets()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    path = ROOT / document
    made = {(ROOT / "docs" / "reference" / name).resolve() for name in reference_pages()}
    targets = re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8"))
    assert targets
    for target in targets:
        file = (path.parent / target).resolve()
        assert file.exists() or file in made, target
