"""A digest of the code that a stage runs, so that a changed line reruns exactly the stages that import it.

The digest covers the syntax trees of a module and of everything of ours that it imports, without docstrings:
comments, formatting, documentation and fresh checkouts change nothing.

Every call of Snakemake computes the digests of all stages, on a cluster three calls a job. So the facts of a module are cached
beside Python's compiled modules, for as long as its text is the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from contextlib import suppress
from functools import cache
from pathlib import Path

from constrictor.files.reading import read_object
from constrictor.scheduling import module_facts
from constrictor.scheduling.module_facts import Facts, facts_of

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("constrictor", "workflow_scripts")
KEPT = Path(__file__).parent / "__pycache__" / f"code_digest-{platform.python_version()}.json"


@cache
def kind_modules(kind: str, *parts: str) -> tuple[str, ...]:
    """The modules of a kind of task that exist: its package, and these parts of it.

    The registry imports them by name, which the syntax tree does not show.

    >>> kind_modules("regression", "model", "nothing")
    ('constrictor.tasks.regression', 'constrictor.tasks.regression.model')
    """
    package = f"constrictor.tasks.{kind}"
    return tuple(filter(_exists, (package, *(f"{package}.{part}" for part in parts))))


@cache
def code_digest(*modules: str) -> str:
    """Digest of some modules of ours and of all modules of ours that they reach, as 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for name in sorted(set().union(*map(_reach, modules))):
        digest.update(f"{name}:{_facts(_file_of(name)).tree}\n".encode())
    _keep()
    return digest.hexdigest()[:16]


def _reach(module: str) -> set[str]:
    """The module, its packages and everything of ours that they import, directly or not."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        parent = name.rpartition(".")[0]
        waiting.extend(([parent] if parent else []) + list(filter(_exists, _facts(_file_of(name)).imports)))
    return found


@cache
def _facts(file: Path) -> Facts:
    """The facts of a file, from the cache if its text is still the same."""
    text = file.read_text(encoding="utf-8")
    # Facts that another version of the finder has found are not reused.
    name, hashed = file.relative_to(ROOT).as_posix(), hashlib.sha256((_finder() + text).encode()).hexdigest()
    match _kept().get(name):
        case [str(kept), str(digest), list(imports)] if kept == hashed:
            return Facts(digest, imports)
    facts = facts_of(text, PACKAGES)
    _kept()[name] = [hashed, *facts]
    _new.append(file)
    return facts


_new: list[Path] = []


@cache
def _finder() -> str:
    return Path(module_facts.__file__).read_text(encoding="utf-8")


@cache
def _kept() -> dict[str, list]:
    """The cache of earlier calls; empty if it cannot be read."""
    return read_object(KEPT)


def _keep() -> None:
    """Write the cache, whole or not at all; where nothing may be written, the next call does the same work again."""
    if not _new:
        return
    _new.clear()
    staging = KEPT.with_suffix(f".{os.getpid()}")
    try:
        KEPT.parent.mkdir(exist_ok=True)
        staging.write_text(json.dumps(_kept()), encoding="utf-8")
        os.replace(staging, KEPT)
    except OSError:
        with suppress(OSError):
            staging.unlink()


def _exists(module: str) -> bool:
    path = ROOT.joinpath(*module.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


@cache
def _file_of(module: str) -> Path:
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
