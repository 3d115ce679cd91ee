#!/usr/bin/env bash
# Builds Tern, tests it, and checks its sources: all checks that must pass before a change lands.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly kParts=(setup sources release oldest no-cuda python asan fuzz tsan tidy)

usage() {
  cat <<'TEXT'
usage: tools/test.sh [--quick] [--only PART[,PART...]] [--no-setup] [--jobs N]

Runs these parts in turn and ends with a table of them and the totals of ctest. After a failure, parts
that do not depend on the failed one still run; the exit status is 0 only if all passed.

  setup    install the Debian packages that are missing (tools/setup.sh)
  sources  layout of the C++ sources, includes between folders, shellcheck of the scripts, links and
           paths in documents
  release  build with -Werror, run every test, use the installed package; with CUDA if nvcc is found
  oldest   the numerical tests of the CPU backends again, as on a processor of 2006: SSSE3, and the
           oldest kernels of OpenBLAS
  no-cuda  if nvcc is found: build the program without it too
  python   install the Python package with pip into build/python-venv, run its tests
  asan     build with AddressSanitizer and UndefinedBehaviorSanitizer, run the tests in which they can
           find faults (tests/README.md)
  fuzz     10 seconds of libFuzzer on each reader of input (tools/fuzz.sh)
  tsan     ThreadSanitizer over the CPU backend and the readers
  tidy     clang-tidy over host/

  --quick      only setup and release
  --only       only these parts
  --no-setup   install nothing: all packages are installed
  --jobs N     how many compilers or tests at a time (default: one per processor)
TEXT
}

# --- The parts ------------------------------------------------------------------------------------

part_setup() {
  local packages=()
  if [[ $quick == yes ]]; then packages=(--tests); fi
  tools/setup.sh "${packages[@]}"
}

part_sources() {
  tools/format.sh --check
  local scripts
  mapfile -t scripts < <(find tools tests bench .ci -type f \( -name '*.sh' -o -path .ci/run \))
  shellcheck "${scripts[@]}"
  echo "shellcheck: ${#scripts[@]} scripts in order"
  tools/check_includes.py
  tools/check_links.py
}

build() {
  cmake --preset "$1"
  cmake --build --preset "$1" --parallel "$jobs"
}

build_and_test() {
  build "$1"
  mkdir -p build/test-logs
  ctest --preset "$1" --parallel "$jobs" --no-label-summary | tee "build/test-logs/$1.log"
}

part_release() { build_and_test release; }

part_oldest() {
  # Emulated devices calculate the same on every processor.
  mkdir -p build/test-logs
  OPENBLAS_CORETYPE=Prescott TERN_TEST_SIMD=SSSE3 ctest --preset release --no-tests=error --parallel "$jobs" \
    --no-label-summary --exclude-regex '/simt' \
    --label-regex '^(support|backend|ops|model|train|run|gradcheck)$' |
    tee build/test-logs/oldest.log
}

part_no-cuda() {
  if grep -q '^CMAKE_CUDA_COMPILER:.*=/' build/release/CMakeCache.txt; then
    # The host's objects are those of the release build: with ccache this takes seconds.
    build no-cuda
    build/no-cuda/bin/tern info
  else
    echo "no-cuda: nothing to do: the release build has no CUDA either"
  fi
}

# Exact versions, so that a new release of one breaks nothing here. Users build with those of pyproject.toml.
readonly kPythonBuild=(scikit-build-core==1.1.2 nanobind==3.1.0)
readonly kPythonTests=(
  numpy==2.4.6 scipy==1.17.1 pandas==3.1.1 polars==2.1.0 pyarrow==26.0.1 pytest==9.2.0 mypy==2.4.1
  faiss-cpu==1.15.1 tensorboard==2.21.0
)

