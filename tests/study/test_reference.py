import re

import pytest

from constrictor.study.reference import reference_page
from constrictor.study.schema import study_schema

HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


@pytest.fixture(scope="module")
def page() -> str:
    return reference_page()


def _anchors(page: str) -> list[str]:
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(page)]


def test_headings_are_unique_and_every_link_leads_to_one(page):
    anchors = _anchors(page)
    assert len(anchors) == len(set(anchors))
    assert set(re.findall(r"\]\(#([^)]*)\)", page)) <= set(anchors)


def test_sections_are_in_the_order_of_the_file(page):
    tops = [heading.strip("`") for heading in re.findall(r"^## (.*)$", page, re.MULTILINE)]
    names = [
        "replicates",
        "tasks.<name>",
        "models.<name>",
        "corpora.<name>",
        "subsets.<name>",
        "steps.<name>",
        "report",
    ]
    assert tops == ["Top level", *names]


def _keys_below(page: str, path: str) -> list[str]:
    """The keys in all sections of a path, one entry per row."""
    sections = re.split(r"^#+ ", page, flags=re.MULTILINE)
    rows = "\n".join(part for part in sections if part.startswith(f"`{path}`"))
    return re.findall(r"^\| `(\w+)` \|", rows, re.MULTILINE)


def test_every_key_of_every_block_is_documented(page):
    documented = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    schema = study_schema()
    assert {key for block in (schema["else"], *schema["$defs"].values()) for key in block["properties"]} == documented


@pytest.mark.parametrize(
    ("path", "key", "times"),
    [
        ("steps.<name>", "lr", 1),
        ("steps.<name>", "hidden", 1),
        ("steps.<name>", "adapter", 1),
        ("steps.<name>", "gate", 1),
        ("steps.<name>", "stage", 1),
        ("steps.<name>", "calibration", 1),
        ("steps.<name>", "train_on", 2),  # of a student, and of a recovery fine-tuning
        ("tasks.<name>", "source", 1),
        ("tasks.<name>", "max_length", 2),  # of an input, and of a window in question answering
        ("tasks.<name>", "kind", 1),
        ("tasks.<name>", "metric", 4),  # each kind has its own
    ],
)
def test_keys_that_blocks_share_are_explained_once(page, path, key, times):
    assert _keys_below(page, path).count(key) == times


def test_a_method_lists_its_own_keys_and_links_to_the_shared_ones(page):
    section = page[page.index("### `steps.<name>` (stage: prune, method: magnitude)") :].partition("\n###")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == ["scope", "gradual"]
    assert "Further keys: [training](#stepsname-training), " in section
