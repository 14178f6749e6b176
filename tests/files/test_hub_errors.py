"""What is said of an error that quotes a secret."""

import pytest
from huggingface_hub import constants

from constrictor.files.hub_errors import Repository, explain

TOKEN = "hf_FakeTokenThatNobodyMayEverRead"


@pytest.mark.parametrize(
    ("words", "quoted"),
    [
        (f"refused for Bearer {TOKEN}", "refused for Bearer ***"),
        ("no way to http://name:password@mirror.example/api\n  today", "no way to http://mirror.example/api today"),
    ],
)
def test_no_token_and_no_password_is_repeated(monkeypatch, words, quoted):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    said = str(explain(RuntimeError(words), Repository("model", "owner/name", None)))
    assert said == f"the model owner/name could not be fetched. RuntimeError: {quoted}"
