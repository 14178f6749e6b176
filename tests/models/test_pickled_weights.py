"""Weights that exist only as a pickle: what comes out of a good one, and that a bad one is refused."""

from __future__ import annotations

import collections
import io
import json
import os
import pickle
import re
import shutil
import signal
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from heads import load_classifier
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoConfig, AutoModelForMaskedLM, AutoModelForPreTraining

from constrictor.errors import ConstrictorError
from constrictor.models import pickled_weights
from constrictor.models.manifest import Manifest
from constrictor.models.pickle_reader import convert, refuse_old_torch
from constrictor.models.source import fetch_model
from constrictor.study.sources import LocalModel

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}


def saved(content: object, zipped: bool = True) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream, _use_new_zipfile_serialization=zipped)
    return stream.getvalue()


def converted(
    content: object, tied: tuple[str, ...] = (), zipped: bool = True
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What a pickle becomes, and the report, in this process."""
    from safetensors.torch import load

    source, target = saved(content, zipped), io.BytesIO()
    report = convert(io.BytesIO(source), target, len(source), list(tied))
    return load(target.getvalue()), report


@pytest.fixture
def origin(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """A copy of the tiny checkpoint without weights."""
    folder = Path(shutil.copytree(tiny_checkpoint, tmp_path / "origin"))
    (folder / "model.safetensors").unlink()
    return folder


def fetch(origin: Path) -> Manifest:
    return fetch_model(LocalModel(path=str(origin), convert_pickle=True), origin.parent / "model")


def refused(origin: Path, message: str) -> None:
    with pytest.raises(ConstrictorError, match=message):
        fetch(origin)
    assert [path.name for path in origin.parent.iterdir()] == ["origin"]


def as_in_2019(name: str) -> str:
    """A parameter's name as the first checkpoints have it."""
    return re.sub(r"LayerNorm\.weight$", "LayerNorm.gamma", re.sub(r"LayerNorm\.bias$", "LayerNorm.beta", name))


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("kind", ["bert", "electra", "albert"])
def test_old_checkpoint_is_converted_and_opens(origin: Path, kind: str, zipped: bool) -> None:
    """ELECTRA is what BanglaBERT is, ALBERT what sahajBERT is; names and buffers are those of old versions."""
    config = AutoConfig.for_model(kind, vocab_size=90, embedding_size=16, max_position_embeddings=64, **SIZES)
    model = AutoModelForPreTraining.from_config(config)
    config.save_pretrained(origin)
    state = collections.OrderedDict((as_in_2019(name), value) for name, value in model.state_dict().items())
    state[f"{kind}.embeddings.position_ids"] = torch.arange(64).expand((1, -1))
    (origin / "pytorch_model.bin").write_bytes(saved(state, zipped))

    manifest = fetch(origin)

    folder = origin.parent / "model"
    needed = {"config.json", "model.safetensors", "tokenizer.json"}
    assert needed <= set(manifest.files) <= {*needed, "tokenizer_config.json"}  # which says what an ALBERT is to read
    tied = {"bert": 2, "electra": 0, "albert": 2}[kind]
    record = manifest.details["converted"]["pytorch_model.bin"]
    assert (record["tensors"], len(record["tied"])) == (len(state), tied)
    assert manifest.details["source"] == {"path": str(origin), "convert_pickle": True}
    assert "torch" in manifest.versions
    written = load_file(folder / "model.safetensors")
    assert {*written, *record["tied"]} == set(state)
    assert all(value.equal(state[name]) for name, value in written.items())
    encoder = getattr(load_classifier(folder, ["a", "b"], 32), kind).state_dict()
    assert all(
        value.equal(encoder[name]) for name, value in getattr(model, kind).state_dict().items() if name in encoder
    )


def test_the_name_that_is_kept_is_the_one_that_loading_needs(origin: Path) -> None:
    """RoBERTa's head stands before its embeddings in the alphabet."""
    config = AutoConfig.for_model("roberta", vocab_size=90, max_position_embeddings=66, **SIZES)
    config.save_pretrained(origin)
    model = AutoModelForMaskedLM.from_config(config)
    (origin / "pytorch_model.bin").write_bytes(saved(model.state_dict()))
    record = fetch(origin).details["converted"]["pytorch_model.bin"]
    assert record["tied"]["lm_head.decoder.weight"] == "roberta.embeddings.word_embeddings.weight"
    opened = load_classifier(origin.parent / "model", ["a", "b"], 32)
    assert opened.roberta.embeddings.word_embeddings.weight.equal(model.roberta.embeddings.word_embeddings.weight)


def test_shards_become_shards(origin: Path, tiny_checkpoint: Path) -> None:
    state = load_file(tiny_checkpoint / "model.safetensors")
    names = sorted(state)
    files = {name: f"pytorch_model-0000{1 + (name not in names[:9])}-of-00002.bin" for name in names}
    for file in set(files.values()):
        (origin / file).write_bytes(saved({name: state[name] for name in names if files[name] == file}))
    (origin / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": files}), encoding="utf-8")
    manifest = fetch(origin)
    assert set(manifest.files) == {
        *("config.json", "tokenizer.json", "model.safetensors.index.json"),
        *("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"),
    }
    assert manifest.parameters == sum(tensor.numel() for tensor in state.values())
    load_classifier(origin.parent / "model", ["a", "b"], 32)


def test_index_that_disagrees_with_its_shard(origin: Path) -> None:
    (origin / "pytorch_model-00001-of-00001.bin").write_bytes(saved({**WEIGHTS, "b": torch.ones(2)}))
    index = {"weight_map": {"a": "pytorch_model-00001-of-00001.bin"}}
    (origin / "pytorch_model.bin.index.json").write_text(json.dumps(index), encoding="utf-8")
    refused(origin, "disagree about the tensor 'b'")


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("../pytorch_model-1.bin", r"names '\.\./pytorch_model-1\.bin', and only files beside it"),
        ("/etc/passwd", r"names '/etc/passwd'"),
        ("model.pt", r"names 'model\.pt', and only .* pytorch_model-\*\.bin"),
        ("pytorch_model-00001-of-00001.bin", r"pytorch_model-00001-of-00001\.bin is missing"),
        (1, "'weight_map' names no files"),
        (None, "'weight_map' names no files"),
    ],
)
def test_index_that_names_what_is_not_beside_it(origin: Path, file: object, message: str) -> None:
    (origin.parent / "origin/pytorch_model.bin.index.json").write_text(
        json.dumps({"weight_map": {"a": file} if file else {}}), encoding="utf-8"
    )
    refused(origin, message)


