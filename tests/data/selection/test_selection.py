import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from constrictor.data.examples import Examples, unlabelled
from constrictor.data.selection import STRATEGIES, select_subset
from constrictor.errors import ConstrictorError
from constrictor.study.corpora import Subset


def _pool(count: int) -> Examples:
    ids = [f"id{number}" for number in range(count)]
    return Examples(ids, [f"word{number} and some more" for number in range(count)], np.arange(count) % 3)


@given(size=st.integers(1, 60), seed=st.integers(0, 99), stratify=st.booleans())
def test_subset_has_its_size_keeps_rows_together_and_repeats(size, seed, stratify):
    pool = _pool(60)
    subset = Subset(of="pool", size=size, seed=seed, stratify=stratify)
    strata = pool.labels if stratify else None
    chosen, overlapping = select_subset(subset, pool, [], strata)
    assert len(chosen) == len(set(chosen.ids)) == size
    assert overlapping == 0
    rows = [pool.ids.index(identity) for identity in chosen.ids]
    assert rows == sorted(rows)
    assert chosen.texts == [pool.texts[row] for row in rows]
    assert chosen.labels.tolist() == pool.labels[rows].tolist()
    assert select_subset(subset, pool, [], strata).examples.ids == chosen.ids
    if stratify:
        counts = np.bincount(chosen.labels, minlength=3)
        assert counts.max() - counts.min() <= 1


def test_another_seed_chooses_others():
    drawn = {tuple(select_subset(Subset(of="p", size=5, seed=seed), _pool(60), []).examples.ids) for seed in range(9)}
    assert len(drawn) == 9


def test_size_above_the_pool():
    with pytest.raises(
        ConstrictorError, match=r"the subset has a size of 61 and 'pool' has 60 examples\. Reduce 'size'\."
    ):
        select_subset(Subset(of="pool", size=61), _pool(60), [])


def test_texts_near_a_held_out_text_are_left_out_and_counted():
    texts = ["one two three four five", "the quick brown fox jumps", "six seven eight nine ten"]
    pool = unlabelled(["a", "b", "c"], texts)
    held_out = ["Saw the QUICK, brown fox today", "six seven eight"]
    chosen = select_subset(Subset(of="p", size=2, decontamination_ngram=4), pool, held_out)
    assert chosen.examples.ids == ["a", "c"]
    assert select_subset(Subset(of="p", size=3, decontamination_ngram=0), pool, held_out).overlapping == 0
    with pytest.raises(ConstrictorError, match="'p' has 2 examples that share no 4 consecutive words"):
        select_subset(Subset(of="p", size=3, decontamination_ngram=4), pool, held_out)


def test_those_passed_over_before_the_subset_was_full_are_counted():
    pool = unlabelled(["a", "b", "c", "d"], ["one two three", "four five six", "two three four", "seven eight nine"])
    found = set()
    for seed in range(30):
        chosen, overlapping = select_subset(
            Subset(of="p", size=1, seed=seed, decontamination_ngram=2), pool, ["two three"]
        )
        drawn = [pool.ids[row] for row in np.random.default_rng(seed).permutation(4)]
        assert overlapping == drawn.index(chosen.ids[0])
        found.add(overlapping)
    assert found == {0, 1, 2}


def test_the_strategies_are_those_of_the_settings():
    assert set(STRATEGIES) == set(Subset.model_json_schema()["properties"]["strategy"].get("enum", ["random"]))


def test_the_strategy_of_the_subset_decides(monkeypatch):
    monkeypatch.setitem(STRATEGIES, "random", lambda subset, pool, strata: np.arange(len(pool))[::-1])
    assert select_subset(Subset(of="p", size=3), _pool(60), []).examples.ids == ["id57", "id58", "id59"]
