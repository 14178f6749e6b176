import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from constrictor.errors import nearest
from constrictor.study.settings import canonical_json
from constrictor.study.steps.finetune import Finetune

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


def _turned(value):
    if isinstance(value, dict):
        return {key: _turned(item) for key, item in reversed(value.items())}
    return [_turned(item) for item in value] if isinstance(value, list) else value


@given(JSON)
def test_text_does_not_depend_on_the_order_of_keys_and_means_the_same(value):
    assert canonical_json(_turned(value)) == canonical_json(value)
    assert json.loads(canonical_json(value)) == value


def test_equal_settings_have_equal_text_and_others_another():
    first = Finetune.model_validate({"stage": "finetune", "epochs": 3, "lr": 5e-5})
    second = Finetune.model_validate({"lr": 0.00005, "stage": "finetune"})
    assert first.canonical() == second.canonical()
    assert first.canonical() != first.model_copy(update={"epochs": 4}).canonical()


def test_text_can_be_read_back():
    settings = Finetune.model_validate({"stage": "finetune", "model": {"from": "a", "layers": [0]}, "dropout": 0.2})
    assert Finetune.model_validate_json(json.dumps(settings.model_dump(mode="json", by_alias=True))) == settings


def test_settings_cannot_be_changed():
    with pytest.raises(ValidationError):
        Finetune(stage="finetune").epochs = 5


def test_nearest_lists_all_names_sorted():
    assert nearest("zzz", ["b", "a"]) == "Known: a, b."
    assert nearest(3, ["33"]).endswith("Known: 33.")
