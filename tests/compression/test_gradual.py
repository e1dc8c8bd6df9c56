from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_ptf import models
from edge_ptf.cache import Place
from edge_ptf.compression import PruneConfig, in_steps
from edge_ptf.compression.pruning import prune, spread_layers, wanted_shapes
from edge_ptf.data.dataset import LabelledData
from edge_ptf.errors import BadInputError
from edge_ptf.models import LayerShape
from edge_ptf.models.checkpoint import Checkpoint, load_model
from edge_ptf.recipe import Recipe
from edge_ptf.student_pipeline import taught_student
from edge_ptf.training.distillation import matched_layers

MINILM = (LayerShape(num_heads=12, intermediate_size=1536),) * 6


def walked(cuts: list[PruneConfig], shapes: tuple[LayerShape, ...]) -> list[dict[int, LayerShape]]:
    """The layers left after each step, by their original index. Each step prunes the result of the step before."""
    numbers, found = list(range(len(shapes))), []
    for cut in cuts:
        sizes = wanted_shapes(cut, shapes)
        numbers, shapes = [numbers[layer] for layer in sizes], tuple(sizes.values())
        found.append(dict(zip(numbers, shapes, strict=True)))
    return found


@given(st.integers(1, 6), st.integers(1, 48).map(lambda value: 32 * value), st.integers(1, 12), st.integers(1, 6))
def test_the_steps_shrink_and_end_where_one_cut_would(layers: int, neurons: int, heads: int, steps: int) -> None:
    config = PruneConfig(num_layers=layers, intermediate_size=(neurons,), num_heads=(heads,))
    cuts = in_steps(config, MINILM, steps)
    assert len(cuts) == steps
    found = [dict(enumerate(MINILM)), *walked(cuts, MINILM)]
    assert found[-1] == wanted_shapes(config, MINILM)
    for before, after in pairwise(found):
        assert set(after) <= set(before)
        for layer, shape in after.items():
            assert shape.num_heads <= before[layer].num_heads
            assert shape.intermediate_size <= before[layer].intermediate_size


def test_half_of_the_way_is_cut_in_the_first_of_two_steps() -> None:
    first, _ = walked(in_steps(PruneConfig(num_layers=4, intermediate_size=(384,)), MINILM, 2), MINILM)
    assert len(first) == 5
    assert {first[layer].intermediate_size for layer in spread_layers(6, 4)} == {960}


def test_the_vocabulary_is_cut_first_and_the_hidden_states_last() -> None:
    cuts = in_steps(PruneConfig(num_layers=3, hidden_size=256, vocabulary=True), MINILM, 3)
    assert [cut.vocabulary for cut in cuts] == [True, False, False]
    assert [cut.hidden_size for cut in cuts] == [None, None, 256]


def test_one_step_is_the_cut_itself() -> None:
    config = PruneConfig(num_layers=0.5, intermediate_size=(0.25,))
    assert in_steps(config, MINILM, 1) == [config]


def test_a_speedup_grows_by_the_same_factor() -> None:
    cuts = in_steps(PruneConfig(speedup=8.0), MINILM, 3)
    assert [cut.speedup for cut in cuts] == pytest.approx([2.0, 4.0, 8.0])


def test_the_vocabulary_is_cut_once() -> None:
    assert [cut.vocabulary for cut in in_steps(PruneConfig(num_layers=3), MINILM, 3)] == [True, False, False]


def test_a_size_that_does_not_fit_is_refused_before_the_first_cut() -> None:
    with pytest.raises(BadInputError, match="layers: cannot keep 7 of 6"):
        in_steps(PruneConfig(num_layers=7), MINILM, 2)


def test_a_student_is_cut_and_taught_in_steps(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    teacher, data, subjects = tiny_teacher("bert"), tiny_data(), []
    teaching = {"batch_size": 8, "spliced_texts": 0.0}
    recipe = Recipe().replace(
        prune=PruneConfig(num_layers=1, intermediate_size=(0.5,)),
        gradual={"steps": 2, "epochs": 1},
        distill={"epochs": 2, **teaching},
    )
    place = Place(tmp_path, keyed=True)
    student = taught_student(teacher, (), data, recipe, place, lambda done, _: subjects.append(done.stage))
    assert subjects == ["prune", "distill"] * 2
    once = prune(teacher, data, recipe.prune, tmp_path / "once")
    assert student.info.layers == once.info.layers == models.shapes(load_model(student))
    assert matched_layers(teacher, student) == matched_layers(teacher, once)
    epochs = [step.config["epochs"] for step in student.info.lineage if step.stage == "distill"]
    assert epochs == [1, 2]
    again: list[bool] = []
    taught_student(teacher, (), data, recipe, place, lambda done, _: again.append(done.reused))
    assert again == [True] * 4
