"""`python -m sitsformer` is the command `sitsformer`."""

from sitsformer.cli import main

main()
