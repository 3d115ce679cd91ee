#!/usr/bin/env bash
# Gathers the libraries that the build needs into one folder that can be copied to another machine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly kLimitMegabytes=50
# Packages whose headers are all copied; of Boost and Eigen only the included ones are, found by the
# compiler.
readonly kHeaderPackages=(
  libcli11-dev libtomlplusplus-dev nlohmann-json3-dev libfast-float-dev zlib1g-dev libzstd-dev
  libgtest-dev libgmock-dev libopenblas-pthread-dev
)
# Libraries of the tests: Debian's archives, made for programs, are good enough.
readonly kTestArchives=(libgtest.a libgtest_main.a libgmock.a libgmock_main.a libboost_context.a)
# Libraries that are compiled here: Debian's archives cannot be linked into a shared library, such as
# the CUDA backend.
readonly kSourcePackages=(highway benchmark fmtlib zlib libzstd)
readonly kMultiarch=x86_64-linux-gnu
# The newest interfaces that an archive may require: those of Ubuntu 22.04.
readonly kNewest=(GLIBC_2.35 GLIBCXX_3.4.30)

usage() {
  cat <<'TEXT'
usage: tools/stage_dependencies.sh [--to DIR] [--again]

Gathers the headers and static libraries that Tern needs into one folder of less than 50 MB (default:
.dependencies, which git ignores and CMake finds by itself). With this folder, the whole project can be
built and tested on an x86-64 Linux machine that has a C++ compiler, CMake, make or Ninja, and optionally
a CUDA toolkit, without network and without any of the libraries installed.

Run it on Debian 12 after `tools/setup.sh --tests`, with network: a few libraries are compiled from
Debian's sources, since its archives cannot be linked into shared libraries.

  --to DIR   another folder; the build finds it with -DTERN_DEPENDENCIES=DIR
  --again    gather again even if the folder is complete
TEXT
}

fail() {
  echo "stage_dependencies: $*" >&2
  exit 1
}

# --- Headers --------------------------------------------------------------------------------------

