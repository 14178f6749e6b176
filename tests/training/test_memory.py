import pytest

from constrictor.errors import ConstrictorError
from constrictor.training.memory import split_finer


@pytest.mark.parametrize(("batch", "parts", "finer"), [(32, 1, 2), (32, 2, 4), (6, 2, 6), (9, 1, 3), (7, 1, 7)])
def test_parts_stay_equal_and_the_next_smaller_size_is_reported(capsys, batch, parts, finer):
    assert split_finer(batch, parts) == finer
    assert f"continuing with {batch // finer}, in {finer} passes per batch" in capsys.readouterr().out


def test_one_example_cannot_be_split():
    with pytest.raises(ConstrictorError, match="not even with one example at a time"):
        split_finer(8, 8)
