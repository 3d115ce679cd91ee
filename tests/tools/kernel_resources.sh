#!/usr/bin/env bash
# No hot kernel has a stack or spills on any GPU that a distribution has code for, and the check finds a
# planted one: kernel_resources.sh BUILD_DIRECTORY
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

build=${1:?usage: kernel_resources.sh BUILD_DIRECTORY}
planted=tests/tools/planted_spills.cu

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

tools/kernel_resources.sh --build "$build" --check || fail "see above"

report=$(tools/kernel_resources.sh --build "$build" --check "$planted" 2>&1) &&
  fail "a kernel that spills passed the check"
for architecture in 80 86 89 90 100 120; do
  grep -q "^planted_spills_kernel<8> ($planted, sm_$architecture): [1-9]" <<<"$report" ||
    fail "the check does not name the kernel that spills on sm_$architecture: $report"
done
if grep -q 'planted_spills_kernel<4>' <<<"$report"; then
  fail "an instance that is not hot is reported: $report"
fi

objects=$(tools/kernel_resources.sh --build "$build" --arch 90 --json "$planted" | grep -c '"spill_store_bytes": [1-9]')
[[ $objects == 2 ]] || fail "--json has $objects instances with spills, not 2"
