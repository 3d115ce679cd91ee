#!/usr/bin/env bash
# How often `tern-bench compare` finds a difference between two runs of one program.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: bench/aa_pairs.sh [--pairs N] PROGRAM [OPTION...]

Measures N pairs (default: 20) with PROGRAM ops OPTION..., such as build/release/bin/tern-bench, one run after the
other, and compares the runs of each pair. Prints a line for each: the load of the machine, the change that all
cases share, the smallest p, and the cases that changed, of which there are none. Exit code 1 if more than 5% of the pairs
have any.
TEXT
}

pairs=20
case ${1-} in
  --pairs) pairs=${2:?--pairs needs a number} && shift 2 ;;
  -h | --help) usage && exit 0 ;;
esac
(($#)) || { usage >&2 && exit 2; }
program=$1
shift

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf '%4s %12s %9s %9s  %s\n' pair load shared% p 'cases that changed'
alarms=0
for ((pair = 1; pair <= pairs; ++pair)); do
  for run in a b; do
    "$program" ops "$@" --json "$work/$run.json" >"$work/out.txt" 2>&1 || {
      cat "$work/out.txt" >&2
      exit 1
    }
  done
  "$program" compare "$work/a.json" "$work/b.json" >"$work/compared.txt"
  changed=$(grep -E '  (faster|SLOWER)$' "$work/compared.txt" | sed 's/  */ /g' | paste -sd ';' || true)
  smallest=$(awk 'NF == 0 { exit } NR > 1 { sub(/ *(faster|SLOWER)$/, ""); print $NF }' "$work/compared.txt" |
    sort -n | head -n 1)
  shared=$(sed -n 's/.*All together: \([-+0-9.]*\)%.*/\1/p' "$work/compared.txt")
  printf '%4d %12s %9s %9s  %s\n' "$pair" "$(cut -d ' ' -f 1 /proc/loadavg)" "$shared" "$smallest" "$changed"
  [[ -z $changed ]] || alarms=$((alarms + 1))
done
echo "$alarms of $pairs pairs have a case that changed; at most 5% are expected"
((alarms * 20 <= pairs))
