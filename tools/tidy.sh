#!/usr/bin/env bash
# Runs clang-tidy (.clang-tidy) over the sources that g++ builds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly kBuild=build/tidy

usage() {
  cat <<'TEXT'
usage: tools/tidy.sh [--jobs N] [--all] [FILE...]

Runs clang-tidy 14 over the given sources (default: all of host/). The preset `tidy` groups the sources
of a folder, since most of the time goes into the headers that they share.

  --jobs N   how many at a time (default: one per processor)
  --all      also tests/ and bench/
TEXT
}

fail() {
  echo "tidy: $*" >&2
  exit 1
}

# The sources or groups of sources that the build compiles, one per line, in folders that match $1.
compiled_sources() {
  sed -n 's/^ *"file": "\(.*\)",\{0,1\}$/\1/p' "$kBuild/compile_commands.json" |
    sed "s|^$PWD/||" | grep -E "^($kBuild/)?($1)/.*\.(cpp|cxx)$" | sort -u
}

# Checks one source: silent if it passes; otherwise prints the findings and returns 1.
tidy_one() {
  local tidy=$1 build=$2 source=$3 output
  # The check that is off would report a group, which includes sources.
  if ! output=$("$tidy" -p "$build" --checks=-bugprone-suspicious-include --quiet "$source" 2>&1); then
    printf '%s\n' "$output" | grep -vE '^[0-9]+ warnings? (treated|generated)|^Suppressed ' >&2
    return 1
  fi
}
export -f tidy_one

main() {
  local jobs folders='host' files=() build=$kBuild
  jobs=$(nproc)
  while (($#)); do
    case $1 in
      --jobs) jobs=${2:?--jobs needs a number} && shift ;;
      --all) folders='host|tests|bench' ;;
      -h | --help) usage && exit 0 ;;
      -*) usage >&2 && exit 2 ;;
      *) files+=("$1") ;;
    esac
    shift
  done

  local tidy
  tidy=$(command -v clang-tidy-14 || command -v clang-tidy) ||
    fail "clang-tidy is missing; tools/setup.sh installs it"
  if ((${#files[@]} == 0)); then
    cmake --preset tidy >/dev/null
    mapfile -t files < <(compiled_sources "$folders")
    ((${#files[@]})) || fail "no sources found in $kBuild/compile_commands.json"
  else
    build=build/release  # which has a command for every source
    [[ -f $build/compile_commands.json ]] || fail "$build is not configured: cmake --preset release"
  fi

  echo "tidy: ${#files[@]} sources or groups of sources"
  printf '%s\0' "${files[@]}" |
    xargs -0 -P "$jobs" -I{} bash -c 'tidy_one "$@"' _ "$tidy" "$build" {} || fail "findings above"
}

main "$@"
