"""The workflow on a one-node Slurm; `make test-slurm` says what it needs."""
