from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from edge_ptf import tasks
from edge_ptf.data.dataset import LabelledData
from edge_ptf.search.workshop import larger_on_test
from edge_ptf.tasks.base import Example


def test_each_bound_is_drawn_in_by_the_texts_its_metric_is_about(tiny_data: Callable[..., LabelledData]) -> None:
    known, outside = Example("turn on the light", "light"), Example("who are you", "oos")
    data = replace(tiny_data(), validation=(known,) * 30 + (outside,), test=(known,) * 45 + (outside,) * 10)
    task = tasks.create(tasks.get("text-classification").spec_for(("light", "oos"), "oos"))
    found = larger_on_test(task, data)
    assert found["max_drop.in_scope_accuracy"] == pytest.approx((30 / 45) ** 0.5)
    assert found["max_drop.out_of_scope_recall"] == pytest.approx((1 / 10) ** 0.5)


@pytest.mark.parametrize(("named", "ratio"), [(12, (6 / 12) ** 0.5), (0, 1.0)])
def test_sentences_without_a_name_do_not_count(
    tiny_data: Callable[..., LabelledData], named: int, ratio: float
) -> None:
    name, nothing = Example("ann sings", ("B-who", "O")), Example("rain falls", ("O", "O"))
    data: Any = replace(
        tiny_data("token-classification"), validation=(name,) * 6, test=(name,) * named + (nothing,) * 9
    )
    task = tasks.create(tasks.get("token-classification").spec_for(("O", "B-who", "I-who")))
    assert larger_on_test(task, data) == {"max_drop.entity_f1": pytest.approx(ratio)}
