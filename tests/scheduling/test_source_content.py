import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from constrictor.scheduling import source_content
from constrictor.scheduling.source_content import SourceContent
from constrictor.scheduling.wildcards import wildcards_of

REVIEWS, MORE = wildcards_of({"name": "reviews"}), wildcards_of({"name": "reviews", "part": "more_of_it"})
TINY, CORN = wildcards_of({"name": "tiny"}), wildcards_of({"name": "corn"})


@pytest.fixture
def content(larger) -> Callable[..., SourceContent]:
    """The content of the sources of the larger study with changes, as a new call of Snakemake finds it."""
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"):
        Path("tiny", name).write_text(name, encoding="utf-8")
    return lambda changes=None: SourceContent(larger(changes).study)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"])
def test_each_file_of_a_local_model_counts_even_if_an_older_one_replaces_it(content, name):
    before = content().checkpoint(TINY)
    file = Path("tiny", name)
    file.write_text("another", encoding="utf-8")
    os.utime(file, (0, 0))
    assert content().checkpoint(TINY) != before


def test_a_further_file_of_a_local_model_counts_and_one_that_is_not_copied_does_not(content):
    before = content().checkpoint(TINY)
    Path("tiny/README.md").touch()
    assert content().checkpoint(TINY) == before
    Path("tiny/added_tokens.json").touch()
    assert content().checkpoint(TINY) != before


def test_a_touched_file_is_the_same(content):
    Path("reviews.csv").write_text("text,label\n" * 200_000, encoding="utf-8")
    before = content().data(REVIEWS)
    os.utime("reviews.csv", (1e9, 1e9))
    assert content().data(REVIEWS) == before


def test_the_content_of_data_counts_for_all_that_is_read_from_them(content):
    def found() -> list[str]:
        return [content().data(REVIEWS), content().data(CORN), content().extra_test_set(MORE)]

    before = found()
    Path("reviews.csv").write_text("text,label\n", encoding="utf-8")
    assert all(now != then for now, then in zip(found(), before, strict=True))


def test_every_split_counts(content):
    Path("test.csv").touch()
    change = {"tasks.reviews.source": {"train": {"path": "reviews.csv"}, "test": {"path": "test.csv"}}}
    before = content(change).data(REVIEWS)
    Path("test.csv").write_text("text,label\n", encoding="utf-8")
    assert content(change).data(REVIEWS) != before


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with data and a model, in a folder that Python finds packages in."""
    site = tmp_path / "site"
    info = site / "reviews_data-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: reviews-data\nVersion: 1.0\n", encoding="utf-8")
    shutil.copytree("tiny", site / "reviews_data/model")
    (site / "reviews_data/data.csv").touch()
    monkeypatch.syspath_prepend(str(site))
    return site


@pytest.fixture
def package(content, installed) -> Callable[[], list[str]]:
    """The content of a task and of a model from that package."""
    changes = {
        "tasks.reviews.source": {"package": "reviews-data", "file": "reviews_data/data.csv"},
        "models.tiny": {"package": "reviews-data", "folder": "reviews_data/model"},
    }

    def found() -> list[str]:
        sources = content(changes)
        return [sources.data(REVIEWS), sources.checkpoint(TINY)]

    return found


def test_files_of_a_package_count(package, installed):
    data, model = package()
    (installed / "reviews_data/data.csv").write_text("text,label\n", encoding="utf-8")
    assert (package()[0] != data, package()[1] == model) == (True, True)
    (installed / "reviews_data/model/tokenizer.json").write_text("another", encoding="utf-8")
    assert package()[1] != model


def test_the_version_of_a_package_counts(package, monkeypatch):
    before = package()
    monkeypatch.setattr(source_content, "version", lambda package: "1.1")
    assert all(now != then for now, then in zip(package(), before, strict=True))


def test_a_hub_has_no_content_here(content):
    assert content({"models.tiny": {"hub": "a/b"}}).checkpoint(TINY) == "content of "


def test_a_file_that_cannot_be_read_is_left_to_the_job(content, monkeypatch):
    sources = content()
    Path("reviews.csv").unlink()
    assert sources.data(REVIEWS) == "content of reviews.csv: unreadable"
