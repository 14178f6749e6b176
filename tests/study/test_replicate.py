import pytest
from hypothesis import given
from hypothesis import strategies as st

from constrictor.errors import ConstrictorError
from constrictor.study.plan import Plan
from constrictor.study.read import read_study
from constrictor.study.replicate import Folding, Replicate

NUMBERS = st.integers(0, 10**9)


@given(NUMBERS, st.none() | NUMBERS)
def test_a_name_holds_seed_and_fold(seed, fold):
    assert Replicate.parse(str(Replicate(seed, fold))) == (seed, fold)


@pytest.mark.parametrize("name", ["seed", "seed4-", "seed4-fold", "fold1", "seed4fold1", "seed-1", "seed1-fold1-fold2"])
def test_other_names_are_none(name):
    with pytest.raises(ValueError, match=f"'{name}' is not the name of a replicate"):
        Replicate.parse(name)


def test_every_seed_has_every_fold_and_the_first_of_all_is_timed(changed):
    plan = Plan(read_study(changed({"replicates": {"seeds": [3, 1], "folds": 2}})))
    assert plan.replicates == ["seed3-fold0", "seed3-fold1", "seed1-fold0", "seed1-fold1"]
    assert plan.timed_replicate == "seed3-fold0"
    assert plan.comparison["folds"] == 2
    without = Plan(read_study(changed({"replicates": {"seeds": [3, 1]}})))
    assert (without.timed_replicate, without.replicates) == ("seed3", ["seed3", "seed1"])


@pytest.mark.parametrize(
    ("source", "keep_test"),
    [
        ({"path": "x.csv"}, False),
        ({"train": {"path": "x.csv"}, "validation": {"path": "x.csv"}}, False),
        ({"train": {"path": "x.csv"}, "test": {"path": "x.csv"}}, True),
    ],
)
def test_how_a_task_is_split(changed, source, keep_test):
    task = {"source": source, "split": {"validation": 0.3, "seed": 7}}
    plan = Plan(read_study(changed({"tasks.reviews": task, "replicates": {"folds": 4}})))
    assert plan.folding("reviews") == Folding(folds=4, keep_test=keep_test, validation=0.3, seed=7)


@pytest.mark.parametrize("folds", [1, 0, -3])
def test_fewer_than_two_folds_are_refused(changed, folds):
    with pytest.raises(ConstrictorError, match=rf"replicates\.folds: found {folds}: .*greater than or equal to 2"):
        read_study(changed({"replicates": {"folds": folds}}))
