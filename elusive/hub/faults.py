"""What goes wrong between here and the Hub: whether waiting helps, and what a user can do, in one line."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from elusive.errors import ElusiveError

_TRANSIENT: Final = frozenset({408, 429, 500, 502, 503, 504})
_CONFLICT: Final = frozenset({409, 412})
_SAID_LEN: Final = 200
_LOGIN: Final = "run: hf auth login, or set HF_TOKEN to a token with write permission"


@dataclass(frozen=True)
class Fault:
    """An error of the Hub's client, understood.

    Attributes:
        status: of the HTTP response; None where there was none.
        said: what the Hub or the network said, in one line.
        retry_after: seconds that the Hub asks to wait, if it does.
        offline: whether the user told the client to ask nothing.
        network: whether there was no answer, or half of one.
    """

    status: int | None
    said: str
    retry_after: float | None = None
    offline: bool = False
    network: bool = False

    @property
    def transient(self) -> bool:
        """Whether the same call may succeed later."""
        return self.network or self.status in _TRANSIENT

    @property
    def conflict(self) -> bool:
        """Whether somebody else changed the repository meanwhile."""
        return self.status in _CONFLICT


def fault_of(error: BaseException) -> Fault:
    """An error of the Hub's client, understood; the cause that tells most is looked for."""
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    for cause in _causes(error):
        if isinstance(cause, OfflineModeIsEnabled):
            return Fault(None, "HF_HUB_OFFLINE is set", offline=True)
        if isinstance(cause, HfHubHTTPError) and cause.response is not None:
            status = cause.response.status_code
            said = cause.server_message or _phrase(status)
            return Fault(status, f"{status} {_one_line(said)}", _seconds(cause.response.headers.get("Retry-After")))
        if isinstance(cause, http_error()):
            return Fault(None, _one_line(f"{type(cause).__name__} {cause}"), network=True)
    return Fault(None, _one_line(str(error) or type(error).__name__))


def http_error() -> type[Exception]:
    """The error of whichever HTTP library the Hub's client is built on: that changes with its version."""
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    kind: type[Exception] = HTTPError
    return kind


def remedy(fault: Fault, *, repo: str) -> str:
    """Why the Hub does not do what it is asked for, and what to do about it."""
    owner = repo.partition("/")[0]
    if fault.offline:
        return "HF_HUB_OFFLINE is set, so the Hub is not asked; unset it"
    if fault.network:
        return f"the Hub cannot be reached ({fault.said})"
    remedies = {
        400: f"the Hub does not accept it ({fault.said})",
        401: f"the Hub does not accept the token ({fault.said}); {_LOGIN}",
        403: f"the token may not write there ({fault.said}); it needs write permission, and you a part in {owner!r}",
        404: f"the Hub knows no such place ({fault.said}); is {owner!r} a user or an organisation of yours?",
        409: f"the Hub is busy with another change of it ({fault.said})",
        412: f"somebody else pushes there at the same time ({fault.said})",
        413: f"the Hub takes nothing this large ({fault.said}); see huggingface.co/docs/hub/storage-limits",
        422: f"the Hub does not accept it ({fault.said})",
        429: f"the Hub's rate limit is used up ({fault.said})",
    }
    if fault.status in remedies:
        return remedies[fault.status]
    return f"the Hub fails ({fault.said})" if fault.status else fault.said


def no_token() -> str:
    """The line for a user who has never logged in."""
    return f"the Hub wants to know who you are; {_LOGIN}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ElusiveError):
        yield cause
        cause = cause.__cause__ or cause.__context__


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "without a reason"


def _seconds(written: str | None) -> float | None:
    """Seconds of a Retry-After; None for its other form, a date."""
    return float(written) if written and re.fullmatch(r"\d{1,9}", written.strip()) else None


def _one_line(text: str) -> str:
    """At most 200 characters, without addresses: those of storage carry signatures."""
    return " ".join(re.sub(r"https?://\S+", "…", text).split())[:_SAID_LEN]
