# The door: the workflow itself is in workflow/Snakefile.
include: "workflow/Snakefile"
