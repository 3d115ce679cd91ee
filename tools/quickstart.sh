#!/usr/bin/env bash
# From a fresh Debian 12 to a trained model in minutes: install, build, train, measure, recommend.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly kData=tests/data/debian
readonly kSoftmax=(--recipe bsl --epochs 8 --set train.batch_size=512 train.evaluate_every=4)
readonly kBpr=(--config tools/quickstart.toml)
readonly kTern=build/program/bin/tern
readonly kLog=build/quickstart.log
readonly kPackages=(audacity ffmpeg inkscape openssh-server python3-pandas)
readonly kShown=6

usage() {
  cat <<'TEXT'
usage: tools/quickstart.sh [--no-setup] [--again] [--out RUN] [--jobs N]

Installs the packages that building Tern needs, builds the program, trains LightGCN on the bundled
Debian package graph (packages and their dependencies) by two losses, softmax and BPR, compares them
with two rankings that need no training, and shows the recommendations of the first for well-known
packages. Completed steps are not repeated.

  --no-setup   install nothing: all packages are installed
  --again      train again even if nothing has changed
  --out RUN    directory of the run with softmax (default: runs/quickstart); BPR's is RUN-bpr
  --jobs N     how many compilers at a time (default: one per processor)
TEXT
}

say() { printf '\n%s\n' "$*"; }

# Runs a command with its output in the log; shows the end of the log if it fails.
logged() {
  if ! "$@" >>"$kLog" 2>&1; then
    tail -n 40 "$kLog" >&2
    echo "quickstart: failed: $* (full log: $kLog)" >&2
    exit 1
  fi
}

build() {
  mkdir -p build
  : >"$kLog"
  local start=$SECONDS
  # The CUDA library takes as long to build as everything else, and is useless without a GPU.
  local cuda=OFF
  if compgen -G '/dev/nvidia[0-9]*' >/dev/null; then cuda=AUTO; fi
  logged cmake --preset program -DTERN_CUDA="$cuda"
  logged cmake --build --preset program --parallel "$1"
  echo "$kTern is built ($((SECONDS - start)) s; log: $kLog)"
}

# Whether the run was trained by this program, on this data, with these settings.
trained() {
  local run=$1 input
  for input in "$kTern" tools/quickstart.sh tools/quickstart.toml "$kData"/*.zst; do
    [[ $run/trained -nt $input ]] || return 1
  done
}

train() {
  local run=$1
  shift
  "$kTern" train "$kData" "$@" --out "$run" --overwrite >/dev/null
  touch "$run/trained"
}

# The metrics of two runs and of rankings that need no training, side by side.
compare() {
  local softmax=$1 bpr=$2
  paste <("$kTern" evaluate "$softmax" --split test --quiet) \
    <("$kTern" evaluate "$bpr" --split test --baselines --quiet) |
    awk '
      $1 ~ /@/ { printf "%-14s %9s %9s %11s %13s %7s %7s\n", $1, $2, $4, $5, $6, $7, $8 }
      /popularity/ { printf "%-14s %9s %9s %11s %13s %7s %7s\n", "", "softmax", "bpr", $(NF-3), $(NF-2), $(NF-1), $NF }'
}

# For each package: the first recommendations, and the held-out dependencies with the best ranks.
recommend() {
  local run=$1 users=() package
  for package in "${kPackages[@]}"; do users+=(--user "$package"); done
  "$kTern" recommend "$run" "${users[@]}" -k "$(wc -l <"$run/items.tsv")" --mark-held-out --quiet |
    awk -F '\t' -v shown="$kShown" '
      function show() {
        if (user == "") return
        if (count > shown) held_out = held_out ", and " count - shown " more"
        printf "%s\n  recommended  %s\n  held out     %s\n", user, top, held_out
        top = held_out = ""
        count = 0
      }
      NR == 1 { next }
      $1 != user { show(); user = $1 }
      $2 <= shown { top = top (top == "" ? "" : ", ") $3 ($5 == "yes" ? "*" : "") }
      $5 == "yes" && ++count <= shown { held_out = held_out (held_out == "" ? "" : ", ") $3 " (" $2 ")" }
      END { show() }'
}

what_next() {
  cat <<TEXT
What next:
  $kTern recommend $1 --user ffmpeg -k 10        for any other package
  $kTern similar $1 --item libssl3 -k 10         its neighbours in the learned space
  $kTern inspect $kData                   a summary of the data
  $kTern train YOUR_DATA --out runs/mine              a table of user, item; tern train --help
  $kTern export $1 --to embeddings        NumPy files for other programs
  tools/test.sh                                                  all tests and checks
TEXT
}

main() {
  local run=runs/quickstart setup=yes again=no jobs
  jobs=$(nproc)
  while (($#)); do
    case $1 in
      --no-setup) setup=no ;;
      --again) again=yes ;;
      --out) run=${2:?--out needs a directory} && shift ;;
      --jobs) jobs=${2:?--jobs needs a number} && shift ;;
      -h | --help) usage && exit 0 ;;
      *) usage >&2 && exit 2 ;;
    esac
    shift
  done

  say "1. Packages"
  if [[ $setup == yes ]]; then tools/setup.sh --minimal; fi
  say "2. The program"
  build "$jobs"
  say "3. Training: LightGCN on the Debian package graph (packages and their dependencies)"
  if [[ $again == no ]] && trained "$run" && trained "$run-bpr"; then
    echo "$run and $run-bpr are trained already (--again repeats it)"
  else
    echo "softmax (tern train --recipe bsl):"
    train "$run" "${kSoftmax[@]}"
    echo "BPR (--config tools/quickstart.toml):"
    train "$run-bpr" "${kBpr[@]}"
  fi
  say "4. How well they rank held-out dependencies, compared with rankings without training"
  compare "$run" "$run-bpr"
  say "5. Recommendations; * marks held-out ones, and ranks among $(wc -l <"$run/items.tsv") are in brackets"
  recommend "$run"
  say "Done in $SECONDS s."
  what_next "$run"
}

main "$@"
