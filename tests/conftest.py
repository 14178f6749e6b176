"""What the unit tests share: a tiny random encoder, a small learnable task, and what is built from them once."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import itertools
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from xdist.scheduler import LoadScopeScheduling

hypothesis_settings.register_profile("constrictor", deadline=None, max_examples=40, derandomize=True, database=None)
hypothesis_settings.load_profile("constrictor")

# Modules whose tests start from the same finished study: in one process, so that it is run once.
SAME_STUDY = {
    **dict.fromkeys(
        ("test_whole_study", "test_reruns", "test_planning", "test_killed_training", "test_teachers"), "the small study"
    ),
    **dict.fromkeys(
        ("test_damage", "test_stopped", "test_disk", "test_clock", "test_killed_study"), "the little study"
    ),
}
RUN_STUDIES = ("workflow", "faults", "security")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that run whole studies come first: at the end, short ones keep all processes busy."""
    items.sort(key=lambda item: (item.path.parent.name not in RUN_STUDIES, item.path.stem not in SAME_STUDY))


class ByModule(LoadScopeScheduling):
    """Tests of a module share a process, and with it the fixtures that train a model.

    (The marks of `--dist loadgroup` have no effect with pytest 9.2 and xdist 3.8: the former ignores the names that the
    latter gives.)
    """

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return SAME_STUDY.get(Path(path).stem, path)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByModule:
    """The scheduler of a run with several processes."""
    return ByModule(config, log)


GOOD = ("great", "lovely", "superb", "charming", "brilliant")
BAD = ("awful", "boring", "dreadful", "clumsy", "tedious")
NOUNS = ("film", "story", "plot", "cast", "score", "ending")
TAILS = ("", "indeed", "from start to finish", "and everybody in the room said so")


@pytest.fixture(scope="session")
def sentences() -> list[tuple[str, str]]:
    """240 different sentences, half of them of each class: the adjective tells the class."""
    return [
        (f"the {noun} was {adjective} {tail}".strip(), label)
        for label, adjectives in (("bad", BAD), ("good", GOOD))
        for adjective, noun, tail in itertools.product(adjectives, NOUNS, TAILS)
    ]


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory, sentences: list[tuple[str, str]]) -> Path:
    """A random four-layer BERT as `save_pretrained` writes it, with a WordPiece tokenizer."""
    import tokenizers
    import torch
    from transformers import BertConfig, BertModel

    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("tiny_checkpoint")
    words = sorted({word for text, _ in sentences for word in text.split()})
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words, *"abcdefghijklmnopqrstuvwxyz", "##s", "##y", "##ing"]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = tokenizers.processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokens), hidden_size=32, num_hidden_layers=4, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=64, initializer_range=0.05,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> Path:
    """The tiny checkpoint as a fetched artifact."""
    from constrictor.models.source import fetch_model
    from constrictor.study.sources import LocalModel

    folder = tmp_path_factory.mktemp("tiny_model") / "model"
    fetch_model(LocalModel(path=str(tiny_checkpoint)), folder)
    return folder


@pytest.fixture(scope="session")
def tiny_task(tmp_path_factory: pytest.TempPathFactory, sentences: list[tuple[str, str]]) -> Path:
    """A prepared task of 120 learnable sentences: 72 to train on, 24 each for validation and test."""
    from constrictor.study.sources import LocalFile
    from constrictor.study.splits import Split
    from constrictor.study.tasks import ClassificationTask
    from constrictor.tasks.prepare import prepare_task

    folder = tmp_path_factory.mktemp("tiny_task")
    source = folder / "source.csv"
    source.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in sentences[::2]), encoding="utf-8")
    task = ClassificationTask(
        source=LocalFile(path=str(source)), split=Split(validation=0.2, test=0.2), max_length=32, metric="accuracy"
    )
    prepare_task(task, folder / "task")
    return folder / "task"