@pytest.mark.parametrize("file", ["../model.safetensors", "pytorch_model.bin"])
def test_index_of_safetensors_leads_to_no_other_file(tiny_checkpoint: Path, tmp_path: Path, file: str) -> None:
    """transformers would open what is not called .safetensors as a pickle."""
    origin = Path(shutil.copytree(tiny_checkpoint, tmp_path / "origin"))
    index = {"weight_map": {"a": file}}
    (origin / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    refused(origin, r"only files beside it that are called \*\.safetensors")


class Call:
    """What a pickle may hold in place of an object: a call."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def repacked(content: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    """A zip archive with other records, compressed."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return stream.getvalue()


def archive() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("storages"), io.BytesIO())
    return stream.getvalue()


def script() -> bytes:
    stream = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), stream)
    return stream.getvalue()


WEIGHTS = {"a": torch.ones(100, 100)}
BROKEN = "it is damaged or not what torch.save writes"
# 10,000 numbers in the file; its pickle says 10 million million.
LYING = repacked(saved(WEIGHTS), lambda name, text: text.replace(b"M\x10'", b"\x8a\x06\x00\xa0\x72\x4e\x18\x09"))
BAD: dict[str, tuple[bytes, str]] = {
    "another module": (saved({"a": collections.UserDict()}), r"it calls for 'collections\.UserDict', and only what builds"),
    "a call": (saved({"a": Call(os.system, "true")}), r"it calls for 'posix\.system', and only what builds tensors"),
    "a call in the old form": (saved({"a": Call(os.system, "true")}, zipped=False), r"it calls for 'posix\.system'"),
    "plain pickle": (pickle.dumps(Call(os.system, "true")), BROKEN),
    "cut zip": (saved(WEIGHTS)[:-3000], BROKEN),
    "cut legacy": (saved(WEIGHTS, zipped=False)[:-3000], BROKEN),
    "empty": (b"", "it is cut off"),
    "end of the zip lost": (saved(WEIGHTS)[:-100], f"it is cut off|{BROKEN}"),
    "text": (b"version https://git-lfs.github.com/spec/v1\n", BROKEN),
    "tar": (archive(), BROKEN),
    "TorchScript": (script(), "it is a TorchScript archive, which holds code"),
    "lying size": (LYING, BROKEN),
    "lying legacy size": (
        saved(WEIGHTS, zipped=False).replace((10_000).to_bytes(8, "little"), (10**13).to_bytes(8, "little")),
        f"{BROKEN}|needs more memory",
    ),
    "repeated numbers": (saved({"a": torch.ones(1).expand(10**9)}), r"its tensors would take 4000000000 bytes and the file"),
    "memory": (saved({"a": Call(bytearray, 10**13)}), r"it needs more memory than the 25\d MiB"),
    "compressed": (repacked(saved(WEIGHTS), lambda name, text: bytes(2**25) if "data/" in name else text), BROKEN),
    "a dict inside": (saved({"a": WEIGHTS}), r"its entry 'a' \(dict\) is no plain tensor"),
    "epochs beside": (saved({**WEIGHTS, "epoch": 3}), r"its entry 'epoch' \(int\) is no plain tensor"),
    "no tensors": (saved({}), "it holds no tensors"),
    "a name that cannot be written": (saved({"\ud800": torch.ones(2)}), "its tensors cannot be written as safetensors"),
    "a name that safetensors uses": (saved({"__metadata__": torch.ones(2)}), "its tensors cannot be written as safetensors"),
    "a type that safetensors lacks": (
        saved({"a": torch.ones(2, dtype=torch.complex128)}), "its tensors cannot be written as safetensors",
    ),
    "a list": (saved([torch.ones(2)]), "it holds a list and should hold tensors by their names"),
    "sparse": (saved({"a": torch.eye(3).to_sparse()}), r"its entry 'a' \(Tensor\) is no plain tensor"),
    "meta": (saved({"a": torch.ones(3, device="meta")}), r"its entry 'a' \(Tensor\) is no plain tensor"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_only_tensors_is_refused(name: str) -> None:
    content, message = BAD[name]
    with pytest.raises((ConstrictorError, MemoryError)) as caught:
        convert(io.BytesIO(content), io.BytesIO(), len(content), [])
    said = str(caught.value) if isinstance(caught.value, ConstrictorError) else "it needs more memory than the 256 MiB"
    assert re.match(message, said), said
    assert "weights_only" not in said  # torch's advice is to open it all the same


def test_pickle_that_would_write_a_file_writes_none(origin: Path, tmp_path: Path) -> None:
    trap = tmp_path / "trapped"
    (origin / "pytorch_model.bin").write_bytes(saved({"a": Call(Path.touch, trap)}))
    refused(origin, r"origin: pytorch_model\.bin was not converted: it calls for 'getattr', and only what builds")
    pickle.loads(pickle.dumps(Call(Path.touch, trap)))
    assert trap.exists()


def test_pickle_that_fills_the_memory_ends_at_the_limit(origin: Path) -> None:
    content = [Call(bytearray, 2**26) for _ in range(64)]  # 4 GiB, in pieces that any machine has
    (origin / "pytorch_model.bin").write_bytes(saved({"a": content}))
    refused(origin, r"was not converted: it needs more memory than the 25\d MiB that a file of its size may take")


def test_bits_that_are_no_number_are_kept_and_compared() -> None:
    """Two NaN with other bits differ, and no comparison of numbers would show it."""
    patterns = torch.tensor([0x7FC00000, 0x7FC00001, -0x3FFFFF], dtype=torch.int32).view(torch.float32)
    found, _ = converted({"a": patterns, "b": torch.tensor(True), "c": torch.ones(3, dtype=torch.bfloat16)})
    assert found["a"].view(torch.int32).tolist() == patterns.view(torch.int32).tolist()
    assert (found["b"].shape, found["c"].dtype) == ((), torch.bfloat16)


def test_changed_tensor_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    import safetensors.torch

    save = safetensors.torch.save
    change = {name: tensor.clone() for name, tensor in WEIGHTS.items()}
    change["a"][0, 0] = 1.0000001
    monkeypatch.setattr(safetensors.torch, "save", lambda tensors, metadata: save(change, metadata))
    with pytest.raises(ConstrictorError, match="its tensor 'a' was not written as it was read"):
        converted(WEIGHTS)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_parts_of_one_memory_are_written_in_full(zipped: bool) -> None:
    fused = torch.arange(12.0).reshape(6, 2)
    state = {
        "query": fused[:3],
        "key": fused[3:],
        "turned": fused[:3].T,
        "all": fused,
        "same": fused,
        "none": fused[:0],
    }
    state = {name: tensor.clone() if name == "turned" else tensor for name, tensor in state.items()}
    found, report = converted({**state, "other": torch.ones(20)}, zipped=zipped)
    assert report["tied"] == {"same": "all"}
    assert all(found[name].equal(tensor) for name, tensor in state.items() if name != "same")


def test_without_the_key_the_message_names_it(origin: Path) -> None:
    (origin / "pytorch_model.bin").write_bytes(saved(WEIGHTS))
    with pytest.raises(ConstrictorError, match=r"only as a pickle \(pytorch_model\.bin\).*Set 'convert_pickle: true'"):
        fetch_model(LocalModel(path=str(origin)), origin.parent / "model")


def test_with_the_key_and_nothing_to_convert(origin: Path) -> None:
    (origin / "model.pt").write_bytes(saved(WEIGHTS))
    refused(origin, "nothing that 'convert_pickle' converts: neither safetensors nor pytorch_model.bin")


def test_safetensors_beside_are_used(tiny_checkpoint: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    origin = Path(shutil.copytree(tiny_checkpoint, tmp_path / "origin"))
    (origin / "pytorch_model.bin").write_bytes(b"never opened")
    assert "converted" not in fetch(origin).details
    assert "has safetensors, which are used: 'convert_pickle' changes nothing" in caplog.text


@pytest.mark.parametrize(
    ("code", "message"),
    [(-signal.SIGXCPU, "more time or memory"), (-signal.SIGKILL, "more time or memory"), (-signal.SIGSEGV, "code -11")],
)
def test_process_that_is_ended(origin: Path, monkeypatch: pytest.MonkeyPatch, code: int, message: str) -> None:
    (origin / "pytorch_model.bin").write_bytes(saved(WEIGHTS))
    program = f"import os; os.kill(os.getpid(), {-code})"
    monkeypatch.setattr(pickled_weights, "_PROGRAM", ["-c", program])
    refused(origin, rf"pytorch_model\.bin was not converted: .*{message}")


def test_the_process_has_no_token(origin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (origin / "pytorch_model.bin").write_bytes(saved(WEIGHTS))
    monkeypatch.setenv("HF_TOKEN", "hf_FakeTokenThatNobodyMayEverRead")
    program = "import json, os; print(json.dumps({'refused': ' '.join(os.environ)}))"
    monkeypatch.setattr(pickled_weights, "_PROGRAM", ["-c", program])
    with pytest.raises(ConstrictorError) as caught:
        fetch(origin)
    assert "PATH" in str(caught.value)
    assert "HF_TOKEN" not in str(caught.value)


@pytest.mark.parametrize(
    ("version", "old"), [("2.5.1", True), ("2.9.1+cu128", True), ("2.10.0", False), ("2.13.0", False)]
)
def test_torch_with_known_faults_opens_nothing(version: str, old: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "__version__", torch.torch_version.TorchVersion(version))
    with pytest.raises(ConstrictorError, match="reads pickles with known faults") if old else nullcontext():
        refuse_old_torch()
