from pathlib import Path

import pytest

from constrictor.scheduling import code_digest as subject

FILES = {
    "pkg/__init__.py": '"""A package."""\n',
    "pkg/script.py": '"""A script."""\n\nfrom pkg.middle import run\n\n\ndef main():\n    """Do."""\n    return run()\n',
    "pkg/middle.py": "def run():\n    import pkg.sub.deep as deep\n\n    return deep.VALUE\n",
    "pkg/sub/__init__.py": "",
    "pkg/sub/deep.py": "VALUE = 1\n\n\nclass Thing:\n    '''A thing.'''\n\n    size = 2\n",
    "pkg/other.py": "X = 1\n",
}


@pytest.fixture
def digest(tmp_path: Path, monkeypatch):
    """Write the package with changes and give the digest of its script."""
    monkeypatch.setattr(subject, "ROOT", tmp_path)
    monkeypatch.setattr(subject, "PACKAGES", ("pkg",))
    monkeypatch.setattr(subject, "KEPT", tmp_path / "__pycache__" / "code_digest.json")
    caches = [subject.code_digest, subject._facts, subject._file_of, subject._kept]

    def write(changes: dict[str, str] | None = None) -> str:
        for name, text in {**FILES, **(changes or {})}.items():
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        for cached in caches:
            cached.cache_clear()
        return subject.code_digest("pkg.script")

    yield write
    for cached in caches:
        cached.cache_clear()


@pytest.mark.parametrize(
    "changes",
    [
        {"pkg/script.py": FILES["pkg/script.py"].replace("A script.", "Another.").replace("Do.", "Act.")},
        {"pkg/script.py": FILES["pkg/script.py"].replace('    """Do."""\n', "")},
        {"pkg/sub/deep.py": "# A comment.\n" + FILES["pkg/sub/deep.py"].replace("A thing", "It")},
        {"pkg/sub/deep.py": FILES["pkg/sub/deep.py"].replace("VALUE = 1", "VALUE   =  (1)  # one")},
        {"pkg/other.py": "X = 2\n"},
        {"pkg/new.py": "from pkg.script import main\n"},
    ],
)
def test_comments_docstrings_layout_and_other_modules_do_not_count(digest, changes):
    before = digest()
    assert digest(changes) == before


@pytest.mark.parametrize(
    "changes",
    [
        {"pkg/script.py": FILES["pkg/script.py"].replace("return run()", "return run() + 1")},
        {"pkg/middle.py": FILES["pkg/middle.py"].replace("deep.VALUE", "-deep.VALUE")},
        {"pkg/sub/deep.py": FILES["pkg/sub/deep.py"].replace("size = 2", "size = 3")},
        {"pkg/sub/__init__.py": "import pkg.other\n"},
        {"pkg/script.py": FILES["pkg/script.py"] + "\nfrom pkg import other\n"},
    ],
)
def test_a_changed_line_counts_wherever_it_is_reached(digest, changes):
    before = digest()
    assert digest(changes) != before


def test_the_documentation_of_a_constant_does_not_count(digest):
    text = FILES["pkg/sub/deep.py"].replace("VALUE = 1\n", 'VALUE = 1\n"""What it means."""\n')
    assert digest({"pkg/sub/deep.py": text}) == digest({"pkg/sub/deep.py": text.replace("means", "says")})


def test_a_module_that_is_imported_from_its_package_counts(digest):
    with_import = FILES["pkg/script.py"] + "\nfrom pkg import other\n"
    before = digest({"pkg/script.py": with_import})
    assert digest({"pkg/script.py": with_import, "pkg/other.py": "X = 2\n"}) != before


def test_an_import_for_types_only_does_not_count(digest):
    head = "\nfrom typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from pkg import other\n"
    for rest, counts in (("", False), ("else:\n    from pkg import other\n", True)):
        script = {"pkg/script.py": FILES["pkg/script.py"] + head + rest}
        before = digest(script)
        assert (digest(script | {"pkg/other.py": "X = 2\n"}) != before) == counts


def test_a_second_call_parses_only_what_has_changed(digest, monkeypatch):
    parsed = []
    find = subject.facts_of
    monkeypatch.setattr(subject, "facts_of", lambda text, packages: parsed.append(text) or find(text, packages))
    first = digest()
    assert len(parsed) == 5
    assert digest() == first
    assert len(parsed) == 5
    changed = FILES["pkg/sub/deep.py"].replace("size = 2", "size = 3")
    assert digest({"pkg/sub/deep.py": changed}) != first
    assert parsed[5:] == [changed]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"FILE": null}', '{"FILE": ["x", "y", "z"]}', '{"FILE": ["x", "y", []]}']
)
def test_what_was_kept_and_cannot_be_used_is_found_out_again(digest, text):
    before = digest()
    subject.KEPT.write_text(text.replace("FILE", "pkg/script.py"), encoding="utf-8")
    assert digest() == before


def test_where_nothing_may_be_written_nothing_is_kept(digest, tmp_path, monkeypatch):
    before = digest()
    (tmp_path / "file").touch()
    monkeypatch.setattr(subject, "KEPT", tmp_path / "file" / "code_digest.json")
    assert digest() == before


@pytest.mark.parametrize(
    ("script", "reaches", "not_"),
    [
        ("finetune", "constrictor.training.engine", "constrictor.models.quantized.int8_linear"),
        ("export", "constrictor.compression.export.onnx", "constrictor.training.losses"),
        ("compare", "constrictor.comparison.intervals", "constrictor.runtimes.load"),
        ("quantize", "constrictor.compression.quantization.onnx_static", "constrictor.compression.pruning.prune"),
    ],
)
def test_what_a_real_script_reaches(script, reaches, not_):
    found = subject._reach(f"workflow_scripts.{script}")
    assert reaches in found
    assert not_ not in found
