#!/usr/bin/env bash
# Installs a build of Tern, then builds this project against it and runs it: run.sh BUILD_DIRECTORY
set -euo pipefail

build=${1:?usage: run.sh BUILD_DIRECTORY}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Install in one place and use in another: the package must not contain the path of its build.
cmake --install "$build" --prefix "$work/installed" >/dev/null
mv "$work/installed" "$work/moved"

# Use the generator and the third-party libraries of the build.
cached() { sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt"; }
cmake -G "$(cached CMAKE_GENERATOR)" -S "$here" -B "$work/build" -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_PREFIX_PATH="$work/moved;$(cached TERN_DEPENDENCIES)"
cmake --build "$work/build"
mkdir "$work/data"
"$work/build/consumer" "$work/data"

# Completion of shells and the manual page are where shells and man look for them.
for file in bash-completion/completions/tern zsh/site-functions/_tern man/man1/tern.1; do
  [[ -s $work/moved/share/$file ]] || { echo "share/$file was not installed" && exit 1; }
done

# The installed program starts on its own, and makes data for the example of README.md.
"$work/moved/bin/tern" generate --to "$work/generated" --users 200 --items 60 --interactions 3000 --quiet
result=$("$work/build/example" "$work/generated")
echo "$result"
[[ $result =~ ^ndcg@20\ 0\.[0-9]+,\ epoch\ [0-9]+$ ]]

# The program with data from memory: ten items, and a run that the installed program reads.
lists=$("$work/build/embedded" "$work/run")
echo "$lists" | tail -n 2
[[ $(grep -c '^item-' <<<"$lists") == 10 ]]
listed=$("$work/moved/bin/tern" recommend "$work/run" --user user-7 -k 10 --quiet | tail -n +2 | cut -f 3)
[[ $listed == "$(sed -n 's/^\(item-[0-9]*\).*/\1/p' <<<"$lists")" ]]
"$work/moved/bin/tern" evaluate "$work/run" --quiet >/dev/null

# A loss with a gradient of the wrong sign is found, and described.
checked=$("$work/build/own_loss")
echo "$checked"
[[ $checked == *"short bpr over mf, lightgcn, gcmc: the gradient is right"*$'\n'*"short bpr over mf: the gradient is WRONG"* ]]
