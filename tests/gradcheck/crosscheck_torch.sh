#!/usr/bin/env bash
# crosscheck_torch.sh TERN: PyTorch agrees with dumped steps of both host backends, each of another
# depth and width, and sees a planted error, in a step and in a user's formula. Exit status 77: no PyTorch here.
set -euo pipefail

tern=$1
check=$(dirname "${BASH_SOURCE[0]}")/../../tools/crosscheck_torch.py
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python=
for candidate in python3 /usr/bin/python3; do
  if "$candidate" -c 'import numpy, torch' 2>/dev/null; then python=$candidate && break; fi
done
[[ -n $python ]] || { echo "skipped: no python3 here imports torch"; exit 77; }

# A shape a backend: `tern gradcheck` itself compares the backends in each.
"$tern" gradcheck --device reference --problems 1 --dump "$work/reference" >/dev/null
"$tern" gradcheck --device cpu --problems 1 --width 3 --layers 5 --batch-size 1000 --seed 7 \
  --users 9 --items 31 --density 0.4 --dump "$work/cpu" >/dev/null
"$python" "$check" "$work"/*

# A gradient of the wrong sign must not pass.
"$python" - "$work/cpu/lightgcn-L5/item_embedding_gradient.npy" <<'PY'
import sys
import numpy as np
gradient = np.load(sys.argv[1])
gradient[np.unravel_index(np.abs(gradient).argmax(), gradient.shape)] *= -1
np.save(sys.argv[1], gradient)
PY
status=0
"$python" "$check" "$work/cpu" >"$work/spoilt.txt" || status=$?
if ((status != 1)) || [[ $(grep -c DIFFERS "$work/spoilt.txt") != 1 ]]; then
  echo "a gradient of the wrong sign was not seen (exit status $status):" && cat "$work/spoilt.txt"
  exit 1
fi

# A formula of somebody else: right, of another sign, and no formula.
cat >"$work/right.py" <<'PY'
import torch

def loss(users, items, triplets, settings):
    u, p, n = triplets.T
    assert settings["loss"] == "bpr"
    return -torch.nn.functional.logsigmoid((users[u] * items[p]).sum(1) - (users[u] * items[n]).sum(1)).mean()
PY
sed 's/items\[p\]).sum(1) -/items[p]).sum(1) +/' "$work/right.py" >"$work/wrong.py"
sed 's/return .*/return 1.0/' "$work/right.py" >"$work/number.py"
sed 's/def loss/def cost/' "$work/right.py" >"$work/nameless.py"
steps=("$work/reference/mf" "$work/reference/lightgcn-L3" "$work/reference/gcmc-both-L2")
"$python" -B "$check" --formula "$work/right.py" "${steps[@]}"
expect() {  # STATUS TEXT FILE
  local status=0
  "$python" -B "$check" --formula "$work/$3" "${steps[@]}" >"$work/out.txt" 2>&1 || status=$?
  if ((status != $1)) || ! grep -q "$2" "$work/out.txt"; then
    echo "--formula $3: exit status $status, expected $1 and \"$2\":" && cat "$work/out.txt"
    exit 1
  fi
}
expect 1 "user_embedding_gradient .* DIFFERS" wrong.py
expect 2 "the formula returned 1.0, expected a scalar tensor" number.py
expect 2 "no function loss(users, items, triplets, settings)" nameless.py
expect 2 "cannot be read: FileNotFoundError" absent.py
