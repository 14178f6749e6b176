import numpy as np
import pytest

from constrictor.compression.sample import draw_examples
from constrictor.data.examples import read_examples, unlabelled, write_examples
from constrictor.errors import ConstrictorError
from constrictor.study.steps.recovery import Calibration


def test_examples_are_a_fixed_draw_in_the_order_of_the_file(tiny_task):
    file = tiny_task / "train.parquet"
    drawn = draw_examples(Calibration(calibration_size=40), file)
    again = draw_examples(Calibration(calibration_size=40), file)
    everything = read_examples(file)
    rows = [everything.ids.index(name) for name in drawn.ids]
    assert drawn.ids == again.ids
    assert len(set(rows)) == 40
    assert rows == sorted(rows)
    assert rows != list(range(40))
    np.testing.assert_array_equal(drawn.labels, everything.labels[rows])


def test_all_examples_may_be_drawn_and_no_more(tmp_path):
    file = tmp_path / "few.parquet"
    write_examples(file, unlabelled([str(number) for number in range(33)], ["a text"] * 33))
    assert len(draw_examples(Calibration(calibration_size=33), file)) == 33
    with pytest.raises(ConstrictorError, match=r"'few' has 33 examples and the step calibrates on 34\. Lower"):
        draw_examples(Calibration(calibration="few", calibration_size=34), file)
