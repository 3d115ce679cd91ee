#!/usr/bin/env bash
# Shows the registers, shared memory, stack and spills of each kernel, or checks for spills.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'TEXT'
usage: tools/kernel_resources.sh [--build DIR] [--arch SM[,SM...]] [--json] [--check] [--jobs N]
                                 [FILE.cu...]

Assembles the device code of cuda/ops (or of the given files) with the options of the build, and prints
the report of ptxas on every kernel instance: registers per thread, static shared memory per block, bytes
of stack per thread, bytes of spill stores and loads.

Hot instances are our own that run for a width of 32, 64, 128 or 256: those with 8 lanes per row or more
and at most 2 vectors per lane (cuda/support/launch_shape.hpp, launch_propagate in cuda/ops/propagate.cu),
and those that are the same for every width. Not hot: the other widths, and the kernels of CUB.

Reports are kept in the build directory, and used again until a source, a header of cuda/ or include/, or
the options change.

  --check      exit 1 if a hot instance has a stack or spills, or if the inner loop of propagate breaks
               its limits, or its kernel is missing; print only those. The loop is read from the machine code
               for 9.0, by nvdisasm (on PATH, beside nvcc, or in NVIDIA's Python wheel); without it, a line
               says that it is not checked
  --json       an array with one object per instance
  --build DIR  a configured build directory with the options to use (default: build/release)
  --arch SM    90, or 80,90, ... (default: the architectures of the build; with --check also those of
               the preset distribution, so that no GPU is left out)
  --jobs N     how many files at a time (default: one per processor)
TEXT
}

fail() {
  echo "kernel_resources: $*" >&2
  exit 1
}

# A path given by the caller, relative to the repository.
from_caller() { (root=$PWD && cd "$OLDPWD" && realpath -m --relative-base="$root" -- "$1"); }

# The folder in which the build compiles a source of cuda/ops, and the words of the command, one per
# line; for any other file, those of the first source of cuda/ops.
build_command() {
  local source=$1 database=$build/compile_commands.json command
  command=$(awk -v wanted="/${source#./}\"" '
    /^ *"directory": / { folder = $0; sub(/^[^:]*: "/, "", folder); sub(/",$/, "", folder) }
    /^ *"command": / { line = folder "\n" $0 }
    /^ *"file": .*\/cuda\/ops\/[a-z_0-9]*\.cu"/ {
      if (first == "") first = line
      if (index($0, wanted)) { exact = line; exit }
    }
    END { print exact != "" ? exact : first }' "$database")
  [[ -n $command ]] || fail "$database has no command for cuda/ops: is it a build with CUDA?"
  echo "${command%%$'\n'*}"
  command=${command#*: \"} command=${command%\",}
  command=${command//\\\"/\"} command=${command//\\\\/\\}
  xargs printf '%s\n' <<<"$command"  # removes the quotes that CMake adds for the shell
}

# The architectures of a build command.
architectures() { grep -o 'sm_[0-9]*[af]\{0,1\}' | sed 's/sm_//' | sort -Vu; }

# Those of the preset `distribution`, without its PTX.
distributed_architectures() { grep -o '"[0-9af;a-z-]*-real;[^"]*"' CMakePresets.json | grep -o '[0-9]*[af]\{0,1\}-real' | sed 's/-real//'; }

# The kernels of propagate for width 64 without marks, and the limits of their inner loops in machine code
# for 9.0. A turn adds four neighbours: a warp has four loads under way for each of its rows if nothing but
# the computing of addresses stands between them. With 64 registers a multiprocessor holds 32 warps. Bf16
# takes more instructions, for twice as many rows a warp.
limited_kernels() {
  cat <<'TABLE'
propagate_group_per_row_kernel<16, 1, false, F32Rows>;64
propagate_group_per_row_kernel<8, 1, false, Bf16Rows>;96
TABLE
}
looped_kernel=propagate_group_per_row_kernel
limited_source=cuda/ops/propagate.cu
loads_of_turn=4
most_instructions_of_loads=8
most_registers=64

find_disassembler() {
  local compiler wheels
  compiler=$(grep -o -m 1 '[^" ]*/nvcc ' "$build/compile_commands.json" || true)
  wheels=$(python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))' 2>/dev/null || true)
  PATH=$PATH${compiler:+:${compiler%/*}}${wheels:+:$wheels/nvidia/cu13/bin} command -v nvdisasm || true
}

# Whether the loop of this source is read: architecture, source.
has_limits() { [[ -n $disassembler && $1 == 90 ]] && grep -q "$looped_kernel" "$2"; }

# The innermost loops of a cubin that gather: with two loads or more of 16 bytes that no thread writes, and
# not the code beside the kernel for shuffles of a warp whose lanes have parted. In lines of "source, instructions, loads, instructions from the first load to the last, symbol".
gathering_loops() {
  "$disassembler" -c "$2" | awk -v OFS='\t' -v source="$1" '
    function report(first, last,   i, loads, from, to) {
      for (i = first; i <= last; ++i) {
        if (i in inner || line[i] ~ /WARPSYNC\.COLLECTIVE/) return
        if (line[i] ~ /LDG\.E\.128\.CONSTANT/) { if (!loads++) from = i; to = i }
      }
      for (i = first; i <= last; ++i) inner[i]
      if (loads > 1) print source, last - first + 1, loads, to - from + 1, symbol
    }
    /^\.text\./ { symbol = substr($1, 7); sub(/:$/, "", symbol); count = 0; split("", label); split("", inner) }
    /^\.L_x_[0-9]+:/ { sub(/:.*/, ""); label[$0] = count + 1 }
    /^ *\/\*[0-9a-f]+\*\// {
      line[++count] = $0
      if (match($0, /BRA.*\.L_x_[0-9]+/)) {
        target = substr($0, RSTART, RLENGTH)
        sub(/.*\.L_x_/, ".L_x_", target)
        if (target in label) report(label[target], count)
      }
    }'
}

