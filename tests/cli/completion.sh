#!/usr/bin/env bash
# completion.sh TERN: the scripts of `tern completion` complete every subcommand and every option that --help
# shows, and values; the manual page has them too, and no warning of man.
set -euo pipefail

tern=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
fail() { echo "completion: $*" && exit 1; }

"$tern" completion bash >tern.bash
"$tern" completion zsh >_tern
"$tern" man >tern.1
bash -n tern.bash
# shellcheck disable=SC1091
source tern.bash
[[ $(complete -p tern) == "complete -F _tern tern" ]] || fail "tern has no completion"

# The completions of a line; the last word is the one to complete.
completions() {
  COMP_WORDS=("$@")
  COMP_CWORD=$(($# - 1))
  COMPREPLY=()
  _tern
  printf '%s\n' "${COMPREPLY[@]}"
}
# LINE... -- EXPECTED...: exactly these, in any order.
expect() {
  local line=()
  while [[ $1 != -- ]]; do line+=("$1") && shift; done
  shift
  local found wanted
  found=$(completions "${line[@]}" | sort)
  wanted=$(printf '%s\n' "$@" | sort)
  [[ $found == "$wanted" ]] || fail "'${line[*]}' completes to '${found//$'\n'/ }', expected '${wanted//$'\n'/ }'"
}

mapfile -t commands < <("$tern" --help | sed -n '/^Subcommands:/,$ s/^  \([a-z-]*\) .*/\1/p')
((${#commands[@]} >= 13)) || fail "found the subcommands: ${commands[*]}"
expect tern "" -- "${commands[@]}" -h --help --version
options=0
for command in "${commands[@]}"; do
  help=$("$tern" "$command" --help)
  mapfile -t names < <(grep -oE '^  -[^ ]+(, --[^ ]+)?' <<<"$help" | tr -d ', ' | sed 's/^\(-[a-zA-Z]\)--/\1\n--/')
  expect tern "$command" - -- "${names[@]}"
  grep -q "^\.SS ${command}$" tern.1 || fail "the manual page has no $command"
  section=$(sed -n "/^\.SS ${command}$/,/^\.S[SH] /p" tern.1 | tail -n +2)
  for name in "${names[@]}"; do
    [[ $section == *"\\fB${name//-/\\-}\\fR"* ]] || fail "the manual page has no $command $name"
    grep -qF -- "$name" _tern || fail "the script for zsh has no $name"
  done
  options=$((options + ${#names[@]}))
done

expect tern tr -- train
expect tern train d --mod -- --model
expect tern train d --model gc -- gcmc
expect tern train d --model = l -- lightgcn
expect tern train d --device cu -- cuda
expect tern report r --device cu -- cuda
expect tern train d --recipe xs -- xsimgcl
expect tern train d --epochs "" -- ""
expect tern train d --set model.wi -- model.width=
expect tern train d --set a.b=c data.k -- data.k_core=
expect tern train d --set loss.kind = s -- softmax sl@k
expect tern train d --set log.tensorboard = "" -- true false
expect tern evaluate r --set optimizer -- ""
expect tern export r --format f -- faiss
expect tern completion z -- zsh
mkdir runs && touch data.tsv
expect tern evaluate "" -- runs
expect tern inspect d -- data.tsv
expect tern train d --config data -- data.tsv
expect tern export r --to r -- runs
expect tern report runs r -- runs
grep -qF "'*:RUN:_files -/'" _tern || fail "the script for zsh completes one run of tern report only"
grep -qF '\fBtern report\fR \fIRUN\fR...' tern.1 || fail "the manual page has one run of tern report only"

if command -v zsh >/dev/null; then
  zsh -n _tern
else
  echo "no zsh here: its script is not parsed"
fi
if command -v man >/dev/null; then
  warnings=$(MANWIDTH=80 man --warnings -l tern.1 2>&1 >page.txt) || fail "man: $warnings"
  [[ -z $warnings ]] || fail "the manual page: $warnings"
  grep -q -- '--verify-determinism' page.txt || fail "the manual page is not shown"
else
  echo "no man here: the manual page is not formatted"
fi
echo "completion: ${#commands[@]} subcommands, $options options"
