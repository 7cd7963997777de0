# Sourced at the head of every job: runs one command of `sitsformer` and keeps what it says.
#
#     job ATTEMPT LOG COMMAND [ARGUMENT ...]
#
# The command's exit status is the job's, and a failure is the last line of LOG. Snakemake has no
# retries by exit status: where it tries a job again whose last attempt was refused (status 2, a
# wrong command line, or 3, a wrong input), the command is not run a second time. What it said is
# kept in a note, since Snakemake removes the log before it tries again.

job() {
  local attempt=$1 log=$2 status=0 note
  shift 2
  note=.snakemake/sitsformer/refused-$(cksum <<<"$log" | tr ' ' -)
  if ((attempt > 1)) && [[ -s $note ]]; then
    tee -- "$log" <"$note"
    return "$(tail -n 1 -- "$note" | tr -cd 0-9)"
  fi
  rm -f -- "$note"
  # -i: after Ctrl-C the command still has somebody to tell.
  sitsformer "$@" 2>&1 | tee -i -- "$log" || status=$?
  if ((status != 0)); then
    echo "exit status $status" | tee -a -- "$log"
  fi
  if ((status == 2 || status == 3)); then
    mkdir -p -- "${note%/*}" && cp -- "$log" "$note"
  fi
  return "$status"
}
