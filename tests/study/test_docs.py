"""The YAML in the documentation: every block is a study, or fits into one."""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from constrictor.study.overlay import laid_over
from constrictor.study.read import read_study
from constrictor.study.study import Study

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
AROUND: dict[str, Any] = {  # what blocks refer to without defining it
    "models": {"minilm": {"hub": "owner/minilm"}, "mine": {"hub": "owner/my_model"}},
    "corpora": {"sentences": {"source": {"hub": "owner/sentences"}}},
    "subsets": {"imdb_60k": {"of": "sentences", "size": 60000}},
    "steps": {"wide": {"stage": "finetune", "model": "minilm"}},
    "recipes": {"large": "wide"},
}


def blocks(page: Path) -> Iterator[dict[str, Any]]:
    """The YAML blocks of a page, each as a mapping of top-level keys of a study."""
    for text in re.findall(r"^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        block = yaml.safe_load(textwrap.dedent(text))
        if set(block) <= set(Study.model_fields):
            yield block
        elif all("stage" in step for step in block.values()):
            yield {"steps": block}
        else:
            yield {"tasks": {"tickets": block}}


FOUND = [pytest.param(block, id=f"{page.name}-{number}") for page in PAGES for number, block in enumerate(blocks(page))]


@pytest.mark.parametrize("block", FOUND)
def test_every_block_fits_into_the_study_of_the_readme(block, tmp_path, monkeypatch):
    example = next(blocks(PAGES[0]))
    assert example["name"] == "example"
    monkeypatch.chdir(tmp_path)
    study = laid_over(laid_over(example, AROUND), block)
    for name in re.findall(r"'path': '([^']+)'", str(study)):
        Path(name).touch() if Path(name).suffix else Path(name).mkdir()
    read_study(study)


def test_blocks_are_found():
    assert len(FOUND) >= 12
