"""Data sets by name: the real script and the real clients against a hub on this machine."""

from __future__ import annotations

from typing import Any

import pandas as pd
from hub_server import Hub, Repository
from hub_user import TOKEN, User, parquet, rows

CARD = b"""---
configs:
- config_name: small
  data_files:
  - {split: train, path: small/train-*.parquet}
  - {split: test, path: small/test.parquet}
- config_name: other
  data_files: other.parquet
---
"""


def films(hub: Hub, name: str, word: str = "film") -> Repository:
    """A data set of two configurations; the first has two files for training and one for tests."""
    return hub.add(
        f"datasets/owner/{name}",
        {
            "README.md": CARD,
            "small/train-0.parquet": parquet(rows(f"{word} early")),
            "small/train-1.parquet": parquet(rows(f"{word} late")),
            "small/test.parquet": parquet(rows(f"{word} test", 20)),
            "other.parquet": parquet(rows(f"{word} other")),
            "unused.csv": b"text,label\n",
        },
    )


def source(name: str, **keys: Any) -> dict[str, Any]:
    return {"hub": f"owner/{name}", **keys}


def texts_of(fetched: Any) -> set[str]:
    """The first words of all texts of a task; its labels are the names of the classes."""
    assert fetched.code == 0, fetched.said
    assert '"labels": [\n      "neg",\n      "pos"\n    ]' in (fetched.folder / "manifest.json").read_text(
        encoding="utf-8"
    )
    tables = [pd.read_parquet(fetched.folder / f"{split}.parquet") for split in ("train", "validation", "test")]
    return {text.rpartition(" text")[0] for table in tables for text in table["text"]}


def test_configuration_split_and_revision_online_and_then_offline(hub: Hub, user: User) -> None:
    repository = films(hub, "films")
    first = repository.tags["v1"] = repository.refs["main"]
    new = parquet(rows("new early"))
    second = repository.commit({**repository.commits[first], "small/train-0.parquet": new})
    small = {"config": "small", "split": "train"}
    new_texts, old_texts = {"new early", "film late"}, {"film early", "film late"}

    fetched = user.task(source("films", **small))
    assert texts_of(fetched) == new_texts
    assert f"owner/films (split train): commit {second}" in fetched.said
    assert "http://" not in fetched.said
    assert set(hub.fetched("datasets/owner/films")) == {
        ".gitattributes", "README.md", "small/train-0.parquet", "small/train-1.parquet", "small/test.parquet"
    }  # fmt: skip
    assert texts_of(user.task(source("films", **small, revision="v1"))) == old_texts

    hub.requests.clear()
    # The latest in the cache is the older commit: each revision still gives its own.
    assert texts_of(user.task(source("films", **small), HF_HUB_OFFLINE="1")) == new_texts
    assert texts_of(user.task(source("films", **small, revision=first), HF_HUB_OFFLINE="1")) == old_texts
    assert texts_of(user.task(source("films", config="small", split="test"), HF_HUB_OFFLINE="1")) == {"film test"}
    assert hub.requests == []
    said = user.task(source("films", config="other"), HF_HUB_OFFLINE="1").refusal()
    assert "only these are in the cache: small." in said


def test_what_is_not_there(hub: Hub, user: User) -> None:
    films(hub, "there")
    page = f"{hub.endpoint}/datasets/owner/thera"
    said = user.task(source("thera")).refusal()
    assert said.startswith(f"the data set owner/thera could not be fetched. There is nothing at {page},")
    said = user.task(source("there", config="small", revision="mian")).refusal()
    assert said.endswith("It has no such revision. Did you mean 'main'? Known: main.")
    said = user.task(source("there", config="smal")).refusal()
    assert said == "owner/there has no configuration 'smal'. Did you mean 'small'? Known: other, small."
    said = user.task(source("there")).refusal()
    assert said == "owner/there has several configurations. Name one in 'config': other, small."
    said = user.task(source("there", config="small", split="tset")).refusal()
    assert said == "owner/there has no split 'tset'. Did you mean 'test'? Known: test, train."


def test_gated_data_set_and_tokens(hub: Hub, user: User) -> None:
    films(hub, "gated").gated = True
    hub.welcome.clear()
    small = source("gated", config="small")
    runs = [user.task(small)]
    page = f"{hub.endpoint}/datasets/owner/gated"
    assert f"It is gated: accept its terms at {page} and set HF_TOKEN to your token" in runs[0].refusal()
    runs.append(user.task(small, HF_TOKEN=TOKEN))
    assert f"accept its terms at {page} with the account" in runs[-1].refusal()
    hub.welcome.add(TOKEN)
    runs.append(user.task(small, HF_TOKEN=TOKEN))
    assert texts_of(runs[-1]) == {"film early", "film late"}
    assert [run.said for run in runs if TOKEN in run.said] == []
    assert [file for file in user.home.rglob("*") if file.is_file() and TOKEN.encode() in file.read_bytes()] == []


def test_damaged_file_is_refused_and_fetched_anew(hub: Hub, user: User) -> None:
    header = b"text,label\n"
    table = header + b"".join(f"{text},{label}\n".encode() for text, label in rows("table"))
    repository = hub.add("datasets/owner/damaged", {"train.csv": table})
    repository.damaged.add("train.csv")  # its last byte, which a reader of CSV does not miss
    assert "the file train.csv is damaged: its hash is" in user.task(source("damaged")).refusal()
    repository.damaged.clear()
    assert user.task(source("damaged")).code == 0


def test_script_is_refused(hub: Hub, user: User) -> None:
    trap = user.home / "trap"
    hub.add("datasets/owner/scripted", {"scripted.py": f"open({str(trap)!r}, 'w')".encode(), "data.csv": b"text\na\n"})
    said = user.task(source("scripted")).refusal()
    assert "is made by a script (scripted.py), and code from outside is never run" in said
    assert "refs/convert/parquet" in said
    assert not trap.exists()


def test_hub_that_cannot_be_reached(hub: Hub, user: User) -> None:
    films(hub, "seen")
    small = source("seen", config="small")
    said = user.task(small, HF_ENDPOINT="http://127.0.0.1:9").refusal()
    assert "The connection to http://127.0.0.1:9 failed" in said
    assert "HF_HUB_OFFLINE is set" in user.task(small, HF_HUB_OFFLINE="1").refusal()


def test_hub_that_fails_is_not_replaced_by_another_commit_of_the_cache(hub: Hub, user: User) -> None:
    repository = films(hub, "moody")
    small = source("moody", config="small")
    assert user.task(small).code == 0
    repository.commit({**repository.commits[repository.refs["main"]], "small/train-0.parquet": parquet(rows("new"))})
    repository.closed.add("small")
    assert "the hub served one request and failed the next" in user.task(small).refusal()
