# Sourced at the head of every job: runs one command of `sitsformer` and keeps what it says.
#
#     job ATTEMPT LOG COMMAND [ARGUMENT ...]
#
# The command's exit status is the job's, and a failure is the last line of LOG. Snakemake has no
# retries by exit status: where it tries a job again whose last attempt was refused (status 2, a
# wrong command line, or 3, a wrong input), the command is not run a second time.

job() {
  local attempt=$1 log=$2 status=0 append=()
  shift 2
  if ((attempt > 1)); then
    status=$(refused "$log")
    if [[ $status ]]; then
      grep -a "error:" -- "$log" >&2 || true
      return "$status"
    fi
    append=(-a)
  fi
  # -i: after Ctrl-C the command still has somebody to tell.
  status=0
  sitsformer "$@" 2>&1 | tee -i "${append[@]}" -- "$log" || status=$?
  ((status == 0)) || echo "exit status $status" | tee -a -- "$log"
  return "$status"
}

# Print the exit status of a refusal that LOG ends with; nothing where it ends otherwise.
refused() {
  [[ -f $1 ]] || return 0
  tail -n 1 -- "$1" | sed -n 's/^exit status \([23]\)$/\1/p'
}
