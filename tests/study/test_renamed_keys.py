import pytest
import yaml

from constrictor.errors import ConstrictorError
from constrictor.study.read import load_study, read_study
from constrictor.study.renamed_keys import RENAMED

PLACES = {
    "on": ("steps.kd", ["train"]),
    "held_out_ngram": ("subsets.some", 4),
    "extra_tests": ("tasks.reviews", {"more": {"path": "more.csv"}}),
    "max_difference": ("steps.onnx", 0.1),
    "atol": ("steps.onnx", 0.1),
}


def test_every_renamed_key_is_tested():
    assert PLACES.keys() == RENAMED.keys()


@pytest.mark.parametrize("old", PLACES)
def test_an_old_key_is_refused_with_the_new_one_named(changed, old):
    place, value = PLACES[old]
    with pytest.raises(ConstrictorError, match=rf"\n  {place}\.{old}: '{old}' is now called '{RENAMED[old]}'\.$"):
        read_study(changed({f"{place}.{old}": value}))


def test_an_old_key_in_another_place_is_an_unknown_key(changed):
    with pytest.raises(ConstrictorError, match=r"subsets\.some\.on: unknown key\. Known: "):
        read_study(changed({"subsets.some.on": "train"}))


def test_on_without_quotes_which_yaml_reads_as_true_is_refused_with_its_line(tmp_path, changed):
    text = yaml.safe_dump(changed({})).replace("train_on:", "on:")
    assert yaml.safe_load(text)["steps"]["kd_wide"][True] == {"train": 2, "some": 1}
    (tmp_path / "study.yaml").write_text(text, encoding="utf-8")
    line = text.splitlines().index("    on:") + 1
    with pytest.raises(ConstrictorError, match=rf"study\.yaml:{line}: 'on' is now called 'train_on'\.$"):
        load_study(tmp_path / "study.yaml")


def test_on_of_the_command_line_is_refused_too(changed):
    study = changed({})
    study["steps"]["kd_wide"][True] = study["steps"]["kd_wide"].pop("train_on")
    with pytest.raises(ConstrictorError, match=r"steps\.kd_wide\.1: keys must be text.*'on' is now called 'train_on'"):
        read_study(study)
