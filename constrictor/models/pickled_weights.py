"""Convert weights that exist only as a pickle to safetensors, where a study allows it for a model (`convert_pickle`)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from safetensors import safe_open

from constrictor.errors import ConstrictorError
from constrictor.files.hashes import sha256_of
from constrictor.models import pickle_reader
from constrictor.models.checkpoint_files import PICKLED_INDEX
from constrictor.models.shards import read_index
from constrictor.progress import announce, log

_PROGRAM = ["-m", pickle_reader.__name__]
_WHOLE, _SHARDS = "pytorch_model.bin", "pytorch_model-*.bin"
_ENVIRONMENT = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "VIRTUAL_ENV")
_CONFINED = {
    True: "without network, further files or root's rights",
    False: "without further files or sockets; this system permits it no namespaces of its own",
}
_LONGEST_SECONDS = 3600  # a processor that others use, too; the process's own time has a limit of its own


def convert_pickle(folder: Path, staging: Path, origin: object, config: Mapping[str, Any]) -> dict[str, Any]:
    """Write the pickled weights of a folder into another as safetensors; each file is read by a confined process.

    Args:
        folder: has ``pytorch_model.bin``, or its shards and their index.
        staging: gets the safetensors, under the names that save_pretrained gives them.
        origin: the checkpoint, as messages name it.
        config: its configuration.

    Returns:
        what to record: of each file its hash, the number of its tensors and which of their names were left out as tied.

    Raises:
        ConstrictorError: no such file, or one that holds more than tensors, is damaged, or needs too much.
    """
    parts = _parts(folder, origin)
    tied = _tied_names(config)
    record = {
        name: _convert(folder / name, staging / _converted(name), origin, tied)
        for name in dict.fromkeys(parts.values())
    }
    if list(record) != [_WHOLE]:
        _write_index(parts, record, staging, origin)
    announce(f"Converted {', '.join(record)} to safetensors and compared every tensor")
    return record


def _parts(folder: Path, origin: object) -> dict[str, str]:
    """The file of each tensor; where there is only one file, it stands for all."""
    if (folder / _WHOLE).is_file():
        return {"": _WHOLE}
    if (folder / PICKLED_INDEX).is_file():
        return read_index(origin, folder / PICKLED_INDEX, _SHARDS)
    raise ConstrictorError(
        f"{origin} has nothing that 'convert_pickle' converts: neither safetensors nor {_WHOLE} or {PICKLED_INDEX}. "
        "Convert it where you trust it: AutoModel.from_pretrained(...).save_pretrained(...) writes safetensors."
    )


def _converted(name: str) -> str:
    return f"{name.removeprefix('pytorch_').removesuffix('.bin')}.safetensors"


def _tied_names(config: Mapping[str, Any]) -> list[str]:
    """Patterns of the names that models of this type leave out when they are saved, as they are tied to others."""
    from transformers import CONFIG_MAPPING, MODEL_FOR_MASKED_LM_MAPPING, MODEL_FOR_PRETRAINING_MAPPING

    model_type = str(config.get("model_type"))
    if model_type not in CONFIG_MAPPING:
        return []
    mappings = (MODEL_FOR_PRETRAINING_MAPPING, MODEL_FOR_MASKED_LM_MAPPING)
    classes = [mapping.get(CONFIG_MAPPING[model_type], None) for mapping in mappings]
    return sorted({name for model in classes for name in getattr(model, "_tied_weights_keys", None) or ()})


def _convert(file: Path, target: Path, origin: object, tied: list[str]) -> dict[str, Any]:
    with open(file, "rb") as source, open(target, "w+b") as output:
        reply = _reply(source, output, {"output": output.fileno(), "tied": tied}, f"{origin}: {file.name}")
    if "refused" in reply:
        reason = "".join(filter(str.isprintable, reply["refused"]))[:300]
        raise ConstrictorError(
            f"{origin}: {file.name} was not converted: {reason}. If it may be damaged, fetch it again; else use "
            "another model, or convert it where you trust it: AutoModel.from_pretrained(...).save_pretrained(...)."
        )
    log.info("%s was read in a process %s", file, _CONFINED[reply["isolated"]])
    return {"sha256": sha256_of(file), **reply["converted"]}


def _reply(source: IO[bytes], output: IO[bytes], request: dict[str, Any], name: str) -> dict[str, Any]:
    environment = {key: os.environ[key] for key in _ENVIRONMENT if key in os.environ}  # no token among them
    # Threads would prevent the namespaces.
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    try:
        done = subprocess.run(
            [sys.executable, *_PROGRAM, json.dumps(request)],
            stdin=source,
            capture_output=True,
            pass_fds=[output.fileno()],
            env={**environment, **threads},
            timeout=_LONGEST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"refused": f"it took longer than {_LONGEST_SECONDS} s"}
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1])
    log.info("the process that read %s left: %s", name, done.stderr.decode(errors="replace"))
    return {"refused": _explain_end(done.returncode)}


def _explain_end(code: int) -> str:
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        return "reading it took more time or memory than a file of its size may"
    return f"the process that read it failed (code {code}; its message is in the log), as damaged files can bring about"


def _write_index(parts: Mapping[str, str], record: Mapping[str, Any], staging: Path, origin: object) -> None:
    """The index of the converted shards: the pickled one's, with their names and without the tensors left out."""
    left_out = {name for part in record.values() for name in part["tied"]}
    files = {tensor: _converted(file) for tensor, file in parts.items() if tensor not in left_out}
    found: dict[str, str] = {}
    for file in map(_converted, record):
        with safe_open(staging / file, framework="numpy") as weights:
            found |= dict.fromkeys(weights.keys(), file)
    if wrong := sorted(name for name in {*files, *found} if files.get(name) != found.get(name)):
        raise ConstrictorError(
            f"{origin}: {PICKLED_INDEX} and the files that it names disagree about the tensor {wrong[0]!r}. "
            "Fetch the model again."
        )
    index = {"metadata": {}, "weight_map": dict(sorted(files.items()))}
    (staging / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
