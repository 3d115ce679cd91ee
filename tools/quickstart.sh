#!/usr/bin/env bash
# From a fresh Debian 12 to a trained model in minutes: install, build, train, measure, recommend.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# On a machine with other work, threads that spin at barriers cost several times what they save.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}

readonly kData=tests/data/debian
readonly kConfig=tools/quickstart.toml
readonly kTern=build/program/bin/tern
readonly kLog=build/quickstart.log
readonly kPackages=(audacity ffmpeg inkscape openssh-server python3-pandas)
readonly kShown=6

usage() {
  cat <<'TEXT'
usage: tools/quickstart.sh [--no-setup] [--again] [--out RUN] [--jobs N]

Installs the packages that building Tern needs, builds the program, trains LightGCN on the bundled
Debian package graph (who depends on whom), compares it with two rankings that need no training, and
shows what it would recommend to well-known packages. What is done already is not done again.

  --no-setup   install nothing: everything is there
  --again      train anew even if nothing has changed
  --out RUN    where the trained run is kept (default: runs/quickstart)
  --jobs N     how many compilers at a time (default: one a processor)
TEXT
}

say() { printf '\n%s\n' "$*"; }

# Runs a command with its output in the log; shows the log's end when it fails.
logged() {
  if ! "$@" >>"$kLog" 2>&1; then
    tail -n 40 "$kLog" >&2
    echo "quickstart: failed: $* (all of it: $kLog)" >&2
    exit 1
  fi
}

build() {
  mkdir -p build
  : >"$kLog"
  local start=$SECONDS
  # The CUDA library takes as long to build as all the rest, and serves only a machine with a GPU.
  local cuda=OFF
  if compgen -G '/dev/nvidia[0-9]*' >/dev/null; then cuda=AUTO; fi
  logged cmake --preset program -DTERN_CUDA="$cuda"
  logged cmake --build --preset program --parallel "$1"
  echo "$kTern is built ($((SECONDS - start)) s; log: $kLog)"
}

# Is the run there, trained by this program on this data with this configuration?
trained() {
  local run=$1 input
  for input in "$kTern" "$kConfig" "$kData"/*.zst; do
    [[ $run/trained -nt $input ]] || return 1
  done
}

train() {
  local run=$1
  "$kTern" train "$kData" --config "$kConfig" --out "$run" --overwrite >/dev/null
  touch "$run/trained"
}

# For each package: the first recommendations, and where the best of what was held out came in.
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
  $kTern inspect $kData                   what is in the data
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
  say "3. Training: LightGCN on the Debian package graph (a package, and what it depends on)"
  if [[ $again == no ]] && trained "$run"; then
    echo "$run is trained already (--again trains anew)"
  else
    train "$run"
  fi
  say "4. How well it ranks the dependencies that it was not shown, beside two rankings without training"
  "$kTern" evaluate "$run" --split test --baselines --quiet
  say "5. What it recommends; * was held out, and its rank among $(wc -l <"$run/items.tsv") is in brackets"
  recommend "$run"
  say "Done in $SECONDS s."
  what_next "$run"
}

main "$@"