part_python() {
  local venv=build/python-venv compiler start=$SECONDS
  [[ -x $venv/bin/pip ]] || python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet "${kPythonBuild[@]}" "${kPythonTests[@]}" ||
    { echo "python: pip could not download ${kPythonBuild[*]} ${kPythonTests[*]}" >&2 && return 1; }
  # With the compiler and the flags of the release build, if there is one, ccache has its objects.
  compiler=$(sed -n 's/^CMAKE_CXX_COMPILER:[A-Z]*=//p' build/release/CMakeCache.txt 2>/dev/null) || compiler=c++
  CXX=$compiler CMAKE_BUILD_PARALLEL_LEVEL=$jobs "$venv/bin/pip" install --quiet --no-build-isolation --no-deps . \
    -Ccmake.define.TERN_WERROR=ON -Ccmake.define.TERN_UNITY=OFF
  echo "python: installed in $((SECONDS - start)) s: $("$venv/bin/python" -c 'import tern; print(tern.__version__, tern.__file__)')"
  mkdir -p build/test-logs
  "$venv/bin/python" -m pytest tests/python | tee build/test-logs/python.log
}

part_asan() {
  UBSAN_OPTIONS=print_stacktrace=1 build_and_test asan
}

part_fuzz() { tools/fuzz.sh --seconds 10 --jobs "$jobs"; }

part_tsan() { build_and_test tsan; }

part_tidy() { tools/tidy.sh --jobs "$jobs"; }

# --- The sequence ---------------------------------------------------------------------------------

# The part that must pass before this one runs.
needs() {
  case $1 in
    oldest | no-cuda | python | asan | fuzz | tsan | tidy) echo release ;;
  esac
}

run_part() {
  local part=$1 start=$SECONDS needed
  needed=$(needs "$part")
  if [[ -n $needed && ${results[$needed]-passed} != passed ]]; then
    results[$part]="not run: $needed did not pass"
  else
    echo
    echo "=== $part"
    # A subshell, so that `set -e` holds inside although its status is tested here.
    set +e
    (set -e && "part_$part")
    local status=$?
    set -e
    if ((status == 0)); then results[$part]=passed; else results[$part]=FAILED && all_passed=no; fi
  fi
  seconds[$part]=$((SECONDS - start))
}

summary() {
  local part log
  printf '\n%-10s %6s  %s\n' part seconds result
  for part in "$@"; do
    printf '%-10s %6d  %s\n' "$part" "${seconds[$part]}" "${results[$part]}"
  done
  printf '%-10s %6d\n' total "$SECONDS"
  log=build/test-logs/python.log
  if [[ -v results[python] && -f $log ]]; then printf '\npython:\n%s\n' "$(tail -n 1 "$log")"; fi
  # Release, the main part, comes last.
  for part in oldest asan release; do
    log=build/test-logs/$part.log
    if [[ -v results[$part] && -f $log ]] && grep -q '% tests passed' "$log"; then
      printf '\n%s:\n%s\n' "$part" "$(grep '% tests passed' "$log")"
    fi
  done
}

main() {
  local parts=("${kParts[@]}")
  quick=no
  jobs=$(nproc)
  while (($#)); do
    case $1 in
      --quick) quick=yes && parts=(setup release) ;;
      --only) IFS=, read -r -a parts <<<"${2:?--only needs parts}" && shift ;;
      --no-setup) no_setup=yes ;;
      --jobs) jobs=${2:?--jobs needs a number} && shift ;;
      -h | --help) usage && exit 0 ;;
      *) usage >&2 && exit 2 ;;
    esac
    shift
  done

  declare -gA results seconds
  all_passed=yes
  rm -rf build/test-logs
  local part run=()
  for part in "${parts[@]}"; do
    [[ " ${kParts[*]} " == *" $part "* ]] ||
      { echo "test: no part '$part'; there are: ${kParts[*]}" >&2 && exit 2; }
    [[ $part == setup && ${no_setup-no} == yes ]] || run+=("$part")
  done
  for part in "${run[@]}"; do run_part "$part"; done
  summary "${run[@]}"
  [[ $all_passed == yes ]]
}

main "$@"
