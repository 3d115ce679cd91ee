#!/usr/bin/env bash
# All checks of Tern that need a GPU: packed on a machine without one, run in two calls of under four minutes.
set -euo pipefail
command -v python3 >/dev/null || { echo "gpu_check: python3 is missing" >&2 && exit 1; }
export PYTHONDONTWRITEBYTECODE=1
exec python3 "$(dirname "${BASH_SOURCE[0]}")/gpu_check/main.py" "$@"
