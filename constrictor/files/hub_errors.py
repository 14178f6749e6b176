"""What a user can do when a hub, or the way to it, refuses a repository; a token is never repeated."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

from constrictor.errors import ConstrictorError, nearest

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

E = TypeVar("E", bound=BaseException)


@dataclass(frozen=True)
class Repository:
    """A model or a data set on the hub that ``HF_ENDPOINT`` names."""

    kind: Literal["model", "dataset"]
    name: str
    revision: str | None

    def __str__(self) -> str:
        what = "model" if self.kind == "model" else "data set"
        return f"the {what} {self.name}" + (f" at revision {self.revision}" if self.revision else "")


def explain(error: BaseException, repository: Repository) -> ConstrictorError:
    """What a user can do about an error of the hub's clients."""
    return ConstrictorError(f"{repository} could not be fetched. {_reason(error, repository)}")


def _reason(error: BaseException, repository: Repository) -> str:
    from huggingface_hub import constants, errors

    if _find(error, errors.HFValidationError):
        return f"'{repository.name}' is no name on a hub, which is: owner/name."
    if constants.is_offline_mode():
        return (
            f"HF_HUB_OFFLINE is set, and it is not, or not wholly, in the cache ({constants.HF_HOME}). "
            "Fetch it once without HF_HUB_OFFLINE, or let HF_HOME name a cache that has it."
        )
    if refusal := _find(error, errors.HfHubHTTPError):
        return _refusal(refusal, repository)
    if broken := _find(error, errors.HTTPError):
        return (
            f"The connection to {_hub()} failed ({type(broken).__name__}: {_quote(broken)}). Check the network and, where "
            "a mirror is meant, HF_ENDPOINT; then run the same command again. Files that arrived whole are kept."
        )
    return f"{type(error).__name__}: {_quote(error)}"


def _refusal(error: HfHubHTTPError, repository: Repository) -> str:
    from huggingface_hub import errors, get_token

    page = f"{_hub()}/{'datasets/' if repository.kind == 'dataset' else ''}{repository.name}"
    tokens = f"{_hub()}/settings/tokens"
    if isinstance(error, errors.GatedRepoError):
        token = "with the account that the token in HF_TOKEN is of" if get_token() else "and set HF_TOKEN to your token"
        return f"It is gated: accept its terms at {page} {token} ({tokens})."
    status = error.response.status_code
    # The client takes a 401 without a token for what it mostly is, a repository that is not there, from https hubs only.
    if isinstance(error, errors.RepositoryNotFoundError) or (status == 401 and not get_token()):
        return f"There is nothing at {page}, or it is private: check the name; a private one needs HF_TOKEN ({tokens})."
    if isinstance(error, errors.RevisionNotFoundError):
        return f"It has no such revision. {_known_revisions(repository)}"
    if status == 401:
        return (
            f"The hub does not accept the token in HF_TOKEN (or that of `hf auth login`): make a new one at {tokens}."
        )
    if status == 403:
        return f"{_hub()} does not let you read {page}: the token in HF_TOKEN needs the right to ({tokens})."
    return f"{_hub()} returned {status}: {_quote(error)} Try again later."


def _known_revisions(repository: Repository) -> str:
    from huggingface_hub import HfApi

    try:
        refs = HfApi().list_repo_refs(repository.name, repo_type=repository.kind)
    except Exception:  # a help to the reader, no more
        return ""
    return nearest(repository.revision, [ref.name for ref in (*refs.branches, *refs.tags)])


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _find(error: BaseException, kind: type[E]) -> E | None:
    """The first error of a kind among an error and its causes."""
    return next((one for one in _chain(error) if isinstance(one, kind)), None)


def _hub() -> str:
    """The hub's address without the name and password that a mirror's may hold."""
    from huggingface_hub import constants

    return re.sub("//[^/]*@", "//", constants.ENDPOINT)


def _quote(error: BaseException) -> str:
    """The words of an error on one line, without the user's token or a mirror's password."""
    from huggingface_hub import get_token

    words = re.sub("//[^/ ]*@", "//", " ".join(str(error).split()))
    token = get_token()
    return words.replace(token, "***") if token else words