# The report of ptxas on one source for one architecture, in lines of "arch, file, figures..., symbol".
assemble() {
  local architecture=$1 source=$2 folder word words=() skip=yes output out kept
  out=$work/$architecture.${source//\//_}
  while IFS= read -r word; do
    if [[ -z ${folder-} ]]; then folder=$word && continue; fi
    case $skip$word in
      yes*nvcc) words=("$word") skip=no ;;  # before it: ccache
      yes* | next*) [[ $skip == yes ]] || skip=no ;;
      no-o | no-MF | no-MT | no-gencode) skip=next ;;
      no-c | no-MD | no--generate-code=* | no-gencode=* | *.cu) ;;
      *) words+=("$word") ;;
    esac
  done < <(build_command "$source")
  kept=$build/kernel_resources/$( (printf '%s\n' "$headers" "$architecture" "$source" "${words[@]}" &&
    cat "$source") | sha256sum | cut -c -32)
  if [[ -f $kept ]] && { [[ -f $kept.loops ]] || ! has_limits "$architecture" "$source"; }; then
    cp "$kept" "$out.lines"
    [[ ! -f $kept.loops ]] || cp "$kept.loops" "$out.loops"
    return
  fi
  # Run it in that folder, as its words may name files there.
  words+=("-arch=sm_$architecture" -cubin -Xptxas=-v -o "$out.cubin" "$(realpath "$source")")
  if ! output=$(cd "$folder" && "${words[@]}" 2>&1); then
    printf '%s\n' "$output" >&2
    return 1
  fi
  printf '%s\n' "$output" | awk -v source="$source" -v OFS='\t' -v quote="'" '
    /Compiling entry function/ { split($0, part, quote); symbol = part[2]; arch = part[4] }
    /bytes stack frame/ { stack = $1; stores = $5; loads = $9 }
    /: Used [0-9]+ registers/ && symbol != "" {
      for (i = 1; i < NF; ++i) if ($i == "Used") registers = $(i + 1)
      shared = match($0, /[0-9]+ bytes smem/) ? substr($0, RSTART, RLENGTH) + 0 : 0
      print arch, source, registers, shared, stack, stores, loads, symbol
      symbol = ""
    }' >"$out.lines"
  mkdir -p "${kept%/*}"
  if has_limits "$architecture" "$source"; then
    gathering_loops "$source" "$out.cubin" >"$out.loops"
    cp "$out.loops" "$kept.$$" && mv "$kept.$$" "$kept.loops"
  fi
  cp "$out.lines" "$kept.$$" && mv "$kept.$$" "$kept"
}
export -f assemble build_command fail has_limits gathering_loops

