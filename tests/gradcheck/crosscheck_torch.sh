#!/usr/bin/env bash
# crosscheck_torch.sh TERN: PyTorch agrees with dumped steps of both host backends, each of another
# depth and width, and sees a planted error. Exit status 77: no PyTorch here.
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
