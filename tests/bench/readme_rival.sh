#!/usr/bin/env bash
# A rival that is added by the words of bench/variants/README.md is timed, and its faulty versions are refused:
# readme_rival.sh RIGHT WRONG STOPS, programs tern-bench with each of them.
set -euo pipefail

right=$(realpath "${1:?usage: readme_rival.sh RIGHT WRONG STOPS}")
wrong=$(realpath "$2")
stops=$(realpath "$3")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

mkdir data
printf '0 1 2 3\n1 0 2 4\n2 1 3 4\n' >data/train.txt
printf '0 4\n' >data/test.txt

# The program with one version: its exit code and its row of the rival.
bench() {
  local expected=$1 program=$2 code=0
  "$program" ops --data data --width 4 --seconds 0.001 --repetitions 2 --threads 1 --caches warm \
    --filter '^sgd/dense/' >out.txt 2>err.txt || code=$?
  [[ $code == "$expected" ]] || fail "$program ended with $code, not $expected: $(cat out.txt err.txt)"
  grep -E '^sgd +dense +my_loop ' out.txt || fail "$program has no row of the rival: $(cat out.txt)"
}

# So small a table lies in the first cache, where a loop may be faster than the ceilings.
row=$(bench 0 "$right")
grep -Eq 'my_loop +[0-9.]+ .* [0-9]+\.[0-9]+( IMPLAUSIBLE)?$' <<<"$row" || fail "the rival has no time, or none of tern beside it: $row"
row=$(bench 1 "$wrong")
grep -Eq 'my_loop +REFUSED, not timed: sgd: element \(0, 0\) is [-0-9.]+, expected ' <<<"$row" ||
  fail "+= for -= is not refused as the README says: $row"
row=$(bench 1 "$stops")
grep -q 'REFUSED, not timed: right before the timed runs, wrong after them: sgd: element' <<<"$row" ||
  fail "a rival that stops after its first run is not refused: $row"
