"""What went wrong at Earth Engine: worth another try, too much at once, or final.

The client wraps a refused request into `ee.EEException` with nothing but the message; the HTTP
status is found at the exception's context only. Messages are matched where the status (400) is
shared by refusals that a smaller request would escape and those it would not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from sitsformer.errors import SitsError, TemporaryError

Kind = Literal["transient", "quota", "timeout", "too big", "permanent"]
"""`quota`: the project has too many requests under way, ours and those of others."""

QUOTA_STATUS = 429
TRANSIENT_STATUS = {408, 500, 502, 503, 504}
"""Statuses after which the same request may succeed."""

_TOO_BIG = re.compile(
    r"memory limit exceeded|computation timed out|total request size"
    r"|total number of bands|pixel grid dimensions|response size exceeds|payload size exceeds"
    r"|too large",
    re.IGNORECASE,
)
_QUOTA = re.compile(r"too many (concurrent|requests)|quota exceeded", re.IGNORECASE)
_TRANSIENT = re.compile(r"capacity exceeded|try again", re.IGNORECASE)
_USED_UP = r"eecu|(per|this) (month|day)|monthly|daily|allowance"
"""Words of a quota that is not free again in minutes."""
_VANISHED = re.compile(r"image asset .* not found", re.IGNORECASE)

_REMEDIES = (
    (
        _USED_UP,
        "the project's allowance of compute is used up: wait until it is renewed, name another "
        "project (earthengine.project), or move this one to another tier "
        "(docs/earthengine.md#limits-quotas-tiers); what was fetched is kept",
    ),
    (
        r"authorize access|invalid_grant|unauthenticated|invalid authentication|reauth|401",
        "log in with `sitsformer auth`, or give earthengine.service_account_key; "
        "`sitsformer doctor` shows what is found",
    ),
    (
        r"no project found|not registered|has not been used in project|permission to use project"
        r"|serviceusage|project .* (was not found|is not)",
        "set earthengine.project (or EARTHENGINE_PROJECT) to a Cloud project that is registered "
        "for Earth Engine and that you may use; `sitsformer doctor` tests it",
    ),
    (
        r"not found|does not exist",
        "the asset, collection or year does not exist, or your account may not read it; see "
        "docs/earthengine.md for what is exported, and `sitsformer doctor` for what answers",
    ),
    (
        r"permission|forbidden|403",
        "the account may not do this; check the project's Earth Engine roles with "
        "`sitsformer doctor`",
    ),
)


class EarthEngineError(SitsError):
    """A request that is refused, now and later; the message says what to do."""


class VanishedError(EarthEngineError):
    """An image of the listing is not there any more: it was processed again since."""


class UnavailableError(TemporaryError, EarthEngineError):
    """Earth Engine or the way to it did not answer in time: another day it may."""


class TooBigError(Exception):
    """Earth Engine refuses the request for its size; a part of it may pass."""


class DamagedAnswerError(Exception):
    """An answer that is not what was asked for: another try may bring a whole one."""


@dataclass(frozen=True)
class Failure:
    """One failed request, sorted.

    Attributes:
        kind: what to do about it.
        message: what the service or the network said, without secrets.
        wait: seconds that the service asked us to wait (Retry-After), or 0.
    """

    kind: Kind
    message: str
    wait: float = 0.0


def sort_failure(error: BaseException) -> Failure:
    """Sort an exception of the client into a `Failure`."""
    from google.auth.exceptions import GoogleAuthError, TransportError

    status, wait = _http(error)
    # google.auth adds the whole answer of the token server after its message.
    said = error.args[0] if isinstance(error, GoogleAuthError) and error.args else error
    message = redact(str(said)) or type(error).__name__
    # The last one: the token server did not answer.
    if isinstance(error, DamagedAnswerError | ConnectionError | TransportError):
        return Failure("transient", message)
    if isinstance(error, TimeoutError):
        return Failure("timeout", message)
    if status == QUOTA_STATUS or _QUOTA.search(message):
        used_up = re.search(_USED_UP, message, re.IGNORECASE)
        return Failure("permanent" if used_up else "quota", message, wait)
    if status in TRANSIENT_STATUS:
        return Failure("timeout" if status == 504 else "transient", message, wait)
    if status == 413 or _TOO_BIG.search(message):
        return Failure("too big", message)
    if _TRANSIENT.search(message):
        return Failure("transient", message, wait)
    return Failure("permanent", message)


def explain(what: str, message: str, may_pass: bool = False) -> EarthEngineError:
    """The error a user reads: what was asked, what Earth Engine said, the likely remedy."""
    remedy = next(
        (text for pattern, text in _REMEDIES if re.search(pattern, message, re.IGNORECASE)),
        "`sitsformer doctor` shows which part answers",
    )
    said = " ".join(message.split()).rstrip(".")
    if may_pass:
        kind: type[EarthEngineError] = UnavailableError
    else:
        kind = VanishedError if _VANISHED.search(message) else EarthEngineError
    return kind(f"{what}: Earth Engine said: {said}; {remedy}")


def redact(message: str) -> str:
    """Take tokens and keys out of a message."""
    message = re.sub(r"(?i)(bearer\s+|ya29\.|1//)[\w.\-/]+", r"\1...", message)
    return re.sub(
        r"(?i)((?:refresh_token|access_token|client_secret|private_key|assertion|[?&]key)"
        r"[\"']?\s*[=:]\s*[\"']?)[^\"'&\s]+",
        r"\1...",
        message,
    )


def _http(error: BaseException) -> tuple[int | None, float]:
    """HTTP status and Retry-After of an error, from the error or what it was raised from."""
    for candidate in (error, error.__context__, error.__cause__):
        response: Any = getattr(candidate, "resp", None)
        if response is not None:
            after = str(response.get("retry-after", "0"))
            return int(response.status), float(after) if after.isdigit() else 0.0
    return None, 0.0
