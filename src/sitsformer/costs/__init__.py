"""What jobs take: memory, minutes, bytes and files, predicted from a config by measured rates.

rates.py     the measured rates, and where they come from
sizes.py     dates, samples, bytes of stores      work.py   operations of networks
data.py      cubes, samples                       learning.py  pretraining, sweep
outcome.py   tables, maps, the page               job.py    one job, and what it asks for
jobs.py      every job of a config                plan.py   what `sitsformer plan` prints

The rules of the workflow ask for their memory and time here.
"""

from sitsformer.costs.job import Job, mem_mb, runtime
from sitsformer.costs.jobs import job_of, jobs
from sitsformer.costs.plan import said

__all__ = ["Job", "job_of", "jobs", "mem_mb", "runtime", "said"]
