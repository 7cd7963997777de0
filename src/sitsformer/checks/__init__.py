"""What is looked at before a job runs, and whether artefacts are as they were written."""
