#!/usr/bin/env bash
# Runs one command of `sitsformer` for a job of the workflow, and keeps what it says.
#
#     SITSFORMER_PYTHON=python job.sh ATTEMPT LOG COMMAND [ARGUMENT ...]
#
# The command's exit status is the job's, and a failure is the last line of LOG. Snakemake removes
# the log before it tries again: what a failed attempt said stays in LOG.attemptN. Snakemake has no
# retries by exit status: where it tries a job again whose last attempt was refused (status 2, a
# wrong command line, or 3, a wrong input), the command is not run a second time, and a note beside
# the stored config says the same again.
set -euo pipefail

attempt=$1 log=$2 status=0
shift 2
note=.snakemake/sitsformer/refused-$(cksum <<<"$log" | tr ' ' -)
if ((attempt > 1)) && [[ -s $note ]]; then
  cp -- "$note" "$log"
  exit "$(tail -n 1 -- "$note" | tr -cd 0-9)"
fi
rm -f -- "$note"
((attempt > 1)) || rm -f -- "$log".attempt*
kept=$log.attempt$attempt

# Told to stop (Ctrl-C, a time limit), the command has the time to say so and somebody to tell.
trap : INT TERM XCPU USR1 USR2
"$SITSFORMER_PYTHON" -m sitsformer "$@" 2>&1 | (
  trap '' INT TERM XCPU USR1 USR2
  exec tee -- "$kept" >"$log"
) || status=$?
if ((status == 0)); then
  rm -f -- "$kept"
else
  echo "exit status $status" | tee -a -- "$kept" >>"$log"
fi
if ((status == 2 || status == 3)); then
  mkdir -p -- "${note%/*}" && cp -- "$log" "$note"
fi
exit "$status"
