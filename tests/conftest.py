"""One thread a test process: two processes share two cores, and results repeat to the bit."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
