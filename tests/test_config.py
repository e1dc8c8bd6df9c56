from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field, field_validator

from edge_ptf.config import Source, StageConfig, StrictModel, load_yaml, merge, parse, read_yaml, resolve
from edge_ptf.errors import ConfigError, ExitCode


class Inner(StrictModel):
    epochs: int = Field(3, gt=0)
    learning_rate: float = Field(5e-5, gt=0)

    @field_validator("epochs")
    @classmethod
    def _not_thirteen(cls, value: int) -> int:
        if value == 13:
            raise ValueError("thirteen brings bad luck")
        return value


class Sample(StageConfig):
    name: str = "plain"
    inner: Inner = Inner()
    rows: tuple[Inner, ...] = ()
    table: dict[str, Inner] = Field(default_factory=dict)
    perhaps: Inner | None = None
    schema_version: int = Field(1, alias="schema")


def written(folder: Path, text: str) -> Path:
    path = folder / "sample.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def failure(folder: Path, text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_yaml(written(folder, text), Sample)
    assert caught.value.exit_code == ExitCode.BAD_INPUT
    return caught.value


def test_unknown_field_names_its_line_and_the_nearest_known_field(tmp_path: Path) -> None:
    error = failure(tmp_path, "name: x\ninner:\n  epochs: 1\n  learning_rat: 0.1\n")
    (problem,) = error.problems
    assert problem.startswith(f"{tmp_path}/sample.yaml:4: unknown field 'inner.learning_rat'.")
    assert "Did you mean learning_rate?" in problem


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("rows:\n  - epochs: 1\n  - epoch: 2\n", 3),
        ("table:\n  first:\n    epoch: 2\n", 3),
        ("perhaps:\n  epoch: 2\n", 2),
    ],
)
def test_near_match_is_found_inside_lists_mappings_and_optional_fields(tmp_path: Path, text: str, line: int) -> None:
    (problem,) = failure(tmp_path, text).problems
    assert f"sample.yaml:{line}: " in problem
    assert "Did you mean epochs? (known: epochs, learning_rate)" in problem


def test_known_fields_are_named_as_they_are_written(tmp_path: Path) -> None:
    (problem,) = failure(tmp_path, "schem: 1\n").problems
    assert "Did you mean schema" in problem
    assert "schema_version" not in problem


def test_every_wrong_field_is_reported_at_once(tmp_path: Path) -> None:
    error = failure(tmp_path, "nam: x\ninner:\n  epochs: 0\n  learning_rate: fast\nrows:\n- epochs: 13\n")
    assert error.message.endswith("sample.yaml: 4 values are not valid")
    assert "\n" not in error.message
    joined = "\n".join(error.problems)
    assert len(error.problems) == 4
    assert ":1: unknown field 'nam'" in joined
    assert ":3: inner.epochs: " in joined and "(given: 0)" in joined
    assert ":4: inner.learning_rate: " in joined and "(given: 'fast')" in joined
    assert ":6: rows.0.epochs: thirteen brings bad luck (given: 13)" in joined
    assert all(problem in str(error) for problem in error.problems)


def test_duplicate_key_is_an_error_that_names_file_and_both_lines(tmp_path: Path) -> None:
    error = failure(tmp_path, "name: a\ninner:\n  epochs: 1\n  epochs: 2\n")
    assert error.message == f"{tmp_path}/sample.yaml:4: 'epochs' is given twice (first on line 3)"


def test_the_same_key_in_two_mappings_is_no_duplicate(tmp_path: Path) -> None:
    sample = load_yaml(written(tmp_path, "inner: {epochs: 1}\nrows: [{epochs: 2}, {epochs: 3}]\n"), Sample)
    assert [row.epochs for row in sample.rows] == [2, 3]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"name: [1, 2\n", "not valid YAML"),
        (b"name: a\n\tinner: b\n", "sample.yaml:2: not valid YAML"),
        (b"name: \x00\n", "not valid YAML"),
        (b"name: \xff\n", "not UTF-8 at byte 6"),
        (b"- 1\n- 2\n", "not a mapping"),
        (b"just words\n", "not a mapping"),
    ],
)
def test_files_that_are_no_configuration_give_one_clear_line(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "sample.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_yaml(path, Sample)
    assert expected in caught.value.message
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message


def test_missing_file_and_directory_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: no such file"):
        read_yaml(tmp_path / "none.yaml")
    with pytest.raises(ConfigError) as caught:
        read_yaml(tmp_path)
    assert str(tmp_path) in caught.value.message


def test_an_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    assert load_yaml(written(tmp_path, "# nothing\n"), Sample) == Sample()


def test_later_sources_win_field_by_field() -> None:
    sources = [
        Source("profile", {"name": "p", "inner": {"epochs": 1, "learning_rate": 0.1}}),
        Source("file", {"inner": {"epochs": 2}}),
        Source("command line", {"name": "c"}),
    ]
    sample = resolve(Sample, sources)
    assert (sample.name, sample.inner.epochs, sample.inner.learning_rate) == ("c", 2, 0.1)


def test_a_wrong_value_is_blamed_on_the_source_that_set_it() -> None:
    sources = [
        Source("profile x", {"inner": {"epochs": 0}}),
        Source("file.yaml", {"inner": {"learning_rate": -1}}, {("inner", "learning_rate"): 7}),
        Source("command line", {"name": "c"}),
    ]
    with pytest.raises(ConfigError) as caught:
        resolve(Sample, sources)
    assert [problem.split(": ")[0] for problem in caught.value.problems] == ["profile x", "file.yaml:7"]


def test_a_wrong_value_that_a_stronger_source_replaces_is_no_error() -> None:
    sample = resolve(Sample, [Source("file", {"inner": {"epochs": 0}}), Source("flags", {"inner": {"epochs": 4}})])
    assert sample.inner.epochs == 4


def test_merge_leaves_its_arguments_alone_and_replaces_lists_whole() -> None:
    base, over = {"a": {"x": 1, "y": [1, 2]}}, {"a": {"y": [3]}}
    assert merge(base, over) == {"a": {"x": 1, "y": [3]}}
    assert base == {"a": {"x": 1, "y": [1, 2]}} and over == {"a": {"y": [3]}}


def test_a_missing_field_is_reported_without_a_value() -> None:
    class Strict(StrictModel):
        needed: int

    with pytest.raises(ConfigError) as caught:
        parse(Strict, {}, where="file.yaml")
    assert caught.value.problems == ("file.yaml: needed: Field required",)


def test_models_are_frozen_and_replace_validates_again() -> None:
    inner = Inner()
    with pytest.raises(ValueError, match="frozen"):
        inner.epochs = 5
    assert inner.replace(epochs=5) == Inner(epochs=5)
    with pytest.raises(ValueError, match="greater than 0"):
        inner.replace(epochs=0)


def test_replace_works_where_a_field_has_an_alias() -> None:
    sample = parse(Sample, {"schema": 2}, where="here")
    assert sample.replace(name="other").schema_version == 2


def test_line_numbers_reach_into_lists(tmp_path: Path) -> None:
    values, lines = read_yaml(written(tmp_path, "rows:\n  - epochs: 1\n  -\n    epochs: 2\n"))
    assert values == {"rows": [{"epochs": 1}, {"epochs": 2}]}
    assert lines["rows",] == 1
    assert lines["rows", 0, "epochs"] == 2
    assert lines["rows", 1, "epochs"] == 4
