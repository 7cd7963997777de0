# The door: the workflow itself is in workflow/Snakefile.
include: "workflow/Snakefile"


# An included file cannot set what `snakemake` without a target makes.
workflow.default_target = "all"
