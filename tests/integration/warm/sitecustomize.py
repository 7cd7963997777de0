"""Every Python of a test that has this folder on its PYTHONPATH reads this when it starts.

One that is to run a command of ours hands it over (warmjobs.py).
"""

import os
import sys

if "SITSFORMER_WARM" in os.environ and sys.orig_argv[1:3] == ["-m", "sitsformer"]:
    from warmjobs import hand_over

    hand_over(sys.orig_argv[3:])
