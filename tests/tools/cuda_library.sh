#!/usr/bin/env bash
# How the program finds the CUDA library and the libraries that it needs, with stand-ins for them, and, if
# the build has one, the real one as installed: cuda_library.sh BUILD_DIRECTORY
set -euo pipefail

build=${1:?usage: cuda_library.sh BUILD_DIRECTORY}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset LD_LIBRARY_PATH TERN_CUDA_LIBRARY VIRTUAL_ENV CONDA_PREFIX CUDA_HOME CUDA_PATH

fail() {
  echo "FAILED: $*" >&2
  exit 1
}
# The line of tern info about CUDA.
status() { "$work/bin/tern" info | sed -n 's/^cuda  *//p'; }

mkdir -p "$work/bin" "$work/lib" "$work/lib/python3.11/site-packages/nvidia/needed/lib" "$work/env/lib/python3.9/site-packages/nvidia/needed/lib"
cp "$build/bin/tern" "$work/bin/tern"

# A library that says that it was loaded, and needs two others, one through the other.
cc -x c -shared -fPIC -o "$work/libdeep.so.1" -Wl,-soname,libdeep.so.1 - <<<'int deep(void) { return 1; }'
cc -x c -shared -fPIC -o "$work/libneeded.so.1" -Wl,-soname,libneeded.so.1 - -L"$work" -l:libdeep.so.1 \
  <<<'int deep(void); int needed(void) { return deep(); }'
cc -x c -shared -fPIC -o "$work/plugin.so" - -L"$work" -l:libneeded.so.1 -Wl,-rpath-link,"$work" <<'TEXT'
int needed(void);
int use(void) { return needed(); }
TEXT
loaded="$work/plugin.so is not a plugin of Tern"

export TERN_CUDA_LIBRARY=$work/plugin.so
[[ $(status) == *'libneeded.so.1: cannot open shared object file'* ]] || fail "before: $(status)"
# In the wheels of the prefix that the program is installed in, and in those of an environment.
cp "$work/libneeded.so.1" "$work/lib/python3.11/site-packages/nvidia/needed/lib/"
[[ $(status) == *'libdeep.so.1: cannot open shared object file'* ]] || fail "one of two: $(status)"
cp "$work/libdeep.so.1" "$work/env/lib/python3.9/site-packages/nvidia/needed/lib/"
[[ $(VIRTUAL_ENV=$work/env status) == *"$loaded"* ]] || fail "in wheels: $(VIRTUAL_ENV=$work/env status)"
mkdir "$work/env/bin" && touch "$work/env/bin/python3"
[[ $(PATH=$work/env/bin:$PATH status) == *"$loaded"* ]] || fail "in the environment of python3 on PATH"
mkdir -p "$work/toolkit/lib64" && cp "$work/libdeep.so.1" "$work/toolkit/lib64/"
[[ $(CUDA_HOME=$work/toolkit status) == *"$loaded"* ]] || fail 'in a toolkit'
unset TERN_CUDA_LIBRARY

# Beside the program it is loaded only on a machine with a driver, as it brings cuBLAS with it.
cp "$build/lib/libtern_fake_plugin.so" "$work/lib/libtern_cuda.so"
usable='CUDA is usable: 2 devices'
if PATH=$PATH:/usr/sbin ldconfig -p | grep 'libcuda\.so\.1 ' >/dev/null; then
  [[ $(status) == "$usable" ]] || fail "with a driver: $(status)"
else
  [[ $(status) == 'CUDA is not usable: no driver for a GPU is installed (libcuda.so.1)' ]] ||
    fail "without a driver: $(status)"
  mkdir "$work/driver"
  cc -x c -shared -o "$work/driver/libcuda.so.1" - </dev/null
  [[ $(LD_LIBRARY_PATH=$work/driver status) == "$usable" ]] ||
    fail "with a driver: $(LD_LIBRARY_PATH=$work/driver status)"
fi

# The real one, installed, finds cuBLAS by itself.
if [[ -f $build/lib/libtern_cuda.so ]]; then
  cmake --install "$build" --prefix "$work/installed" >/dev/null
  library=$(find "$work/installed" -name libtern_cuda.so)
  # By its own path, as the system's may know the toolkit too.
  path=$(readelf -d "$library" | sed -n 's/.*R[UN]*PATH.*\[\(.*\)\]/\1/p')
  # shellcheck disable=SC2016
  [[ $path == '$ORIGIN:/'* ]] || fail "$library has the path '$path'"
  [[ -n $(compgen -G "${path#*:}/libcublas.so.*") ]] || fail "no cuBLAS in ${path#*:}"
  missing=$(ldd "$library" | grep 'not found') && fail "$library lacks $missing"
  found=$(TERN_CUDA_LIBRARY=$library "$work/installed/bin/tern" info | sed -n 's/^cuda  *//p')
  [[ $found == 'CUDA is usable'* || $found == 'CUDA is not usable: CUDA: '* ]] || fail "installed: $found"
fi
