import pytest
from pydantic import TypeAdapter, ValidationError

from constrictor.study.steps.prune import AnyPrune


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "magnitude"}, "exactly one of 'sparsity' and 'pattern'"),
        ({"method": "wanda", "sparsity": 0.5, "pattern": "2:4"}, "exactly one of 'sparsity' and 'pattern'"),
        ({"method": "magnitude", "pattern": "4:4"}, "the pattern 4:4 removes nothing"),
        ({"method": "wanda", "pattern": "2/4"}, "pattern"),
        ({"method": "magnitude", "sparsity": 1.0}, "less than 1"),
        ({"method": "magnitude", "sparsity": 0.5, "gradual": True}, "set 'finetune_epochs' to 1 or more"),
        ({"method": "magnitude", "pattern": "2:4", "gradual": True, "finetune_epochs": 1}, "requires 'sparsity'"),
        ({"method": "movement", "sparsity": 0.5, "finetune_epochs": 0}, "greater than or equal to 1"),
        ({"method": "movement"}, "Field required"),
    ],
)
def test_what_cannot_be_meant_is_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(AnyPrune).validate_python({"stage": "prune", **settings})
