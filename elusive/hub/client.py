"""The Hub as one user meets it: every call patient, limited in time, and quiet.

huggingface_hub makes the calls of an upload again by itself (five times, honouring Retry-After); those that it makes
once are made again here. What it logs on the way becomes one line of progress; its bars are hidden.
"""

import random
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from elusive.errors import HubError, OptionError
from elusive.hub.content import RepoType
from elusive.hub.faults import fault_of, http_error, no_token
from elusive.hub.manners import TIMEOUT, time_limit
from elusive.progress import Progress

Answer = TypeVar("Answer")

_TRIES: Final = 6
_MAX_WAIT: Final = 30.0
_MAX_RETRY_AFTER: Final = 120.0


@dataclass(frozen=True)
class RemoteState:
    """A repository on the Hub at one moment.

    Attributes:
        commit: the head of its main branch.
        private: whether others cannot see it.
        files: size, SHA-256 (of large files) and git id of each, by path.
    """

    commit: str
    private: bool
    files: dict[str, tuple[int, str | None, str | None]]


@dataclass(frozen=True)
class HubClient:
    """Calls to the Hub about one repository.

    Attributes:
        api: a `huggingface_hub.HfApi`.
        repo: its name, `owner/name`.
        progress: where waits are told.
        repo_type: whether it is a dataset or a model.
        wait: sleeps so many seconds.
        tries: how often a call is made before it is given up.
    """

    api: Any
    repo: str
    progress: Progress
    repo_type: RepoType = "dataset"
    wait: Callable[[float], None] = time.sleep
    tries: int = _TRIES

    @property
    def url(self) -> str:
        """The repository's page."""
        return f"{self.api.endpoint}/{'datasets/' if self.repo_type == 'dataset' else ''}{self.repo}"

    def whoami(self) -> dict[str, Any]:
        """The owner of the token, and what the token may do."""
        found: dict[str, Any] = self._patiently("asking who you are", self.api.whoami)
        return found

    def state(self) -> RemoteState | None:
        """What is there; None where there is no such repository, or none that this user may see."""
        from huggingface_hub.errors import RepositoryNotFoundError

        def ask() -> Any:
            return self.api.repo_info(self.repo, repo_type=self.repo_type, files_metadata=True, timeout=TIMEOUT)

        try:
            info = self._patiently(f"looking at the {self.repo_type}", ask)
        except RepositoryNotFoundError as error:
            if fault_of(error).status == 401:  # a token that is wrong, not a repository that is missing
                raise
            return None
        files = {f.rfilename: (f.size, f.lfs.sha256 if f.lfs else None, f.blob_id) for f in info.siblings or ()}
        return RemoteState(info.sha, bool(info.private), files)

    def create(self, *, private: bool) -> None:
        """Make the repository; its owner's default decides who sees it, unless it is to be private."""
        self._patiently(
            f"making the {self.repo_type}",
            lambda: self.api.create_repo(self.repo, repo_type=self.repo_type, private=private or None, exist_ok=True),
        )

    def read(self, name: str, *, commit: str) -> str:
        """A text file of the repository.

        Raises:
            HubError: it is not UTF-8.
        """
        with tempfile.TemporaryDirectory() as folder:

            def fetch() -> Any:
                return self.api.hf_hub_download(
                    self.repo, name, repo_type=self.repo_type, revision=commit, local_dir=folder
                )

            content = Path(self._patiently(f"reading {name}", fetch)).read_bytes()
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise HubError(f"the {name} of {self.url} is not UTF-8 ({error}); mend it there") from error

    def upload(self, additions: Sequence[Any]) -> None:
        """Take the contents of large files to storage; nobody sees them before a commit names them."""
        with time_limit():
            self.api.preupload_lfs_files(self.repo, additions=additions, repo_type=self.repo_type, free_memory=False)

    def commit(self, operations: Sequence[Any], *, message: str, parent: str) -> str:
        """One commit on top of `parent`, which must still be the head; its id."""

        def send() -> Any:
            return self.api.create_commit(
                self.repo,
                operations=[*operations],
                commit_message=message,
                parent_commit=parent,
                repo_type=self.repo_type,
            )

        return str(self._patiently("committing", send).oid)

    def _patiently(self, what: str, call: Callable[[], Answer]) -> Answer:
        for failed in range(1, self.tries):
            try:
                with time_limit():
                    return call()
            except (OSError, ValueError, http_error()) as error:
                fault = fault_of(error)
                if not fault.transient:
                    raise
                seconds = _pause(failed, fault.retry_after)
                again = f"trying again in {seconds:.0f} s ({failed} of {self.tries - 1})"
                self.progress.say(f"{what}: {fault.said}; {again}")
                self.wait(seconds)
        with time_limit():
            return call()


def hub_client(repo: str, progress: Progress, *, repo_type: RepoType = "dataset") -> HubClient:
    """The Hub as the environment says (HF_ENDPOINT, HF_TOKEN, the stored login).

    Raises:
        OptionError: `repo` cannot be a repository's name.
        HubError: nobody is logged in.
    """
    from huggingface_hub import HfApi, get_token
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(repo)
    except HFValidationError:
        repo_is_a_name = False
    else:
        repo_is_a_name = repo.count("/") == 1
    if not repo_is_a_name:
        raise OptionError(
            f"{repo!r} is no name of a {repo_type} on the Hub; expected you/name, of letters, digits, '-', '_' and '.'"
        )
    token = get_token()
    if token is None:
        raise HubError(f"cannot push to {repo}: {no_token()}")
    return HubClient(HfApi(token=token), repo, progress, repo_type)


def _pause(failed: int, retry_after: float | None) -> float:
    """Seconds to wait: as the Hub asks, up to two minutes; else twice as long each time, and never in step."""
    if retry_after is not None:
        return min(retry_after, _MAX_RETRY_AFTER)
    return min(2.0 ** (failed - 1), _MAX_WAIT) * random.uniform(0.75, 1.25)
