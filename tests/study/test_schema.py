import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from constrictor.study.reference import reference_page
from constrictor.study.schema import REFERENCE_FILE, ROOT, SCHEMA_FILE, study_schema

STUDIES = [ROOT / "config.yaml", *sorted((ROOT / "studies").rglob("*.yaml"))]


def read_yaml(file: Path) -> dict:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def test_schema_file_is_up_to_date():
    assert json.loads(SCHEMA_FILE.read_text(encoding="utf-8")) == study_schema(), "run `make docs`"


def test_reference_page_is_up_to_date():
    assert REFERENCE_FILE.read_text(encoding="utf-8") == reference_page(), "run `make docs`"


def test_schema_names_its_dialect():
    assert study_schema()["$schema"].startswith("https://json-schema.org/")


@pytest.mark.parametrize("file", STUDIES, ids=lambda file: file.stem)
def test_studies_of_the_project_follow_the_schema(file):
    jsonschema.validate(read_yaml(file), study_schema())


def test_schema_refuses_a_misspelled_key():
    study = read_yaml(ROOT / "config.yaml")
    study["steps"]["mag40"]["sparsty"] = 0.4
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(study, study_schema())


def test_every_key_is_described():
    blocks = {"Study": study_schema()["else"], **study_schema()["$defs"]}
    undescribed = [
        f"{name}.{key}"
        for name, block in blocks.items()
        for key, entry in block["properties"].items()
        if not entry.get("description")
    ]
    assert undescribed == []
