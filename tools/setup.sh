#!/usr/bin/env bash
# Installs the missing packages for building and checking Tern, with apt.
set -euo pipefail

# For building the library and the program.
readonly kProgram=(
  cmake ninja-build g++
  libhwy-dev libopenblas-dev libcli11-dev libtomlplusplus-dev libfmt-dev nlohmann-json3-dev
  libfast-float-dev zlib1g-dev libzstd-dev
)
# Also for the tests and the benchmarks. ccache makes the second build quick; zstd and python3 are for
# the data set tools and their tests, and python3 with venv for the Python package.
readonly kTests=(
  ccache libgtest-dev libgmock-dev libboost-context-dev libeigen3-dev zstd python3 python3-venv python3-dev
)
# Also for the checks of the sources, fuzzing and ThreadSanitizer. Other versions of clang-format
# format the same code differently.
readonly kChecks=(
  clang-format-14 clang-tidy-14 shellcheck clang-14 libclang-rt-14-dev
)
# PyTorch, with which one test compares our gradients, and a browser with a font, in which another opens pages of
# tern report; these tests are visibly skipped without.
readonly kPeers=(python3-torch python3-numpy chromium fonts-dejavu-core)

usage() {
  cat <<'TEXT'
usage: tools/setup.sh [--minimal | --tests] [--dry-run]

Installs the Debian packages that Tern needs and that are missing. Requires apt, and root or sudo if
anything is missing. Made for Debian 12 (bookworm).

  --minimal   only the packages for building the library and the program
  --tests     also the packages for the tests and benchmarks
  (neither)   all: also clang with its sanitizers, clang-format, clang-tidy, shellcheck, and
              PyTorch and Chromium, which two tests use (optional)
  --dry-run   list the missing packages, install nothing
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

# install_packages NAME...: false if apt failed.
install_packages() {
  local as_root=()
  if [[ $(id -u) -ne 0 ]]; then
    command -v sudo >/dev/null ||
      fail "neither root nor sudo; as root: apt-get install --no-install-recommends $*"
    as_root=(sudo)
  fi
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get --quiet=2
    -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)
  # A failing source, such as a vendor's, does not matter as long as Debian's own works; otherwise the
  # installation fails with a message.
  "${apt[@]}" update </dev/null || echo "setup: apt-get update failed; continuing" >&2
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
    echo "setup: all $# $how packages are installed"
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
      echo "setup: apt-get could not install ${missing[*]}; continuing without" >&2
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
    fail "this machine has no apt (Tern is built on Debian 12): install the contents of these packages" \
      "by other means, and run the scripts with --no-setup: ${packages[*]}"
  fi

  install_missing required "$dry_run" "${packages[@]}"
  if ((${#peers[@]} > 0)); then install_missing optional "$dry_run" "${peers[@]}"; fi
}

main "$@"
