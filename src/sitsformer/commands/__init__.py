"""One file a stage: the commands of the CLI, each importing its stage only when it runs."""
