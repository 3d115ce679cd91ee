#!/usr/bin/env bash
# Every op has its files, and tools/check_ops.sh finds a missing one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

tools/check_ops.sh || fail "see above"

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

# Copies the checked files, changes the copy with a command, and sets `report` to the check's output.
check_after() {
  rm -rf "${copy:?}"/*
  cp -r --parents CONTRIBUTING.md tools/check_ops.sh include host/backend host/reference host/cpu host/gradcheck \
    cuda tests/ops tests/bench tests/gradcheck tests/tsan bench/ops bench/support bench/main.cpp "$copy"
  (cd "$copy" && "$@")
  report=$("$copy/tools/check_ops.sh" 2>&1) && fail "passes after: $*"
  return 0
}

expect() {
  local message=$1
  shift
  check_after "$@"
  [[ $report == "check_ops: $message" ]] || fail "after $*: $report, expected: check_ops: $message"
}

expect 'bpr has no host/cpu/bpr.cpp' rm host/cpu/bpr.cpp
expect 'adam has no bench/ops/adam_bench.cpp' rm bench/ops/adam_bench.cpp
expect 'cuda/backend.hpp does not name sgd' sed -i '/sgd/d' cuda/backend.hpp
expect 'fill has no cuda/ops/fill.cu, which the table of tools/check_ops.sh names' rm cuda/ops/fill.cu
expect 'host/cpu/next_batch.cpp exists, but the table of tools/check_ops.sh does not name it
check_ops: host/cpu/other.cpp bears the name of no op' touch host/cpu/next_batch.cpp host/cpu/other.cpp
expect 'cuda/ops/once.cuh bears the name of no op, and no two files include it' touch cuda/ops/once.cuh
expect 'cuda/steps.cu: outside ops/ and support/ cuda/ holds only backend graph plugin recording storage' \
  touch cuda/steps.cu
expect 'the table names copy, which is no method of Backend' sed -i '/virtual void copy/d' include/tern/backend.hpp
expect 'CONTRIBUTING.md has no list of files between <!-- op-files --> and <!-- /op-files -->' \
  sed -i '/op-files/d' CONTRIBUTING.md
expect 'CONTRIBUTING.md names host/nothing.hpp, which does not exist' \
  sed -i 's#^<!-- /op-files#    host/nothing.hpp\n&#' CONTRIBUTING.md

# A new method has none of its files yet: the check names all of them but the header that declares it.
check_after sed -i 's/^  virtual void sgd(/  virtual void rmsprop(int step) = 0;\n&/' include/tern/backend.hpp
listed=$(tools/check_ops.sh | grep -o 'all [0-9]*' | grep -o '[0-9]*')
[[ $(grep -c rmsprop <<<"$report") == $((listed - 1)) ]] || fail "missing files of a new op: $report"
