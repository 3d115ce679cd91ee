#!/usr/bin/env bash
# Which GPUs a build is for, with stand-ins for nvidia-smi and nvcc: architectures.sh [CMAKE]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

cmake=${1:-cmake}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"

# A program on PATH with this body.
stub() {
  printf '#!/bin/sh\n%s\n' "$2" >"$work/bin/$1"
  chmod +x "$work/bin/$1"
}

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

cat >"$work/choose.cmake" <<'TEXT'
include(tools/cmake/TernArchitectures.cmake)
tern_choose_architectures(${NVCC} chosen)
tern_describe_architectures("${chosen}" words)
message("${chosen} = ${words}")
TEXT

# expect WHAT CHOSEN: the choice, and its words, of the stand-ins that are there.
expect() {
  local found
  found=$(PATH="$work/bin:$PATH" "$cmake" "-DNVCC=$work/bin/nvcc" -P "$work/choose.cmake" 2>&1 | tail -n 1)
  [[ $found == "$2" ]] || fail "$1: found '$found', expected '$2'"
}

stub nvcc 'printf "sm_75\nsm_80\nsm_86\nsm_89\nsm_90\nsm_100\n"'

# An nvidia-smi of this machine is not asked.
stub nvidia-smi 'exit 127'
expect 'nvidia-smi that fails' '90-real;75-virtual = machine code for 9.0 and PTX for 7.5 and later'
stub nvidia-smi 'echo "No devices were found"; exit 6'
expect 'no GPU' '90-real;75-virtual = machine code for 9.0 and PTX for 7.5 and later'
stub nvidia-smi '[ "$*" = "--query-gpu=compute_cap --format=csv,noheader" ] && echo 8.0'
expect 'one GPU' '80-real;75-virtual = machine code for 8.0 and PTX for 7.5 and later'
stub nvidia-smi 'printf "10.0\n8.9\n10.0\n8.0\n"'
expect 'several GPUs' \
  '80-real;89-real;100-real;75-virtual = machine code for 8.0, 8.9, 10.0 and PTX for 7.5 and later'
stub nvidia-smi 'printf "[N/A]\n9.0\n"'
expect 'a GPU that does not answer' \
  '90-real;75-virtual = machine code for 9.0 and PTX for 7.5 and later'
stub nvidia-smi 'printf "13.7\n"'
expect 'a GPU that nvcc does not know' '75-virtual = PTX for 7.5 and later'
stub nvidia-smi 'printf "6.1\n8.6\n"'
expect 'one that is too old, and another' \
  '86-real;75-virtual = machine code for 8.6 and PTX for 7.5 and later'

# Whole configurations: with the stand-in, and with a choice of the user's, which it does not change.
configure() {
  PATH="$work/bin:$PATH" "$cmake" -S . -B "$work/$1" -G Ninja -DTERN_TESTS=OFF -DTERN_BENCH=OFF "${@:2}" \
    >"$work/$1.log" 2>&1 || fail "$(tail -n 5 "$work/$1.log")"
}
rm "$work/bin/nvcc"
if PATH=$PATH:/usr/local/cuda/bin command -v nvcc >/dev/null; then
  stub nvidia-smi 'printf "8.6\n"'
  configure found -DTERN_CUDA=ON
  grep -q 'GPU architectures 86-real;75-virtual' "$work/found.log" || fail "$(tail -n 5 "$work/found.log")"
  for code in 'arch=compute_86,code=\[sm_86\]' 'arch=compute_75,code=\[compute_75\]'; do
    grep -q "$code" "$work/found/build.ninja" || fail "nvcc is not called with $code"
  done
  configure given -DTERN_CUDA=ON -DCMAKE_CUDA_ARCHITECTURES=89
  grep -q 'GPU architectures 89$' "$work/given.log" || fail "$(tail -n 5 "$work/given.log")"
  grep -q '"80-real;86-real;89-real;90-real;100-real;120-real;75-virtual"' CMakePresets.json ||
    fail 'the preset distribution lacks PTX of 7.5'
fi
