import pytest
import torch

from constrictor.artifacts.manifest import Manifest
from constrictor.artifacts.torch_model import count_parameters, save_classifier
from constrictor.artifacts.writing import artifact_folder, seal


@pytest.fixture(scope="session")
def wide_teacher(tmp_path_factory, tiny_model):
    """An untrained two-layer BERT, wide enough for every kernel: an artifact's folder."""
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=900, hidden_size=128, num_hidden_layers=2, num_attention_heads=4, intermediate_size=256,
        max_position_embeddings=64, initializer_range=0.05, num_labels=2, id2label={0: "bad", 1: "good"},
    )  # fmt: skip
    model = BertForSequenceClassification(config)
    folder = tmp_path_factory.mktemp("wide") / "model"
    with artifact_folder(folder) as staging:
        save_classifier(model, tiny_model, staging)
        what = {"format": "torch", "precision": "fp32", "labels": ["bad", "good"], "max_length": 32, "layers": 2}
        seal(staging, Manifest(**what, **count_parameters(model)))
    return folder


@pytest.fixture
def ask():
    """A function that gives a model's logits for a fixed batch with padding."""
    ids = torch.randint(5, 40, (6, 11), generator=torch.Generator().manual_seed(0))
    mask = torch.arange(11) < torch.tensor([11, 3, 7, 11, 5, 9]).view(-1, 1)

    def logits(model) -> torch.Tensor:
        with torch.inference_mode():
            return model.eval()(input_ids=ids, attention_mask=mask.long()).logits

    return logits


@pytest.fixture
def cut():
    """A function that narrows the feed-forward part of an open BERT's first layer, as structured pruning does."""

    def narrow(model, width: int) -> None:
        layer = model.bert.encoder.layer[0]
        first, second = layer.intermediate.dense, layer.output.dense
        layer.intermediate.dense = torch.nn.Linear(first.in_features, width)
        layer.output.dense = torch.nn.Linear(width, second.out_features)

    return narrow
