"""Credentials, project and the client's set-up: one connection to Earth Engine a process."""

from __future__ import annotations

import json
import logging
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sitsformer.config import EarthEngine, expand
from sitsformer.errors import SitsError
from sitsformer.imagery.earthengine.errors import EarthEngineError, redact
from sitsformer.imagery.earthengine.limiter import Limiter
from sitsformer.imagery.earthengine.transport import Transport

logger = logging.getLogger("sitsformer")

PROJECT_VARIABLE = "EARTHENGINE_PROJECT"
WORKLOAD = "sitsformer"
"""Tag of our requests: Cloud Monitoring shows the compute used under it."""


@dataclass
class Session:
    """A connected client.

    Attributes:
        project: Cloud project that requests are counted on.
        credentials: what the client signs with; None on loopback.
        limiter: bounds and retries, shared by everything in the process.
    """

    project: str
    credentials: Any
    limiter: Limiter

    def value(self, expression: Any, what: str) -> Any:
        """Compute a value (value:compute)."""
        import ee

        return self.limiter.run(lambda: ee.data.computeValue(expression), what)


_lock = threading.Lock()
_sessions: dict[EarthEngine, Session] = {}


def connect(settings: EarthEngine) -> Session:
    """Connect the client, once a process and settings.

    Raises:
        EarthEngineError: no credentials, no project, or the service refuses them.
    """
    with _lock:
        if settings not in _sessions:
            # The client has one global state: only the latest connection is good.
            _sessions.clear()
            _sessions[settings] = _connect(settings)
        return _sessions[settings]


def _connect(settings: EarthEngine) -> Session:
    import ee

    limiter = Limiter(settings.concurrent, settings.rate, settings.attempts, settings.patience * 60)
    credentials, kind = limiter.run(lambda: find_credentials(settings), "finding credentials")
    project = find_project(settings, credentials)
    if project is None:
        raise EarthEngineError(
            f"Earth Engine needs a Cloud project and none is set: give earthengine.project in the "
            f"config or the environment variable {PROJECT_VARIABLE}; "
            "https://developers.google.com/earth-engine/guides/access shows how to get one"
        )
    transport = Transport(settings.concurrent, settings.deadline)
    # Retrying is the limiter's work, so that it counts; and the client would fetch its list of
    # deprecated assets from another host without a time limit, unless it had one already.
    ee.data.setMaxRetries(0)
    ee.deprecation.deprecated_assets = (
        ee.deprecation.deprecated_assets or {"": None}  # type: ignore[dict-item]
    )
    limiter.run(
        lambda: ee.Initialize(
            credentials=credentials, url=settings.url, project=project, http_transport=transport
        ),
        f"connecting to {settings.url} with {kind}, project {project}",
    )
    ee.data.setDefaultWorkloadTag(WORKLOAD)
    return Session(project, credentials, limiter)


def is_local(url: str) -> bool:
    """Whether an endpoint is on this machine, where there is nobody to identify to."""
    return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")


def find_credentials(settings: EarthEngine) -> tuple[Any, str]:
    """Credentials and a word for their kind, the first of: key file, stored, default.

    Raises:
        EarthEngineError: there are none, they are not valid any more, or the key file cannot be
            used.
        ConnectionError: Google's token server, which says whether they are valid, did not answer.
    """
    if settings.service_account_key is not None:
        return _service_account(expand(settings.service_account_key)), "a service-account key"
    if is_local(settings.url):
        return None, "no credentials (local server)"
    import ee
    from google.auth.exceptions import TransportError

    stored = Path(ee.oauth.get_credentials_path())
    try:
        found = ee.data.get_persistent_credentials()
    except TransportError as error:
        raise ConnectionError(f"the token server did not answer: {redact(str(error))}") from None
    except ee.EEException:
        if stored.exists():
            raise EarthEngineError(
                f"the Earth Engine credentials in {stored} are not valid any more (a login with "
                "--mode notebook lasts seven days): run `sitsformer auth --force`"
            ) from None
        raise EarthEngineError(
            "no Earth Engine credentials were found: run `sitsformer auth`, or set "
            "earthengine.service_account_key to a key file, or provide application-default "
            "credentials (`gcloud auth application-default login`)"
        ) from None
    return found, "stored credentials" if stored.exists() else "application-default credentials"


def find_project(settings: EarthEngine, credentials: Any) -> str | None:
    """The Cloud project: config, environment, credentials, in this order."""
    from_credentials = getattr(credentials, "quota_project_id", None) or getattr(
        credentials, "project_id", None
    )
    return settings.project or os.environ.get(PROJECT_VARIABLE) or from_credentials


def _service_account(path: Path) -> Any:
    import ee
    from google.oauth2 import service_account

    try:
        return service_account.Credentials.from_service_account_file(  # type: ignore[no-untyped-call]
            str(path), scopes=ee.oauth.SCOPES
        )
    except OSError as error:
        raise EarthEngineError(
            f"earthengine.service_account_key {path} cannot be read: {error.strerror}; download "
            "a key of the service account from the Cloud console"
        ) from None
    except ValueError as error:
        # json.JSONDecodeError shows a piece of the file, which may be a piece of the key.
        reason = "it is not JSON" if isinstance(error, json.JSONDecodeError) else "it is no key"
        raise EarthEngineError(
            f"earthengine.service_account_key {path} cannot be used: {reason}; download the JSON "
            "key of the service account from the Cloud console"
        ) from None


def authenticate(mode: str | None, force: bool) -> bool:
    """Run the client's own login; True where credentials were there already.

    Raises:
        SitsError: the login did not finish; with the way that works instead.
    """
    import ee

    try:
        return bool(ee.Authenticate(auth_mode=mode, force=force))
    except EOFError:
        raise SitsError(
            "the login needs a terminal to paste the code into, and there is none: run "
            "`sitsformer auth --mode notebook` in a terminal, or use a service account's key file "
            "(earthengine.service_account_key)"
        ) from None
    # The client raises bare exceptions: no gcloud, a refused code, an answer without its fields.
    except Exception as error:
        said = " ".join(redact(str(error)).split()).rstrip(".") or type(error).__name__
        raise SitsError(
            f"the login did not finish: {said}; try another way: --mode notebook (any browser, "
            "paste a code), --mode localhost (a browser on this computer) or --mode gcloud"
        ) from None