# Adds a short name and "hot" or "-", from demangled lines: arch, file, figures, hot, name.
classify() {
  awk -F '\t' -v OFS='\t' '{
    name = $8
    sub(/^void /, "", name)
    ours = name ~ /^tern::/
    hot = ours
    if (ours) {
      gsub(/\(anonymous namespace\)::|tern::cuda::/, "", name)
      sub(/\(.*/, "", name)
      arguments = name ~ /</ ? name : ""
      sub(/^[^<]*</, "", arguments)
      count = split(arguments, argument, /[,>] */)
      if (argument[1] ~ /^[0-9]+$/ && argument[1] < 8) hot = 0
      if (count > 2 && argument[2] ~ /^[0-9]+$/ && argument[2] > 2) hot = 0
      split("", argument)
    } else {
      library = name
      sub(/::.*/, "", library)
      sub(/<.*/, "", name)
      sub(/.*::/, "", name)
      name = library "::" name
    }
    print $1, $2, $3, $4, $5, $6, $7, (hot ? "hot" : "-"), name
  }' | sort -t $'\t' -k 9,9V -k 1,1V -k 3,3n
}

print_table() {
  awk -F '\t' '
    BEGIN { printf "%-52s %-7s %9s %9s %6s %12s  %s\n", "kernel", "arch", "registers", "shared B", \
                   "stack", "spilled B", "" }
    { printf "%-52s %-7s %9d %9d %6d %5d /%5d  %s\n", $9, $1, $3, $4, $5, $6, $7, $8 == "hot" ? "hot" : ""
      if ($8 == "hot") ++hot }
    END { printf "%d instances, %d of them hot; spilled: bytes of stores / loads per thread\n", NR, hot }'
}

print_json() {
  awk -F '\t' '
    BEGIN { printf "[" }
    { printf "%s\n  {\"kernel\": \"%s\", \"file\": \"%s\", \"arch\": \"%s\", \"registers\": %d, " \
             "\"shared_bytes\": %d, \"stack_bytes\": %d, \"spill_store_bytes\": %d, " \
             "\"spill_load_bytes\": %d, \"hot\": %s}", (NR > 1 ? "," : ""), $9, $2, $1, $3, $4, $5, $6, \
             $7, $8 == "hot" ? "true" : "false" }
    END { print "\n]" }'
}

check() {
  awk -F '\t' '
    $8 != "hot" { next }
    { ++hot }
    $5 + $6 + $7 > 0 {
      printf "%s (%s, %s): %d bytes of stack, %d of spill stores, %d of spill loads\n", $9, $2, $1, $5, \
             $6, $7 > "/dev/stderr"
      ++bad
    }
    END {
      printf "kernel_resources: %d of %d hot instances have a stack or spill\n", bad, hot
      exit bad > 0 || hot == 0
    }' && check_names && check_loops
}

# Whether the limited kernels exist under their names, if their source was assembled for 9.0.
check_names() {
  local kernel status=0
  awk -F '\t' -v source="$limited_source" '$1 == "sm_90" && $2 == source { found = 1 } END { exit !found }' \
    "$work/all" || return 0
  while IFS=';' read -r kernel _; do
    [[ -n $(registers_of "$kernel") ]] && continue
    echo "kernel_resources: $limited_source has no kernel $kernel, whose loop has limits: if it was renamed," \
      "rename it in limited_kernels too" >&2
    status=1
  done < <(limited_kernels)
  return $status
}

# The registers of a kernel for 9.0; nothing if no source has it.
registers_of() { awk -F '\t' -v kernel="$1" '$9 == kernel && $1 == "sm_90" { print $3 }' "$work/all"; }