@pytest.fixture(scope="session")
def tiny_teacher(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, tiny_task: Path) -> Path:
    """The tiny model, fine-tuned until it knows the task: an artifact's folder."""
    from heads import task_in, train_plan

    from constrictor.study.steps.finetune import Finetune
    from constrictor.training.finetune import finetune
    from constrictor.training.node import Node

    node = Node(tmp_path_factory.mktemp("tiny_teacher") / "teacher", "teacher", seed=1)
    settings = Finetune(stage="finetune", model="tiny", epochs=3, lr=5e-3, batch_size=8, dropout=0.0)
    finetune(settings, tiny_model, train_plan(task_in(tiny_task)), task_in(tiny_task), node)
    return node.model


@pytest.fixture(scope="session")
def tiny_onnx(tmp_path_factory: pytest.TempPathFactory, tiny_teacher: Path, tiny_task: Path) -> Path:
    """The tiny teacher as ONNX in float32: an artifact's folder."""
    from constrictor.compression.export.export import export
    from constrictor.study.steps.export import Export

    folder = tmp_path_factory.mktemp("tiny_onnx") / "model"
    export(Export(stage="export"), tiny_teacher, tiny_task / "validation.parquet", folder, "onnx")
    return folder


@pytest.fixture(scope="session")
def untrained_bert(tiny_model: Path) -> Callable[..., None]:
    """A function that writes an untrained two-layer BERT of given sizes into an artifact's folder."""
    import torch
    from heads import task_record
    from transformers import BertConfig, BertForSequenceClassification

    from constrictor.models.artifact import artifact_folder, seal
    from constrictor.models.manifest import Manifest
    from constrictor.models.torch_model import count_parameters, save_model

    def write(folder: Path, **sizes: float) -> None:
        torch.manual_seed(0)
        config = BertConfig(
            num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=64, num_labels=2,
            id2label={0: "bad", 1: "good"}, **sizes,
        )  # fmt: skip
        model = BertForSequenceClassification(config)
        with artifact_folder(folder) as staging:
            save_model(model, tiny_model, staging)
            what = {"format": "torch", "precision": "fp32", "task": task_record(), "layers": 2}
            seal(staging, Manifest(**what, **count_parameters(model)))

    return write


@pytest.fixture(scope="session")
def wide_teacher(tmp_path_factory: pytest.TempPathFactory, untrained_bert: Callable[..., None]) -> Path:
    """An untrained two-layer BERT, wide enough for every kernel: an artifact's folder."""
    folder = tmp_path_factory.mktemp("wide") / "model"
    untrained_bert(folder, vocab_size=900, hidden_size=128, intermediate_size=256, initializer_range=0.05)
    return folder


@pytest.fixture
def ask():
    """A function that gives a torch model's logits for a fixed batch with padding."""
    import torch

    ids = torch.randint(5, 40, (6, 11), generator=torch.Generator().manual_seed(0))
    mask = torch.arange(11) < torch.tensor([11, 3, 7, 11, 5, 9]).view(-1, 1)

    def logits(model):
        with torch.inference_mode():
            return model.eval()(input_ids=ids, attention_mask=mask.long()).logits

    return logits


@pytest.fixture
def cut():
    """A function that narrows the feed-forward part of an open BERT's first layer, as structured pruning does."""
    import torch

    def narrow(model, width: int) -> None:
        layer = model.bert.encoder.layer[0]
        first, second = layer.intermediate.dense, layer.output.dense
        layer.intermediate.dense = torch.nn.Linear(first.in_features, width)
        layer.output.dense = torch.nn.Linear(width, second.out_features)

    return narrow


@pytest.fixture
def small_disk(tmp_path: Path):
    """Mounts a disk of a given size, to be filled; skips where that is not permitted."""
    mounted: list[Path] = []

    def mount(size: str) -> Path:
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            pytest.skip("there is no mount command")
        if done.returncode:
            pytest.skip(f"a small disk cannot be mounted: {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