# Copies the headers of a package to include/, whatever system folder they are in.
copy_headers() {
  local package=$1 header target
  dpkg-query --show "$package" >/dev/null 2>&1 ||
    fail "the package $package is missing; tools/setup.sh --tests installs it"
  while read -r header; do
    [[ -f $header ]] || continue
    target=${header#/usr/include/}
    target=${target#"$kMultiarch"/}
    install -D -m 644 "$header" "$staged/include/${target#openblas-pthread/}"
  done < <(dpkg-query --listfiles "$package" | grep '^/usr/include/')
}

# Copies the headers below a system folder that the given lines of C++ include.
copy_included() {
  local folder=$1 lines=$2 header
  g++ -std=c++20 -M -x c++ - -I /usr/include/eigen3 <<<"$lines" |
    grep -o "/usr/include/$folder/[^ ]*" | sort -u |
    while read -r header; do
      install -D -m 644 "$header" "$staged/include/${header#/usr/include/}"
    done
}

stage_headers() {
  local package
  for package in "${kHeaderPackages[@]}"; do copy_headers "$package"; done
  copy_included boost '#include <boost/context/detail/fcontext.hpp>'
  cp -r /usr/include/boost/config "$staged/include/boost/"  # other compilers include others of these
  # The same for Eigen, whose code for other processors is not included here.
  copy_included eigen3 $'#include <Eigen/Dense>\n#include <Eigen/Sparse>'
  cp -r /usr/include/eigen3/Eigen/src/Core/arch/. "$staged/include/eigen3/Eigen/src/Core/arch/"
}

# --- Libraries ------------------------------------------------------------------------------------

# OpenBLAS without LAPACK, which is the largest part and needs the Fortran run-time library: all
# functions of its C interface with their dependencies, as one object, with kernels for all processors.
stage_openblas() {
  local archive=/usr/lib/$kMultiarch/openblas-pthread/libopenblas.a keep
  nm "$archive" 2>/dev/null | awk '$2 == "T" && $3 ~ /^(cblas|openblas)_/ { print "-u", $3 }' |
    sort -u >"$work/interface"
  [[ -s $work/interface ]] || fail "$archive has no C interface"
  mapfile -t keep < <(tr ' ' '\n' <"$work/interface")
  ld -r -o "$work/openblas.o" "${keep[@]}" "$archive"
  strip --strip-debug "$work/openblas.o"
  ar rcs "$staged/lib/libopenblas.a" "$work/openblas.o"
}

# Downloads the sources of one package: of its newest version, or of an older one if a mirror lists a
# version whose files it lacks. Uses the options `apt` of fetch_sources.
fetch_source() {
  local package=$1 version
  while read -r version; do
    rm -f "$work/${package}_"*  # an incomplete newer version
    (cd "$work" && apt-get "${apt[@]}" source --download-only "$package=$version" >/dev/null </dev/null) && return
  done < <(apt-cache "${apt[@]}" showsrc --only-source "$package" | sed -n 's/^Version: //p' | sort -Vru)
  return 1
}

# Downloads the sources of Debian packages, even if the system's list of sources lacks them.
fetch_sources() {
  local apt=(-o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::State::Lists=$work/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
    -o APT::Sandbox::User= --quiet=2)
  mkdir -p "$work/lists/partial"
  # shellcheck disable=SC2016  # apt expands these
  apt-get indextargets --format 'deb-src $(SITE) $(RELEASE) $(COMPONENT) of $(ORIGIN)' \
    'Created-By: Packages' | sed -n 's/ of Debian$//p' | sort -u >"$work/sources.list"
  [[ -s $work/sources.list ]] || fail "apt knows no Debian sources: is this Debian 12?"
  apt-get "${apt[@]}" update </dev/null || fail "apt-get could not read Debian's lists of sources"
  local package archive
  for package; do
    fetch_source "$package" || fail "apt-get could not download the sources of $package"
  done
  for archive in "$work"/*.orig.tar.*; do
    [[ $archive != *.asc ]] || continue
    tar -xf "$archive" --one-top-level="${archive%%_*}" --strip-components=1
  done
}

compile() {
  local compiler=(g++ -std=c++17)
  if [[ $3 == *.c ]]; then compiler=(gcc); fi
  "${compiler[@]}" -O2 -fPIC "-D$1" -I "$2" -c "$3" -o "$4"
}
export -f compile

# One static library from sources: NAME INCLUDE_FOLDER DEFINITION SOURCE...
compile_archive() {
  local name=$1 include=$2 definition=$3 source
  shift 3
  mkdir "$work/objects-$name"
  for source in "$@"; do
    printf '%s\0' "$source" "$work/objects-$name/$(basename "${source%.*}").o"
  done | xargs -0 -n 2 -P "$(nproc)" bash -c 'compile "$@"' _ "$definition" "$include" ||
    fail "could not compile lib$name.a"
  ar rcs "$staged/lib/lib$name.a" "$work/objects-$name"/*.o
}

stage_compiled() {
  fetch_sources "${kSourcePackages[@]}"
  local hwy=$work/highway benchmark=$work/benchmark fmt=$work/fmtlib sources
  compile_archive hwy "$hwy" NDEBUG "$hwy"/hwy/{aligned_allocator,per_target,print,targets}.cc
  mapfile -t sources < <(find "$benchmark/src" -name '*.cc' ! -name benchmark_main.cc)
  compile_archive benchmark "$benchmark/include" HAVE_STEADY_CLOCK "${sources[@]}"
  compile_archive fmt "$fmt/include" NDEBUG "$fmt"/src/{format,os}.cc
  compile_archive z "$work/zlib" HAVE_UNISTD_H "$work/zlib"/*.c
  compile_archive zstd "$work/libzstd/lib" ZSTD_DISABLE_ASM "$work"/libzstd/lib/{common,compress,decompress}/*.c
  cp -r "$benchmark/include/benchmark" "$fmt/include/fmt" "$staged/include/"
  (cd "$hwy" && find hwy \( -name '*.h' -o -name '*.hpp' \) ! -path '*/tests/*' ! -path '*/examples/*' \
    -exec install -D -m 644 '{}' "$staged/include/{}" \;)
}

stage_libraries() {
  local archive
  for archive in "${kTestArchives[@]}"; do
    install -m 644 "/usr/lib/$kMultiarch/$archive" "$staged/lib/" ||
      fail "$archive is missing; tools/setup.sh --tests installs it"
    strip --strip-debug "$staged/lib/$archive"
  done
  stage_openblas
  stage_compiled
}

# Links a whole archive as the build does (into a shared library such as the CUDA backend, or into a
# program), and checks the interfaces that it requires: other systems may be older than this one.
check_archive() {
  local archive=$1 mode=(-shared) newest required
  if [[ " ${kTestArchives[*]} " == *" ${archive##*/} "* ]]; then
    mode=(-pie "-Wl,--unresolved-symbols=ignore-all" "-Wl,--allow-multiple-definition" "$work/main.cpp")
  fi
  echo 'int main() {}' >"$work/main.cpp"
  g++ "${mode[@]}" -o "$work/linked" -Wl,--whole-archive "$archive" -Wl,--no-whole-archive ||
    fail "$archive does not link with ${mode[0]}"
  for newest in "${kNewest[@]}"; do
    required=$(objdump -T "$work/linked" | sed -n "s/.*(\(${newest%_*}_[0-9.]*\)).*/\1/p" |
      sort -Vu | tail -n 1)
    [[ $(printf '%s\n' "$newest" "$required" | sort -V | tail -n 1) == "$newest" ]] ||
      fail "$archive needs $required, newer than $newest"
  done
}

# --- Files for CMake ------------------------------------------------------------------------------

# Writes a package with one target for each line of stdin: its name, its archive ("-": only headers),
# and further libraries to link.
write_package() {
  local package=$1 target archive links
  local file=$staged/lib/cmake/$package/${package}Config.cmake
  mkdir -p "$(dirname "$file")"
  cat >"$file" <<'TEXT'
# Written by tools/stage_dependencies.sh.
get_filename_component(staged_ "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
include(CMakeFindDependencyMacro)
find_dependency(Threads)
TEXT
  while read -r target archive links; do
    echo "if(NOT TARGET $target)"
    if [[ $archive == - ]]; then
      echo "  add_library($target INTERFACE IMPORTED)"
    else
      echo "  add_library($target STATIC IMPORTED)"
      echo "  set_target_properties($target PROPERTIES IMPORTED_LOCATION \${staged_}/lib/$archive)"
    fi
    echo "  target_include_directories($target INTERFACE \${staged_}/include)"
    if [[ $package == Eigen3 ]]; then
      echo "  target_include_directories($target INTERFACE \${staged_}/include/eigen3)"
    fi
    if [[ -n $links ]]; then echo "  target_link_libraries($target INTERFACE $links)"; fi
    echo "endif()"
  done >>"$file"
}

stage_cmake() {
  # The target has the name of Debian's shared library, but here it is an archive.
  write_package zstd <<<'zstd::libzstd_shared libzstd.a'
  write_package hwy <<<'hwy::hwy libhwy.a'
  write_package fmt <<<'fmt::fmt libfmt.a'
  write_package GTest <<'TEXT'
GTest::gtest libgtest.a Threads::Threads
GTest::gtest_main libgtest_main.a GTest::gtest
GTest::gmock libgmock.a GTest::gtest
GTest::gmock_main libgmock_main.a GTest::gmock
TEXT
  write_package FastFloat <<<'FastFloat::fast_float -'
  write_package nlohmann_json <<<'nlohmann_json::nlohmann_json -'
  write_package tomlplusplus <<<'tomlplusplus::tomlplusplus -'
  write_package CLI11 <<<'CLI11::CLI11 -'
  write_package Eigen3 <<<'Eigen3::Eigen -'
}

# Copies the licences; written last, they mark a complete folder.
stage_licences() {
  local package
  mkdir -p "$staged/licences"
  for package in "${kHeaderPackages[@]}" libhwy-dev libfmt-dev libeigen3-dev \
    libboost-context1.74-dev; do
    gzip -9c "/usr/share/doc/$package/copyright" >"$staged/licences/$package.gz"
  done
}

main() {
  local folder=.dependencies again=no archive megabytes
  while (($#)); do
    case $1 in
      --to) folder=$(cd "$OLDPWD" && realpath -m -- "${2:?--to needs a folder}") && shift ;;
      --again) again=yes ;;
      -h | --help) usage && exit 0 ;;
      *) usage >&2 && exit 2 ;;
    esac
    shift
  done
  if [[ $again == no && -d $folder/licences ]]; then
    echo "stage_dependencies: $folder is complete already (--again gathers it again)"
    return
  fi
  if [[ -e $folder && ! -d $folder/licences && -n $(ls -A "$folder") ]]; then
    fail "$folder exists and was not made by this script: choose another one"
  fi
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    fail "this machine has no apt: gather on Debian 12 and copy the folder"
  fi

  # Made beside the folder and renamed, so that an interrupted run leaves no incomplete folder.
  folder=$(realpath -m -- "$folder")
  mkdir -p "$(dirname "$folder")"
  work=$(mktemp -d "$(dirname "$folder")/.staging.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  staged=$work/staged
  mkdir -p "$staged/include" "$staged/lib"
  stage_headers
  stage_libraries
  for archive in "$staged"/lib/*.a; do check_archive "$archive"; done
  stage_cmake
  stage_licences
  megabytes=$(($(du -s --block-size=1000000 "$staged" | cut -f 1)))
  ((megabytes < kLimitMegabytes)) || fail "$megabytes MB: more than the limit of $kLimitMegabytes MB"
  if [[ -e $folder ]]; then mv -T "$folder" "$work/old"; fi
  mv -T "$staged" "$folder"
  echo "stage_dependencies: $folder holds $(find "$folder" -name '*.a' | wc -l) libraries and" \
    "$(find "$folder/include" -type f | wc -l) headers, $megabytes MB"
}

main "$@"
