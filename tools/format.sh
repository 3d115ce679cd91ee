#!/usr/bin/env bash
# Formats the C++ and CUDA sources by .clang-format, or checks their format.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'TEXT'
usage: tools/format.sh [--check] [FILE...]

Runs clang-format 14 over the given files (default: every C++ and CUDA source of the repository).

  --check   change nothing; show the differences, and exit 1 if there are any
TEXT
}

fail() {
  echo "format: $*" >&2
  exit 1
}

find_formatter() {
  if command -v clang-format-14; then
    return
  fi
  command -v clang-format >/dev/null || fail "clang-format 14 is missing; tools/setup.sh installs it"
  [[ $(clang-format --version) == *"version 14."* ]] ||
    fail "expected clang-format 14 (other versions format differently), found $(clang-format --version)"
  command -v clang-format
}

main() {
  local mode=(-i) files=()
  while (($#)); do
    case $1 in
      --check) mode=(--dry-run --Werror) ;;
      -h | --help) usage && exit 0 ;;
      -*) usage >&2 && exit 2 ;;
      *.hpp | *.cpp | *.cuh | *.cu | *.h) files+=("$(cd "$OLDPWD" && realpath -m -- "$1")") ;;
      *)
        echo "format: $1 is not a C++ or CUDA source (*.hpp *.cpp *.cuh *.cu *.h)" >&2
        exit 2
        ;;
    esac
    shift
  done

  local formatter
  formatter=$(find_formatter)
  if ((${#files[@]} == 0)); then
    mapfile -t files < <(find cuda host include tests bench -type f \
      \( -name '*.hpp' -o -name '*.cpp' -o -name '*.cuh' -o -name '*.cu' -o -name '*.h' \) 2>/dev/null | sort)
  fi
  ((${#files[@]})) || fail "no sources found"
  "$formatter" "${mode[@]}" "${files[@]}"
  echo "format: ${#files[@]} files in order"
}

main "$@"
