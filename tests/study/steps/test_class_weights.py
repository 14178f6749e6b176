import pytest
from pydantic import ValidationError

from constrictor.study.steps.finetune import Finetune


def _weights(written: object) -> object:
    return Finetune.model_validate({"stage": "finetune", "model": "tiny", "class_weights": written}).class_weights


def test_classes_may_be_whole_numbers_as_in_the_data():
    assert _weights({0: 1.0, 1: 2.0}) == {"0": 1.0, "1": 2.0} == _weights({"0": 1.0, "1": 2.0})


@pytest.mark.parametrize("key", [True, None, (1, 2)])
def test_other_keys_are_no_names_of_classes(key):
    with pytest.raises(ValidationError):
        _weights({key: 1.0})
