#!/usr/bin/env bash
# No hot kernel has a stack or spills on any GPU that a distribution has code for, the loop of propagate
# keeps its limits, and the check finds planted faults: kernel_resources.sh BUILD_DIRECTORY
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

build=${1:?usage: kernel_resources.sh BUILD_DIRECTORY}
planted=tests/tools/planted_spills.cu

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

checked=$(tools/kernel_resources.sh --build "$build" --check) || fail "see above"
echo "$checked"

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

# The kernel of the loop under another name than the tool knows, and its file.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch/tools" "$scratch/host"
cp -r cuda include CMakePresets.json "$scratch"
cp -r host/backend "$scratch/host"
sed 's/propagate_group_per_row_kernel</renamed_kernel</' tools/kernel_resources.sh >"$scratch/tools/kernel_resources.sh"
build=$(realpath "$build")
report=$(cd "$scratch" && bash tools/kernel_resources.sh --build "$build" --arch 90 --check cuda/ops/propagate.cu 2>&1) &&
  fail "a renamed kernel passed the check of its loop: $report"
grep -q '^kernel_resources: cuda/ops/propagate.cu has no kernel renamed_kernel<16, 1, false, F32Rows>, whose loop' \
  <<<"$report" || fail "the check does not name the renamed kernel: $report"
sed 's|cuda/ops/propagate.cu|cuda/ops/renamed.cu|' tools/kernel_resources.sh >"$scratch/tools/kernel_resources.sh"
report=$(cd "$scratch" && bash tools/kernel_resources.sh --build "$build" --check 2>&1) &&
  fail "a renamed file passed the check of its loop: $report"
grep -q '^kernel_resources: no file cuda/ops/renamed.cu, whose kernels have limits' <<<"$report" ||
  fail "the check does not name the renamed file: $report"

# Without a disassembler, visibly left out.
if ! grep -q 'the loop of propagate is not checked' <<<"$checked"; then
  for kernel in '<16, 1, false, F32Rows>' '<8, 1, false, Bf16Rows>'; do
    grep -q "^propagate_group_per_row_kernel$kernel (cuda/ops/propagate.cu, sm_90): a turn" <<<"$checked" ||
      fail "the check does not show the loop of propagate$kernel: $checked"
  done
  report=$(tools/kernel_resources.sh --build "$build" --arch 90 --check tests/tools/planted_turn.cu 2>&1) &&
    fail "a loop with loads under conditions passed the check: $report"
  grep -q '^expected at most 64 instructions, 4 loads within 8, 64 registers' <<<"$report" ||
    fail "the check does not name the loop's limits: $report"
fi
