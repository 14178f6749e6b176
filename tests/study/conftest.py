from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import small_study
import yaml

from constrictor.errors import ConstrictorError
from constrictor.study.read import read_study

changed, sources_of_the_study = small_study.changed, small_study.sources_of_the_study


@pytest.fixture
def study_file(tmp_path: Path, changed) -> Callable[..., Path]:
    """Writes the small study, changed, as YAML."""

    def write(changes: dict[str, Any]) -> Path:
        file = tmp_path / "study.yaml"
        file.write_text(yaml.safe_dump(changed(changes), sort_keys=False), encoding="utf-8")
        return file

    return write


@pytest.fixture
def mistake(changed):
    """Reads a changed study that has one mistake and returns the line that names it."""

    def find(changes) -> str:
        with pytest.raises(ConstrictorError) as caught:
            read_study(changed(changes))
        message = str(caught.value)
        assert message.startswith("The study has one mistake:\n  "), message
        return message.split("\n  ")[1]

    return find
