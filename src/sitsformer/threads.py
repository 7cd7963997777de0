"""How many threads a process takes: as many as its rule gives it, in every library alike.

The workflow hands each job its `{threads}` as SITSFORMER_THREADS, which the command line hands on
before any library is loaded. Without it each library chooses, and own threads are as many as the
CPUs that the process may use.
"""

from __future__ import annotations

import os
import sys

from sitsformer.errors import SitsError

VARIABLE = "SITSFORMER_THREADS"

LIBRARIES = (
    "OMP_NUM_THREADS",  # torch, scikit-learn, pyarrow
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "GDAL_NUM_THREADS",
    "DASK_NUM_WORKERS",
    "ZARR_THREADING__MAX_WORKERS",
)
"""Variables by which libraries are told; each is read when its library is loaded."""


def given() -> int | None:
    """Threads that the environment gives this process; None: nobody said.

    Raises:
        SitsError: it gives no number above 0.
    """
    text = os.environ.get(VARIABLE, "")
    if not text:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise SitsError(
            f"{VARIABLE} is {text!r}: set it to a number of threads, 1 or more, or unset it"
        )
    return int(text)


def count() -> int:
    """Threads for work that is shared out here."""
    usable = getattr(os, "sched_getaffinity", None)
    return given() or (len(usable(0)) if usable else os.cpu_count() or 1)


def hand_on(number: int | None = None) -> None:
    """Tell every library, whether it is loaded or not.

    Args:
        number: threads; None: what the environment gives, and where that says nothing, nothing is
            changed.

    Raises:
        SitsError: the environment gives no number above 0.
    """
    number = number or given()
    if number is None:
        return
    os.environ.update(dict.fromkeys((VARIABLE, *LIBRARIES), str(number)))
    if "numpy" in sys.modules:
        from threadpoolctl import threadpool_limits

        threadpool_limits(number)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(number)
