#!/usr/bin/env bash
# Runs clang-tidy (.clang-tidy) over the sources that g++ builds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export LC_ALL=C  # sort and join must agree

usage() {
  cat <<'TEXT'
usage: tools/tidy.sh [--build DIR] [--jobs N] [--all] [FILE...]

Runs clang-tidy 14 over the given sources (default: all of host/ that the build compiles). What has
passed is not looked at again until the source, a header that it includes, or .clang-tidy changes.

  --build DIR   a configured and built directory (default: build/release)
  --jobs N      how many at a time (default: one a processor)
  --all         tests/ and bench/ too
TEXT
}

fail() {
  echo "tidy: $*" >&2
  exit 1
}

# The sources that the build compiles, one a line, relative to the root.
compiled_sources() {
  sed -n 's/^ *"file": "\(.*\)",\{0,1\}$/\1/p' "$1/compile_commands.json" |
    sed "s|^$PWD/||" | grep -E "^($2)/.*\.cpp$" | sort -u
}

# "source<TAB>dependency" for every object that ninja knows, both relative to the root where inside.
dependencies() {
  ninja -C "$1" -t deps 2>/dev/null | sed "s|$PWD/||" | awk '
    /^[^ ].*: #deps/ { first = 1; next }
    NF == 0 { next }
    first { source = $1; first = 0 }
    { print source "\t" $1 }'
}

# Those of the sources on stdin whose stamp is missing, or older than what they are made of.
outdated() {
  local stamps=$1 build=$2 source dependency
  declare -A stale
  while IFS=$'\t' read -r source dependency; do
    if [[ $dependency -nt $stamps/$source ]]; then stale[$source]=1; fi
  done < <(dependencies "$build")
  while read -r source; do
    if [[ -v stale[$source] || $source -nt $stamps/$source || .clang-tidy -nt $stamps/$source ]]; then
      echo "$source"
    fi
  done
}

# One source: quiet and stamped when it passes, the findings and 1 when it does not.
tidy_one() {
  local tidy=$1 build=$2 stamps=$3 source=$4 output
  mkdir -p "$stamps/$(dirname "$source")"
  touch "$stamps/$source.new"  # as old as what is looked at, should the source change meanwhile
  if ! output=$("$tidy" -p "$build" --quiet "$source" 2>&1); then
    printf '%s\n' "$output" | grep -vE '^[0-9]+ warnings? (treated|generated)|^Suppressed ' >&2
    return 1
  fi
  mv "$stamps/$source.new" "$stamps/$source"
}
export -f tidy_one

main() {
  local build=build/release jobs folders='host' files=()
  jobs=$(nproc)
  while (($#)); do
    case $1 in
      --build) build=${2:?--build needs a directory} && shift ;;
      --jobs) jobs=${2:?--jobs needs a number} && shift ;;
      --all) folders='host|tests|bench' ;;
      -h | --help) usage && exit 0 ;;
      -*) usage >&2 && exit 2 ;;
      *) files+=("$1") ;;
    esac
    shift
  done

  [[ -f $build/compile_commands.json ]] || fail "$build is not configured: cmake --preset release"
  local tidy
  tidy=$(command -v clang-tidy-14 || command -v clang-tidy) ||
    fail "clang-tidy is missing; tools/setup.sh installs it"
  if ((${#files[@]} == 0)); then
    mapfile -t files < <(compiled_sources "$build" "$folders")
  fi
  ((${#files[@]})) || fail "no sources found in $build/compile_commands.json"

  local stamps=$build/tidy todo
  mapfile -t todo < <(printf '%s\n' "${files[@]}" | outdated "$stamps" "$build")
  echo "tidy: ${#todo[@]} of ${#files[@]} sources to look at"
  if ((${#todo[@]})); then
    printf '%s\0' "${todo[@]}" |
      xargs -0 -P "$jobs" -I{} bash -c 'tidy_one "$@"' _ "$tidy" "$build" "$stamps" {} ||
      fail "findings above"
  fi
}

main "$@"
