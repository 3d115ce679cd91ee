#!/usr/bin/env bash
# Fuzzes all readers of external input.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly kBuild=build/fuzz
readonly kTests=tests/fuzz

usage() {
  cat <<'TEXT'
usage: tools/fuzz.sh [--seconds N] [--jobs N] [--no-build] [TARGET...]

Builds the targets of tests/fuzz/ with clang 14 (libFuzzer, AddressSanitizer,
UndefinedBehaviorSanitizer), runs each from its seeds and the inputs that earlier runs found, and
prints a table. Exit status 1 if an input broke a target; such inputs are kept, and the commands that
run them again are printed. Memory is limited to 1 GB per process and 192 MB per allocation (a zstd
frame may need a window of 128 MB).

  --seconds N   how long each target runs (default: 60)
  --jobs N      how many at a time (default: one per processor)
  --no-build    run the programs already in build/fuzz
  TARGET...     only these (default: every folder of tests/fuzz/corpus)

Inputs found while running stay in build/fuzz/found/, crashes in build/fuzz/crashes/.
TEXT
}

fail() {
  echo "fuzz: $*" >&2
  exit 1
}

# run_target NAME SECONDS: logs to build/fuzz/logs/NAME.log, returns the fuzzer's exit status.
run_target() {
  local name=$1 folders=("$kBuild/found/$1" "$kTests/corpus/$1") dictionary=() scratch status=0
  mkdir -p "$kBuild/found/$name" "$kBuild/crashes/$name" "$kBuild/logs"
  if [[ -d $kTests/regressions/$name ]]; then folders+=("$kTests/regressions/$name"); fi
  if [[ -f $kTests/dictionaries/$name.dict ]]; then
    dictionary=("-dict=$kTests/dictionaries/$name.dict")
  fi
  # A target writes its files to memory; they are removed even if it is killed.
  scratch=$(mktemp -d "$([[ -w /dev/shm ]] && echo /dev/shm || echo "${TMPDIR:-/tmp}")/tern-fuzz-XXXXXX")
  TMPDIR=$scratch nice -n 10 "$kBuild/bin/fuzz_$name" \
    -max_total_time="$2" -max_len=4096 -timeout=20 -rss_limit_mb=1024 -malloc_limit_mb=192 \
    -print_final_stats=1 "${dictionary[@]}" -artifact_prefix="$kBuild/crashes/$name/" \
    "${folders[@]}" >"$kBuild/logs/$name.log" 2>&1 || status=$?
  rm -rf "$scratch"
  return "$status"
}

# stat_of NAME KEY: a final figure of the fuzzer; 0 if it did not reach its end.
stat_of() {
  local value
  value=$(sed -n "s/^stat::$2: *//p" "$kBuild/logs/$1.log")
  echo "${value:-0}"
}

# report NAME SECONDS STATUS: prints the target's line of the table.
report() {
  local executions edges crash
  executions=$(stat_of "$1" number_of_executed_units)
  edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$kBuild/logs/$1.log" | tail -n 1)
  crash=none
  if (($3 != 0)); then
    crash=$(sed -n "s/.*Test unit written to //p" "$kBuild/logs/$1.log" | tail -n 1)
    crash=${crash:-"exit status $3"}
  fi
  printf '%-18s %12d %8d %6d %6d %6d  %s\n' "$1" "$executions" $((executions / ($2 > 0 ? $2 : 1))) \
    "${edges:-0}" "$(stat_of "$1" new_units_added)" "$(stat_of "$1" peak_rss_mb)" "$crash"
  if (($3 != 0)); then
    grep -m 3 -E "^$1: |ERROR: |runtime error: " "$kBuild/logs/$1.log" | sed 's/^/    /' || true
    echo "    again: TMPDIR=/dev/shm $kBuild/bin/fuzz_$1 $crash; once fixed, keep it in $kTests/regressions/$1/"
  fi
}

main() {
  local seconds=60 jobs build=yes targets=() name
  jobs=$(nproc)
  while (($#)); do
    case $1 in
      --seconds) seconds=${2:?--seconds needs a number} && shift ;;
      --jobs) jobs=${2:?--jobs needs a number} && shift ;;
      --no-build) build=no ;;
      -h | --help) usage && exit 0 ;;
      -*) usage >&2 && exit 2 ;;
      *) targets+=("$1") ;;
    esac
    shift
  done
  if ((${#targets[@]} == 0)); then
    mapfile -t targets < <(find "$kTests/corpus" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort)
  fi
  for name in "${targets[@]}"; do
    [[ -d $kTests/corpus/$name ]] || fail "no target '$name'; there are: $(cd "$kTests/corpus" && echo *)"
  done
  if [[ $build == yes ]]; then
    command -v clang++-14 >/dev/null || fail "clang++-14 is missing; tools/setup.sh installs it"
    cmake --preset fuzz
    cmake --build --preset fuzz --parallel "$jobs"
  fi

  printf '%-18s %12s %8s %6s %6s %6s  %s\n' target executions exec/s edges new 'RSS/MB' crash
  local broken=0 waiting=("${targets[@]}") status finished
  declare -A names=()
  while ((${#waiting[@]} > 0 || ${#names[@]} > 0)); do
    while ((${#waiting[@]} > 0 && ${#names[@]} < jobs)); do
      run_target "${waiting[0]}" "$seconds" &
      names[$!]=${waiting[0]}
      waiting=("${waiting[@]:1}")
    done
    status=0
    wait -n -p finished "${!names[@]}" || status=$?
    report "${names[$finished]}" "$seconds" "$status"
    if ((status != 0)); then broken=$((broken + 1)); fi
    unset "names[$finished]"
  done
  if ((broken > 0)); then fail "$broken of ${#targets[@]} targets broke"; fi
}

main "$@"
