"""The HTTP side of the Earth Engine client: a pool of connections and a deadline.

The client takes any object with httplib2's `request`. Its own keeps ten connections, has no time
limit and, with one set, limits each wait for the next bytes rather than the whole request.
"""

from __future__ import annotations

import io
import time
from typing import Any

import httplib2
import requests
import urllib3
from requests.adapters import HTTPAdapter

CONNECT_SECONDS = 10.0
"""A service that does not even accept a connection in this time does not exist."""
PIECE = 1 << 18
"""Bytes read at once."""


class Transport:
    """Requests over one pool of connections, each with a deadline.

    Args:
        connections: size of the pool: the largest number of requests under way at once.
        deadline: seconds for one request, from its first byte to the last of its answer.
    """

    def __init__(self, connections: int, deadline: float) -> None:
        self.deadline = deadline
        self._session = requests.Session()
        adapter = HTTPAdapter(pool_connections=4, pool_maxsize=connections)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def request(
        self,
        uri: str,
        method: str = "GET",
        body: Any = None,
        headers: Any = None,
        redirections: Any = None,
        connection_type: Any = None,
        **_: Any,
    ) -> tuple[httplib2.Response, bytes]:
        """Make one request (httplib2's signature).

        Raises:
            ConnectionError: the connection broke, or the answer came short.
            TimeoutError: the deadline passed.
        """
        end = time.monotonic() + self.deadline
        try:
            with self._session.request(
                method,
                uri,
                data=body,
                headers=headers,
                timeout=(min(CONNECT_SECONDS, self.deadline), self.deadline),
                stream=True,
            ) as response:
                content = self._read(response, end)
        except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
            raise TimeoutError(f"no answer within {self.deadline:g} s") from error
        except (requests.ConnectionError, urllib3.exceptions.HTTPError) as error:
            raise ConnectionError(f"the connection broke: {_reason(error)}") from error
        fields = {**response.headers, "status": str(response.status_code)}
        for name in ("Content-Encoding", "content-encoding", "Transfer-Encoding"):
            fields.pop(name, None)  # the content is decoded already
        return httplib2.Response(fields), content

    def _read(self, response: requests.Response, end: float) -> bytes:
        content = io.BytesIO()
        while piece := response.raw.read1(PIECE, decode_content=True):
            content.write(piece)
            if time.monotonic() > end:
                raise TimeoutError(f"the answer was not whole after {self.deadline:g} s")
        return content.getvalue()  # without a copy


def _reason(error: BaseException) -> str:
    """The innermost reason of a requests / urllib3 error, which nest deeply."""
    inner: Any = error
    while True:
        args = getattr(inner, "args", ())
        following = getattr(inner, "reason", None) or next(
            (item for item in args if isinstance(item, BaseException)), None
        )
        if not isinstance(following, BaseException):
            return str(inner).rsplit(">: ", 1)[-1] or type(inner).__name__
        inner = following