# The loops of the limited kernels, if one of the sources has them.
check_loops() {
  local loops=("$work"/*.loops) kernel instructions status=0
  if [[ ! -f ${loops[0]} ]]; then
    [[ -n $disassembler ]] || echo "kernel_resources: the loop of propagate is not checked, as there is no nvdisasm"
    return 0
  fi
  cat "${loops[@]}" | c++filt | sed 's/(anonymous namespace):://g; s/tern::cuda:://g' >"$work/turns"
  while IFS=';' read -r kernel instructions; do
    check_loop "$kernel" "$instructions" || status=1
  done < <(limited_kernels)
  return $status
}

# The loop of a kernel, and its most instructions; a source that need not have the kernel passes without it.
check_loop() {
  local kernel=$1 registers
  registers=$(registers_of "$kernel")
  [[ -n $registers ]] || return 0
  awk -F '\t' -v kernel="$kernel" -v registers="$registers" -v most_instructions="$2" \
    -v most_registers="$most_registers" -v loads="$loads_of_turn" -v within="$most_instructions_of_loads" '
    index($5, kernel) {
      ++found
      printf "%s (%s, sm_90): a turn has %d instructions, %d loads within %d, %d registers\n", \
             kernel, $1, $2, $3, $4, registers
      if ($2 > most_instructions || $3 != loads || $4 > within || registers > most_registers) {
        printf "expected at most %d instructions, %d loads within %d, %d registers\n", most_instructions, \
               loads, within, most_registers > "/dev/stderr"
        bad = 1
      }
    }
    END {
      if (!found) print kernel ": no loop that loads 16 bytes" > "/dev/stderr"
      exit bad || !found
    }' "$work/turns"
}

main() {
  local report=print_table architectures='' jobs sources=() all=0 source architecture
  build=build/release
  jobs=$(nproc)
  while (($#)); do
    case $1 in
      --build) build=$(from_caller "${2:?--build needs a directory}") && shift ;;
      --arch) architectures=${2:?--arch needs numbers} && shift ;;
      --jobs) jobs=${2:?--jobs needs a number} && shift ;;
      --json) report=print_json ;;
      --check) report=check ;;
      -h | --help) usage && exit 0 ;;
      -*) usage >&2 && exit 2 ;;
      *) sources+=("$(from_caller "$1")") ;;
    esac
    shift
  done
  [[ -f $build/compile_commands.json ]] || fail "$build is not configured: cmake --preset release"
  if ((${#sources[@]} == 0)); then
    all=1
    sources=(cuda/ops/*.cu)
  fi
  if ((all)) && [[ $report == check && ! -f $limited_source ]]; then
    fail "no file $limited_source, whose kernels have limits: if it was renamed, rename it in limited_source too"
  fi
  for source in "${sources[@]}"; do [[ -f $source ]] || fail "no file $source"; done
  if [[ -z $architectures ]]; then
    architectures=$(build_command "${sources[0]}" | architectures | paste -sd ,) ||
      fail "$build names no architecture: choose one with --arch"
    if [[ $report == check ]]; then
      architectures=$( (tr , '\n' <<<"$architectures" && distributed_architectures) | sort -Vu | paste -sd ,)
    fi
  fi

  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  # A checksum of all headers and of the compiler's version: all sources are assembled again if it changes.
  headers=$(find cuda include host/backend -name '*.hpp' -o -name '*.cuh' | sort | xargs sha256sum | sha256sum &&
    { nvcc --version || /usr/local/cuda/bin/nvcc --version || true; } 2>/dev/null | tail -n 1)
  disassembler=$(find_disassembler)
  export build work headers disassembler looped_kernel
  for source in "${sources[@]}"; do
    for architecture in ${architectures//,/ }; do
      printf '%s\0' "$architecture" "$source"
    done
  done | xargs -0 -n 2 -P "$jobs" bash -c 'assemble "$@"' _ || fail "a source could not be assembled"
  cat "$work"/*.lines | c++filt | classify >"$work/all"
  [[ -s $work/all ]] || fail "no kernels in ${sources[*]}"
  "$report" <"$work/all"
}

main "$@"
