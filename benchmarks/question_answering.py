"""Ordinary fine-tuning for extractive question answering: the reference that the workflow's own task is compared with.

    python benchmarks/question_answering.py --model FOLDER --train nq_train.json --test nq_dev.json xquad_en.json \
        --epochs 3 --lr 1e-4 --batch-size 32 --max-length 256 --stride 64 --max-answer-length 30 --seed 42 \
        --validation-share 0.1 --split-seed 0 --output result.json --bf16

The recipe is that of Devlin et al. (2019, section 4.2), as the question-answering example of transformers applies it. A
long passage becomes several overlapping windows; the model scores each token as the start and as the end of the answer;
the answer is the best valid span over all windows of the question. A window that does not contain the whole answer is
trained to predict its first token ([CLS]). Scores are exact match and F1 of SQuAD (Rajpurkar et al., 2016; 2018).

Needs transformers and torch alone, and nothing of Constrictor, so that a mistake there cannot be repeated here. Training
uses bfloat16 autocast if requested; prediction is always in float32.
"""

from __future__ import annotations

import argparse
import json
import re
import string
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader
from transformers import (
    AutoModelForQuestionAnswering,
    AutoTokenizer,
    DataCollatorWithPadding,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

CANDIDATES = 20  # best starts and best ends of a window that are combined into spans ("n_best" in the literature)
ARTICLES = re.compile(r"\b(a|an|the)\b")
WITHOUT_PUNCTUATION = str.maketrans("", "", string.punctuation)
MODEL_INPUTS = ("input_ids", "token_type_ids", "attention_mask")


class Question(NamedTuple):
    """A question about a passage; a question without an answer in the passage has no references."""

    id: str
    question: str
    passage: str
    references: list[str]
    starts: list[int]  # characters before each reference


class Window(NamedTuple):
    """One input of the model: a question and a part of its passage."""

    question: int
    inputs: dict[str, list[int]]
    offsets: list[tuple[int, int] | None]  # character span of each token in the passage; None outside the passage


# Data


def read_squad(file: Path) -> list[Question]:
    """Questions of a file in the format of SQuAD 1.1 or 2.0."""
    articles = json.loads(file.read_text(encoding="utf-8"))["data"]
    return [
        Question(
            entry["id"],
            entry["question"].strip(),
            paragraph["context"],
            [answer["text"] for answer in entry["answers"]],
            [answer["answer_start"] for answer in entry["answers"]],
        )
        for article in articles
        for paragraph in article["paragraphs"]
        for entry in paragraph["qas"]
    ]


def split_questions(questions: Sequence[Question], share: float, seed: int) -> tuple[list[Question], list[Question]]:
    """Training and validation questions: a random share is left out of training; both keep the order of the file."""
    held_out = set(np.random.default_rng(seed).permutation(len(questions))[: round(share * len(questions))].tolist())
    train = [question for number, question in enumerate(questions) if number not in held_out]
    return train, [question for number, question in enumerate(questions) if number in held_out]


def make_windows(
    questions: Sequence[Question], tokenizer: PreTrainedTokenizerFast, max_length: int, stride: int
) -> list[Window]:
    """Windows of at most ``max_length`` tokens; neighbours share ``stride`` tokens of the passage."""
    encoded = tokenizer(
        [question.question for question in questions],
        [question.passage for question in questions],
        truncation="only_second",
        max_length=max_length,
        stride=stride,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    windows = []
    for number, question in enumerate(encoded["overflow_to_sample_mapping"]):
        inputs = {name: encoded[name][number] for name in MODEL_INPUTS if name in encoded}
        parts = encoded.sequence_ids(number)
        offsets = [
            span if part == 1 else None for span, part in zip(encoded["offset_mapping"][number], parts, strict=True)
        ]
        windows.append(Window(question, inputs, offsets))
    return windows


def answer_tokens(window: Window, question: Question) -> tuple[int, int] | None:
    """First and last token of the first reference, or None if the window does not contain all of it."""
    if not question.references:
        return None
    start, end = question.starts[0], question.starts[0] + len(question.references[0])
    passage = [(token, span) for token, span in enumerate(window.offsets) if span is not None]
    if not passage or passage[0][1][0] > start or passage[-1][1][1] < end:
        return None
    covered = [token for token, (first, last) in passage if first < end and last > start]
    return (covered[0], covered[-1]) if covered else None


def training_examples(
    windows: Sequence[Window], questions: Sequence[Question], first_token: int
) -> list[dict[str, Any]]:
    """Model inputs with the two labels; windows without the answer are labelled with the first token."""
    examples = []
    for window in windows:
        found = answer_tokens(window, questions[window.question])
        cls = window.inputs["input_ids"].index(first_token)
        start, end = found or (cls, cls)
        examples.append({**window.inputs, "start_positions": start, "end_positions": end})
    return examples


def describe_windows(
    windows: Sequence[Window], questions: Sequence[Question], max_answer_length: int
) -> dict[str, int]:
    """Counts that limit what the recipe can learn or predict."""
    per_question = Counter(window.question for window in windows)
    tokens = [answer_tokens(window, questions[window.question]) for window in windows]
    found = {window.question: span for window, span in zip(windows, tokens, strict=True) if span is not None}
    return {
        "questions": len(questions),
        "windows": len(windows),
        "questions_with_several_windows": sum(count > 1 for count in per_question.values()),
        "most_windows_of_a_question": max(per_question.values()),
        "windows_without_the_whole_answer": sum(span is None for span in tokens),
        "questions_without_a_window_with_the_whole_answer": len(questions) - len(found),
        "answers_longer_than_allowed": sum(end - start + 1 > max_answer_length for start, end in found.values()),
    }


# Metric


def normalise(text: str) -> str:
    """Lower case, without ASCII punctuation and articles, white space collapsed, in this order.

    >>> normalise("The  well-known  actor, A. Smith")
    'wellknown actor smith'
    """
    return " ".join(ARTICLES.sub(" ", text.lower().translate(WITHOUT_PUNCTUATION)).split())


def exact_match(prediction: str, reference: str) -> float:
    """1 if both are equal after normalisation, else 0."""
    return float(normalise(prediction) == normalise(reference))


def f1(prediction: str, reference: str) -> float:
    """Harmonic mean of precision and recall over the bags of tokens; if one is empty, 1 if both are, else 0.

    >>> f1("the cat sat", "a cat")
    0.6666666666666666
    """
    predicted, expected = normalise(prediction).split(), normalise(reference).split()
    if not predicted or not expected:
        return float(predicted == expected)
    common = (Counter(predicted) & Counter(expected)).total()
    return 2 * common / (len(predicted) + len(expected))


def best_score(score: Callable[[str, str], float], prediction: str, references: Sequence[str]) -> float:
    """Maximum over the references that are not empty after normalisation; without any, the answer is the empty text."""
    return max(score(prediction, reference) for reference in [text for text in references if normalise(text)] or [""])


def evaluate(predictions: Sequence[str], questions: Sequence[Question]) -> dict[str, float]:
    """Exact match and F1 in percent, the mean over the questions."""
    pairs = list(zip(predictions, questions, strict=True))
    return {
        score.__name__: 100 * float(np.mean([best_score(score, text, question.references) for text, question in pairs]))
        for score in (exact_match, f1)
    }


# Prediction


def best_span(
    window: Window, starts: np.ndarray, ends: np.ndarray, max_answer_length: int
) -> tuple[float, tuple[int, int]] | None:
    """Score and character span of the best valid pair of start and end among the candidates of a window."""
    best = None
    for start in np.argsort(-starts, kind="stable")[:CANDIDATES]:
        for end in np.argsort(-ends, kind="stable")[:CANDIDATES]:
            first, last = window.offsets[start], window.offsets[end]
            if first is None or last is None or not 0 <= end - start < max_answer_length:
                continue
            score = float(starts[start] + ends[end])
            if best is None or score > best[0]:
                best = (score, (first[0], last[1]))
    return best


def choose_answers(
    questions: Sequence[Question],
    windows: Sequence[Window],
    logits: Sequence[tuple[np.ndarray, np.ndarray]],
    max_answer_length: int,
    allow_empty: bool,
) -> list[str]:
    """The best span over all windows of each question.

    With ``allow_empty`` (training data with unanswerable questions), a question has no answer if the smallest score of
    the first token over its windows exceeds the best span's.
    """
    best: dict[int, tuple[float, tuple[int, int]]] = {}
    empty = dict.fromkeys(range(len(questions)), float("inf"))
    for window, (starts, ends) in zip(windows, logits, strict=True):
        empty[window.question] = min(empty[window.question], float(starts[0] + ends[0]))
        found = best_span(window, starts, ends, max_answer_length)
        if found and (window.question not in best or found[0] > best[window.question][0]):
            best[window.question] = found
    answers = []
    for number, question in enumerate(questions):
        score, (start, end) = best.get(number, (-float("inf"), (0, 0)))
        answers.append("" if allow_empty and empty[number] > score else question.passage[start:end])
    return answers


@torch.inference_mode()
def predict_logits(
    model: PreTrainedModel, windows: Sequence[Window], collate: DataCollatorWithPadding, batch_size: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Start and end logits of each window, without padding; windows of similar length share a batch."""
    model.eval()
    order = sorted(range(len(windows)), key=lambda number: len(windows[number].offsets))
    inputs = [windows[number].inputs for number in order]
    batches = []
    for batch in DataLoader(inputs, batch_size=batch_size, collate_fn=collate):  # type: ignore[arg-type]
        outputs = model(**batch.to(model.device))
        batches += list(zip(outputs.start_logits.cpu().numpy(), outputs.end_logits.cpu().numpy(), strict=True))
    logits = dict(zip(order, batches, strict=True))
    lengths = [len(window.offsets) for window in windows]
    return [(logits[number][0][:length], logits[number][1][:length]) for number, length in enumerate(lengths)]


# Training


class EpochTimer(TrainerCallback):
    """Wall time of each epoch."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.started = 0.0

    def on_epoch_begin(self, *_: Any, **__: Any) -> None:
        """Start the clock."""
        self.started = time.perf_counter()

    def on_epoch_end(self, *_: Any, **__: Any) -> None:
        """Record the epoch."""
        self.seconds.append(time.perf_counter() - self.started)


def train(
    model: PreTrainedModel,
    examples: list[dict[str, Any]],
    collate: DataCollatorWithPadding,
    options: argparse.Namespace,
) -> tuple[list[float], float]:
    """Fine-tune the model in place; returns seconds of each epoch and the mean training loss."""
    timer = EpochTimer()
    with TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            num_train_epochs=options.epochs,
            per_device_train_batch_size=options.batch_size,
            learning_rate=options.lr,
            weight_decay=0.01,  # the trainer leaves biases and layer normalisation out
            lr_scheduler_type="linear",
            warmup_steps=0.1,  # a share of all steps
            max_grad_norm=1.0,
            optim="adamw_torch",
            bf16=options.bf16,
            use_cpu=not torch.cuda.is_available(),
            seed=options.seed,
            logging_steps=50,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        trainer = Trainer(
            model=model,
            args=arguments,
            train_dataset=examples,
            data_collator=collate,
            callbacks=[timer],
        )
        loss = trainer.train().training_loss
        trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)  # prediction without autocast
    return timer.seconds, loss


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="folder of a pretrained encoder and its tokenizer")
    parser.add_argument("--train", type=Path, required=True, help="training questions, SQuAD format")
    parser.add_argument("--test", type=Path, required=True, nargs="+", help="test questions, SQuAD format")
    parser.add_argument("--epochs", type=float, default=3)
    parser.add_argument("--lr", type=float, default=1e-4, help="peak learning rate")
    parser.add_argument("--batch-size", type=int, default=32, help="windows of a step")
    parser.add_argument("--max-length", type=int, default=256, help="tokens of a window, the question included")
    parser.add_argument("--stride", type=int, default=64, help="tokens of the passage that neighbouring windows share")
    parser.add_argument("--max-answer-length", type=int, default=30, help="tokens of a predicted answer")
    parser.add_argument("--seed", type=int, default=42, help="of the new head, the order of examples and dropout")
    parser.add_argument("--validation-share", type=float, default=0.0, help="share of questions left out of training")
    parser.add_argument("--split-seed", type=int, default=0, help="of the choice of validation questions")
    parser.add_argument("--limit", type=int, help="first questions of each file only, to try the script")
    parser.add_argument("--bf16", action="store_true", help="train with bfloat16 autocast")
    parser.add_argument("--output", type=Path, required=True, help="results, JSON")
    return parser.parse_args()


def main() -> None:
    """Train once, then score each test file."""
    options = parse_arguments()
    set_seed(options.seed)
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    assert isinstance(tokenizer, PreTrainedTokenizerFast), "windows need the offsets that only fast tokenizers have"
    model = AutoModelForQuestionAnswering.from_pretrained(options.model)
    collate = DataCollatorWithPadding(tokenizer)

    questions = read_squad(options.train)[: options.limit]
    allow_empty = any(not question.references for question in questions)
    questions, validation = split_questions(questions, options.validation_share, options.split_seed)
    windows = make_windows(questions, tokenizer, options.max_length, options.stride)
    examples = training_examples(windows, questions, tokenizer.cls_token_id)
    counts = describe_windows(windows, questions, options.max_answer_length)
    print("train", json.dumps(counts), flush=True)

    seconds, loss = train(model, examples, collate, options)
    results: dict[str, Any] = {
        "options": {name: value for name, value in vars(options).items() if name not in ("model", "output")},
        "train": {
            **counts,
            "loss": loss,
            "seconds_per_epoch": seconds,
            "windows_per_second": len(windows) * len(seconds) / sum(seconds),
            "questions_per_second": len(questions) * len(seconds) / sum(seconds),
        },
    }
    print(json.dumps(results["train"]), flush=True)

    tests = {file.stem: read_squad(file)[: options.limit] for file in options.test}
    predictions: dict[str, dict[str, str]] = {}
    for name, test in {**({"validation": validation} if validation else {}), **tests}.items():
        start = time.perf_counter()
        windows = make_windows(test, tokenizer, options.max_length, options.stride)
        logits = predict_logits(model, windows, collate, options.batch_size)
        answers = choose_answers(test, windows, logits, options.max_answer_length, allow_empty)
        predictions[name] = {question.id: text for question, text in zip(test, answers, strict=True)}
        rate = len(test) / (time.perf_counter() - start)
        results[name] = {
            **evaluate(answers, test),
            **describe_windows(windows, test, options.max_answer_length),
            "questions_per_second": rate,
        }
        print(f"{name}: EM {results[name]['exact_match']:.2f}, F1 {results[name]['f1']:.2f}", flush=True)
    results["predictions"] = predictions
    options.output.write_text(json.dumps(results, indent=2, default=str) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
