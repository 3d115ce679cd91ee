#!/usr/bin/env bash
# Checks that every op has exactly the files that CONTRIBUTING.md lists.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'TEXT'
usage: tools/check_ops.sh

Reads the methods of Backend in include/tern/backend.hpp and the list of files between the markers
<!-- op-files --> and <!-- /op-files --> of CONTRIBUTING.md. Every method is an op, except for those in the
table of this script. An op has every file of the list: a path with <op> must exist, any other must name
the op. Conversely, every source in the folders of ops must bear the name of an op. Exits 1 and names
each missing or extra file.
TEXT
}

# Methods that are not ops with all files: the op or part of the backend to which they belong, and the
# files of the list that they have.
exceptions() {
  cat <<'TABLE'
name                            backend
describe                        backend
memory                          backend                tests/ops/<op>_test.cpp
allocate                        backend
upload                          backend
download                        backend
copy                            backend
make_row_set                    backend
get_rows                        backend
make_counter                    backend
set                             backend
get                             backend
synchronize                     backend
seconds                         backend
record                          recording              tests/ops/<op>_test.cpp
fill                            backend                cuda/ops/<op>.cu
increment                       backend                cuda/ops/<op>.cu
make_graph                      backend                cuda/ops/<op>.cu
make_triplets                   sample
sampling_counts                 sample
set_triplets                    sample
get_triplets                    sample
batch_number                    sample
get_batch                       sample
next_batch                      sample                 cuda/ops/<op>.cu tests/ops/<op>_test.cpp
make_dense_state                linear_relu_batchnorm
make_row_steps                  adam
adam_catch_up                   adam                   tests/ops/<op>_test.cpp
linear_relu_batchnorm_backward  linear_relu_batchnorm  cuda/ops/<op>.cu
normalize_rows_backward         normalize_rows
TABLE
}

# Sources in the folders of ops without an op's name, by folder: code that several ops share, and tests
# of all ops. Headers of cuda/ops need no line: at least two ops must include each.
shared_files() {
  cat <<'TABLE'
host/reference  backend storage unit_rows
host/cpu        backend batch_pairs blas_memory pair_strips softmax_pairs storage table_products unit_rows whole_rows batch_statistics dense_gradients dense_products dense_state dense_sweeps gather_copy random_words
cuda/ops        pair_softmax pair_tiles gather_copy pending_ops
tests/ops       determinism_test fault_test gpu_test gradient_test random_test
bench/ops       dense_tables expected
TABLE
}

# The sources of cuda/ outside its folders.
cuda_files='backend graph plugin recording storage'

problems=0
problem() {
  echo "check_ops: $*" >&2
  problems=$((problems + 1))
}

methods() {
  sed -n '/^class Backend {/,/^};/p' include/tern/backend.hpp |
    sed -nE 's/^  virtual [^(~]*[ &*]([a-z_0-9]+)\(.*/\1/p' | sort -u
}

# The paths at the beginning of lines, in a table, a list or a block of code.
listed_files() {
  sed -n '/^<!-- op-files -->$/,/^<!-- \/op-files -->$/p' CONTRIBUTING.md |
    grep -oE '^[-|`*0-9. ]*[a-z_]+/[A-Za-z_/<>]*\.[a-z]+' | sed -E 's/^[-|`*0-9. ]*//'
}

# Whether the first word is among the others.
among() {
  local word=$1 other
  shift
  for other in "$@"; do [[ $word == "$other" ]] && return; done
  return 1
}

check_op() {
  local op=$1 path
  shift
  for path in "$@"; do
    if [[ $path == *'<op>'* ]]; then
      [[ -f ${path//<op>/$op} ]] || problem "$op has no ${path//<op>/$op}"
    elif [[ -f $path ]] && ! grep -qE "(^|[^a-z])$op" "$path"; then
      problem "$path does not name $op"
    fi
  done
}

# A method in the table has the files that the table names, and no other file of the list.
check_exception() {
  local method=$1 own=$2 path file
  shift 2
  for path in "$@"; do
    [[ $path == *'<op>'* ]] || continue
    file=${path//<op>/$method}
    if [[ " $own " == *" $path "* ]]; then
      [[ -f $file ]] || problem "$method has no $file, which the table of tools/check_ops.sh names"
    elif [[ -f $file ]]; then
      problem "$file exists, but the table of tools/check_ops.sh does not name it"
    fi
  done
}

# A source is named after an op, or a part <op>_<part> of one, or is listed as shared.
check_source() {
  local file=$1 shared=$2 name op included
  shift 2
  name=$(basename "${file%.*}")
  for op in "$@"; do [[ $name == "$op" || $name == "$op"_* ]] && return; done
  # shellcheck disable=SC2086  # the words of the table
  among "$name" $shared && return
  if [[ $file == cuda/ops/*.hpp || $file == cuda/ops/*.cuh ]]; then
    included=$({ grep -l "#include \"$file\"" cuda/*.cu cuda/*.hpp cuda/ops/* || true; } | wc -l)
    ((included >= 2)) || problem "$file bears the name of no op, and no two files include it"
    return
  fi
  problem "$file bears the name of no op"
}

main() {
  local list=() methods=() excepted=() ops=() named=() method belongs own folder shared file
  [[ ${1-} != -h && ${1-} != --help ]] || { usage && exit 0; }
  (($# == 0)) || { usage >&2 && exit 2; }

  mapfile -t list < <([[ -f CONTRIBUTING.md ]] && listed_files)
  if ((${#list[@]} == 0)); then
    problem 'CONTRIBUTING.md has no list of files between <!-- op-files --> and <!-- /op-files -->'
    exit 1
  fi
  for file in "${list[@]}"; do
    [[ $file == *'<op>'* || -f $file ]] || problem "CONTRIBUTING.md names $file, which does not exist"
  done
  mapfile -t methods < <(methods)

  while read -r method belongs own; do
    among "$method" "${methods[@]}" || problem "the table names $method, which is no method of Backend"
    check_exception "$method" "$own" "${list[@]}"
    excepted+=("$method")
    [[ -z $own ]] || named+=("$method")
  done < <(exceptions)
  for method in "${methods[@]}"; do
    among "$method" "${excepted[@]}" && continue
    check_op "$method" "${list[@]}"
    ops+=("$method")
  done
  ((${#ops[@]} > 0)) || problem 'include/tern/backend.hpp has no op'
  while read -r method belongs _; do
    among "$belongs" backend recording "${ops[@]}" || problem "$method belongs to $belongs, which is no op"
  done < <(exceptions)

  while read -r folder shared; do
    for file in "$folder"/*.*; do
      [[ $file == *.md ]] || check_source "$file" "$shared" "${ops[@]}" "${named[@]}"
    done
  done < <(shared_files)
  for file in cuda/*.cu cuda/*.hpp; do
    # shellcheck disable=SC2086  # a list of words
    among "$(basename "${file%.*}")" $cuda_files ||
      problem "$file: outside ops/ and support/ cuda/ holds only $cuda_files"
  done

  ((problems == 0)) || exit 1
  echo "check_ops: ${#ops[@]} ops, each with all ${#list[@]} files of the list in CONTRIBUTING.md"
}

main "$@"
