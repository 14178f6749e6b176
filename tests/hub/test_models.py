"""Models by name: the real script and the real client against a hub on this machine."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from hub_server import Hub
from hub_user import TOKEN, User
from safetensors.numpy import save
from safetensors.torch import load_file

from constrictor.models.manifest import read_manifest

NEEDED = ["config.json", "model.safetensors", "tokenizer.json"]


def source_of(folder: Path) -> dict[str, str]:
    return read_manifest(folder).details["source"]


def test_branch_tag_and_commit_online_and_then_from_the_cache(
    hub: Hub, user: User, model_files: dict[str, bytes]
) -> None:
    repository = hub.add("owner/plain", model_files)
    first = repository.tags["v1"] = repository.refs["main"]
    second = repository.commit({**model_files, "vocab.txt": b"new"})
    main, tag = user.model("owner/plain"), user.model("owner/plain", "v1")
    assert (main.code, tag.code) == (0, 0), main.said + tag.said
    assert source_of(main.folder) == {"hub": "owner/plain", "commit": second}
    assert source_of(tag.folder) == {"hub": "owner/plain", "revision": "v1", "commit": first}
    assert (main.folder / "model.safetensors").read_bytes() == model_files["model.safetensors"]
    assert sorted(read_manifest(tag.folder).files) == NEEDED
    # Each file once, though two commits have it, and none that is not needed.
    assert sorted(hub.fetched("owner/plain")) == [*NEEDED, "vocab.txt"]
    assert "http://" not in main.said  # addresses of files can be signed

    hub.requests.clear()
    again = user.model("owner/plain")
    offline = [user.model("owner/plain", revision, HF_HUB_OFFLINE="1") for revision in (None, "v1", first)]
    assert [fetched.code for fetched in (again, *offline)] == [0, 0, 0, 0], offline
    assert [source_of(fetched.folder)["commit"] for fetched in (again, *offline)] == [second, second, first, first]
    assert hub.fetched("owner/plain") == []
    assert (again.folder / "manifest.json").read_bytes() == (main.folder / "manifest.json").read_bytes()
    assert (
        "v2 could not be fetched. HF_HUB_OFFLINE is set"
        in user.model("owner/plain", "v2", HF_HUB_OFFLINE="1").refusal()
    )


def test_pinned_commit_needs_no_hub_once_it_is_in_the_cache(
    hub: Hub, user: User, model_files: dict[str, bytes]
) -> None:
    commit = hub.add("owner/pinned", model_files).refs["main"]
    assert user.model("owner/pinned", commit).code == 0
    fetched = user.model("owner/pinned", commit, HF_ENDPOINT="http://127.0.0.1:9")
    assert source_of(fetched.folder)["commit"] == commit


def test_what_is_not_there(hub: Hub, user: User, model_files: dict[str, bytes]) -> None:
    repository = hub.add("owner/there", model_files)
    repository.tags["v1.0"] = repository.refs["main"]
    said = user.model("owner/thera").refusal()
    assert said.startswith(
        f"the model owner/thera could not be fetched. There is nothing at {hub.endpoint}/owner/thera,"
    )
    assert "HF_TOKEN" in said
    said = user.model("owner/there", "v1.O").refusal()
    assert said.startswith("the model owner/there at revision v1.O could not be fetched. It has no such revision.")
    assert said.endswith("Did you mean 'v1.0'? Known: main, v1.0.")
    assert "It has no such revision. Known: main, v1.0." in user.model("owner/there", "0" * 40).refusal()
    # A study refuses what has no slash or a space; the hub's library knows more that is no name.
    assert "'owner/no--name' is no name on a hub" in user.model("owner/no--name").refusal()


def test_hub_that_cannot_be_reached(user: User) -> None:
    said = user.model("owner/plain", HF_ENDPOINT="http://name:secret@127.0.0.1:9").refusal()
    assert "The connection to http://127.0.0.1:9 failed (ConnectError" in said
    assert "HF_ENDPOINT" in said
    assert "secret" not in said


def test_gated_model_and_tokens(hub: Hub, user: User, model_files: dict[str, bytes]) -> None:
    hub.add("owner/gated", model_files).gated = True
    hub.welcome.clear()
    runs = [user.model("owner/gated")]
    said = runs[0].refusal()
    assert f"It is gated: accept its terms at {hub.endpoint}/owner/gated and set HF_TOKEN to your token" in said
    runs.append(user.model("owner/gated", HF_TOKEN=TOKEN))
    assert f"accept its terms at {hub.endpoint}/owner/gated with the account" in runs[-1].refusal()
    runs.append(user.model("owner/gated", HF_TOKEN="hf_Misspelt"))
    assert "does not accept the token in HF_TOKEN" in runs[-1].refusal()
    hub.welcome.add(TOKEN)
    runs.append(user.model("owner/gated", HF_TOKEN=TOKEN, HF_DEBUG="1"))
    assert runs[-1].code == 0, runs[-1].said
    hub.add("owner/broken", model_files).broken = True  # its answer quotes the token
    runs.append(user.model("owner/broken", HF_TOKEN=TOKEN))
    assert "out of order for Bearer ***" in runs[-1].refusal()
    assert [run.said for run in runs if TOKEN in run.said or "hf_Misspelt" in run.said] == []
    written = [file for file in user.home.rglob("*") if file.is_file()]
    assert any(file.name == "model.safetensors" for file in written)
    assert [file for file in written if TOKEN.encode() in file.read_bytes()] == []


def test_broken_download_goes_on_where_it_was(hub: Hub, user: User, model_files: dict[str, bytes]) -> None:
    weights = save({"w": np.arange(2_700_000, dtype=np.float32)})  # a little more than the client writes at once
    hub.add("owner/cut", {**model_files, "model.safetensors": weights}).cut["model.safetensors"] = 1
    fetched = user.model("owner/cut")
    assert fetched.code == 0, fetched.said
    assert hub.fetched("owner/cut").count("model.safetensors") == 2
    assert hub.ranges == [f"bytes={10 * 2**20}-"]
    assert (fetched.folder / "model.safetensors").read_bytes() == weights


def test_download_that_breaks_off_again_and_again(hub: Hub, user: User, model_files: dict[str, bytes]) -> None:
    repository = hub.add("owner/flaky", model_files)
    repository.stuck.add("model.safetensors")
    said = user.model("owner/flaky").refusal()
    assert f"The connection to {hub.endpoint} failed" in said
    repository.stuck.clear()
    hub.requests.clear()
    assert user.model("owner/flaky").code == 0
    assert hub.fetched("owner/flaky") == ["model.safetensors"]  # the other files were kept


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json"])
def test_damaged_download_is_refused_and_fetched_anew(
    hub: Hub, user: User, model_files: dict[str, bytes], file: str
) -> None:
    repository = hub.add(f"owner/damaged-{file}", model_files)
    repository.damaged.add(file)
    said = user.model(f"owner/damaged-{file}").refusal()
    assert f"the file {file} is damaged: its hash is" in said
    repository.damaged.clear()
    assert user.model(f"owner/damaged-{file}").code == 0


def test_download_of_a_wrong_size_is_refused(hub: Hub, user: User, model_files: dict[str, bytes]) -> None:
    hub.add("owner/short", model_files).short.add("model.safetensors")
    said = user.model("owner/short").refusal()
    size = len(model_files["model.safetensors"])
    assert f"file should be of size {size} but has size {size - 1}" in said


def test_pickle_alone_is_refused_and_not_even_fetched(hub: Hub, user: User, model_files: dict[str, bytes]) -> None:
    hub.add("owner/pickle", {name: body for name, body in model_files.items() if name != "model.safetensors"})
    said = user.model("owner/pickle").refusal()
    assert said.startswith("owner/pickle (commit ")
    assert "has its weights only as a pickle (pytorch_model.bin)" in said
    assert "Set 'convert_pickle: true'" in said
    assert sorted(hub.fetched("owner/pickle")) == ["config.json", "tokenizer.json"]


def test_pickle_alone_is_converted_where_the_study_allows_it(
    hub: Hub, user: User, model_files: dict[str, bytes], tiny_checkpoint: Path
) -> None:
    weights = load_file(tiny_checkpoint / "model.safetensors")
    stream = io.BytesIO()
    torch.save(weights, stream)
    files = {name: body for name, body in model_files.items() if name != "model.safetensors"}
    repository = hub.add("owner/old", {**files, "pytorch_model.bin": stream.getvalue()})
    fetched = user.model("owner/old", convert_pickle=True, HF_TOKEN=TOKEN)
    assert fetched.code == 0, fetched.said
    assert sorted(hub.fetched("owner/old")) == ["config.json", "pytorch_model.bin", "tokenizer.json"]
    assert sorted(read_manifest(fetched.folder).files) == NEEDED
    assert source_of(fetched.folder) == {"hub": "owner/old", "convert_pickle": True, "commit": repository.refs["main"]}
    written = load_file(fetched.folder / "model.safetensors")
    assert {name: tensor.tolist() for name, tensor in written.items()} == {
        name: tensor.tolist() for name, tensor in weights.items()
    }
    hub.requests.clear()
    offline = user.model("owner/old", convert_pickle=True, HF_HUB_OFFLINE="1")
    assert offline.code == 0, offline.said
    assert (offline.folder / "manifest.json").read_bytes() == (fetched.folder / "manifest.json").read_bytes()


def test_pickle_beside_safetensors_is_not_fetched_with_the_key_either(
    hub: Hub, user: User, model_files: dict[str, bytes]
) -> None:
    hub.add("owner/both", model_files)
    fetched = user.model("owner/both", convert_pickle=True)
    assert fetched.code == 0, fetched.said
    assert sorted(hub.fetched("owner/both")) == NEEDED
    assert "has safetensors, which are used: 'convert_pickle' changes nothing" in fetched.said
