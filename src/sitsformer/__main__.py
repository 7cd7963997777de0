"""`python -m sitsformer` and the command `sitsformer`, from the first import on.

Nothing is imported here: a Ctrl-C in the first second meets somebody who says "stopped".
"""


def start() -> None:
    """Run a command; interrupted before it has begun, say so and end with status 130."""
    try:
        from sitsformer.cli import main

        main()
    except KeyboardInterrupt:
        import sys

        sys.stderr.write("error: stopped\n")
        sys.exit(130)


if __name__ == "__main__":
    start()
