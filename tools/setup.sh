#!/usr/bin/env bash
# Installs what building and checking Tern needs, through apt, and only what is missing.
set -euo pipefail

# What the library and the program are built with.
readonly kProgram=(
  cmake ninja-build g++
  libhwy-dev libopenblas-dev libcli11-dev libtomlplusplus-dev libfmt-dev nlohmann-json3-dev
  libfast-float-dev zlib1g-dev libzstd-dev
)
# What the tests and the benchmarks add; ccache makes the second build quick, and zstd and python3
# serve the data set tools and their tests.
readonly kTests=(
  ccache libgtest-dev libgmock-dev libbenchmark-dev libboost-context-dev libeigen3-dev zstd python3
)
# What the checks of the source add, and what fuzzing and ThreadSanitizer are built with. Other
# versions of clang-format lay the same code out otherwise.
readonly kChecks=(
  clang-format-14 clang-tidy-14 shellcheck clang-14 libclang-rt-14-dev libomp-14-dev
)
# What one test wants that is visibly skipped without it: PyTorch, to differentiate our steps anew.
readonly kPeers=(python3-torch python3-numpy)

usage() {
  cat <<'TEXT'
usage: tools/setup.sh [--minimal | --tests] [--dry-run]

Installs the Debian packages that Tern is built from, and only those that are missing. Needs apt,
and root or sudo where there is something to install. Made for Debian 12 (bookworm).

  --minimal   only what building the library and the program needs
  --tests     that, and what the tests and benchmarks need
  (neither)   all: the tests' packages, clang with its sanitizers, clang-format, clang-tidy,
              shellcheck, and PyTorch, which one test compares with and which may be missing
  --dry-run   list what is missing, install nothing
TEXT
}

fail() {
  echo "setup: $*" >&2
  exit 1
}

installed() {
  local status
  status=$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null) || return 1
  [[ $status == installed ]]
}

# install_packages NAME...: false where apt could not.
install_packages() {
  local as_root=()
  if [[ $(id -u) -ne 0 ]]; then
    command -v sudo >/dev/null ||
      fail "neither root nor sudo; as root: apt-get install --no-install-recommends $*"
    as_root=(sudo)
  fi
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get --quiet=2
    -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)
  # A source that fails (some vendor's, say) does not matter as long as Debian's own answers; if it
  # does matter, the installation says so.
  "${apt[@]}" update </dev/null || echo "setup: apt-get update had trouble; going on" >&2
  "${apt[@]}" install --no-install-recommends "$@" </dev/null >/dev/null
}

# install_missing HOW DRY_RUN NAME...: HOW is required or optional.
install_missing() {
  local how=$1 dry_run=$2 missing=() package
  shift 2
  for package in "$@"; do
    installed "$package" || missing+=("$package")
  done
  if ((${#missing[@]} == 0)); then
    echo "setup: all $# $how packages are there"
  elif [[ $dry_run == yes ]]; then
    echo "setup: missing: ${missing[*]}"
  else
    echo "setup: installing with apt-get: ${missing[*]}"
    local start=$SECONDS
    if install_packages "${missing[@]}"; then
      echo "setup: installed in $((SECONDS - start)) s"
    elif [[ $how == required ]]; then
      fail "apt-get could not install: ${missing[*]}"
    else
      echo "setup: apt-get could not install ${missing[*]}; going on without" >&2
    fi
  fi
}

main() {
  local packages=("${kProgram[@]}" "${kTests[@]}" "${kChecks[@]}") peers=("${kPeers[@]}") dry_run=no
  while (($#)); do
    case $1 in
      --minimal) packages=("${kProgram[@]}") peers=() ;;
      --tests) packages=("${kProgram[@]}" "${kTests[@]}") peers=() ;;
      --dry-run) dry_run=yes ;;
      -h | --help) usage && exit 0 ;;
      *) usage >&2 && exit 2 ;;
    esac
    shift
  done

  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    fail "this machine has no apt (Tern is built on Debian 12); install by other means what these" \
      "packages hold, and run the scripts with --no-setup: ${packages[*]}"
  fi

  install_missing required "$dry_run" "${packages[@]}"
  if ((${#peers[@]} > 0)); then install_missing optional "$dry_run" "${peers[@]}"; fi
}

main "$@"
