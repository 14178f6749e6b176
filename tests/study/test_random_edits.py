"""Random edits of the shipped studies: each is read, or refused with a message that names a key; never a traceback.

CONSTRICTOR_EDITS=10000 pytest tests/study/test_random_edits.py     tries as many studies
"""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from constrictor.errors import ConstrictorError
from constrictor.scheduling.job_settings import JobSettings
from constrictor.scheduling.wildcards import wildcards_of
from constrictor.study.plan import Plan
from constrictor.study.read import read_study
from constrictor.study.yaml_file import read_yaml

ROOT = Path(__file__).parents[2]
STUDIES = {file: read_yaml(file) for file in [ROOT / "config.yaml", *sorted((ROOT / "studies").rglob("*.yaml"))]}
COUNT = int(os.environ.get("CONSTRICTOR_EDITS", "60"))

WORDS = [
    *(
        "",
        "x",
        "teacher",
        "teacher/kd",
        "train",
        "baseline",
        "balanced",
        "a b",
        "../x",
        "ü",
        "onnx",
        "path",
        "hub",
        "{x}",
    ),
    *(
        "name",
        "stage",
        "method",
        "grid",
        "model",
        "layers",
        "from",
        "extends",
        "replicates",
        "steps",
        "tasks",
        "labels",
    ),
]
plain = st.one_of(
    st.sampled_from(WORDS),
    st.integers(-3, 10**6),
    st.floats(allow_nan=True),
    st.booleans(),
    st.none(),
    st.text(max_size=4),
)
values = st.recursive(
    plain,
    lambda below: (
        st.lists(below, max_size=3) | st.dictionaries(plain.filter(lambda key: key == key), below, max_size=3)
    ),
    max_leaves=5,
)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every mapping or list of a study with each of its keys or positions."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    return [(value, key) for key in keys] + [place for key in keys for place in _places(value[key])]


def _edit(study: dict[str, Any], data: st.DataObject) -> None:
    """One random edit."""
    places = _places(study)
    holder, key = data.draw(st.sampled_from(places), label="place")
    other, further = data.draw(st.sampled_from(places), label="other place")
    match data.draw(st.sampled_from(["replace", "delete", "rename", "add", "wrap", "swap", "copy"]), label="edit"):
        case "replace":
            holder[key] = data.draw(values)
        case "delete":
            del holder[key]
        case "rename" if isinstance(holder, dict):
            holder[data.draw(plain)] = holder.pop(key)
        case "add" if isinstance(holder, dict):
            holder[data.draw(plain)] = data.draw(values)
        case "wrap":
            holder[key] = data.draw(st.sampled_from([[holder[key]], {"x": holder[key]}, [holder[key]] * 2]))
        case "swap":
            holder[key], other[further] = copy.deepcopy(other[further]), copy.deepcopy(holder[key])
        case "copy":
            holder[key] = copy.deepcopy(other[further])


@settings(max_examples=COUNT, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_an_edited_study_is_read_or_refused_by_the_name_of_a_key(data: st.DataObject) -> None:
    file = data.draw(st.sampled_from(list(STUDIES)), label="study")
    study = copy.deepcopy(STUDIES[file])
    for _ in range(data.draw(st.integers(1, 3), label="edits")):
        if study:
            _edit(study, data)
    try:
        found = read_study(study, [file])
    except ConstrictorError as error:
        assert_names_a_key(str(error))
        return
    plan, settings_of = Plan(found), JobSettings(Plan(found))
    for lineage in plan.lineages:
        settings_of.step(wildcards_of({"lineage": lineage}))


def assert_names_a_key(message: str) -> None:
    """Every line begins with the keys that lead to the mistake, perhaps behind the file and the line."""
    first, *others = message.splitlines()
    for line in others or [first]:
        assert ": " in line, message
        assert "Traceback" not in line, message
