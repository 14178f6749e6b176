from pathlib import Path

import pytest
from pydantic import ValidationError

from constrictor.study.steps.distil import SoftTargets
from constrictor.study.training_plan import TrainingPlan, TrainingSet


def test_a_plan_survives_its_json():
    plan = TrainingPlan(
        sets=[
            TrainingSet(examples=Path("a/train.parquet"), outputs=[Path("t/train.parquet"), Path("u/train.parquet")]),
            TrainingSet(examples=Path("b/some.parquet"), repeats=3),
        ],
        soft_targets=SoftTargets(alpha={"from": 0.9, "to": 0.1}, hidden={"layers": {1: 3}}),
        teacher=Path("t/model"),
    )
    assert TrainingPlan.model_validate_json(plan.canonical()) == plan
    assert plan.files == [
        Path(name) for name in ("a/train.parquet", "t/train.parquet", "u/train.parquet", "b/some.parquet")
    ]


@pytest.mark.parametrize(
    "plan", [{"sets": []}, {"sets": [{"examples": "a", "repeats": 0}]}, {"sets": [{"examples": "a"}], "lessons": 1}, {}]
)
def test_a_plan_that_makes_no_sense_is_refused(plan):
    with pytest.raises(ValidationError):
        TrainingPlan.model_validate(plan)
