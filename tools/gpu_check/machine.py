"""Describes the machine: its GPU, CUDA's libraries, headers and tools, by name."""

import glob
import os
import pathlib
import platform
import re
import shutil

from runner import OutOfTime, StageFailure

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
# One header of each library that a build needs, of CUDA and of the others.
CUDA_HEADERS = ("cuda_runtime.h", "cublas_v2.h", "cublasLt.h", "cusparse.h", "nvtx3/nvToolsExt.h",
                "cub/cub.cuh", "thrust/version.h")
HEADERS = ("hwy/highway.h", "cblas.h", "CLI/CLI.hpp", "toml++/toml.h", "fmt/format.h",
           "nlohmann/json.hpp", "fast_float/fast_float.h", "zlib.h", "zstd.h", "gtest/gtest.h",
           "gmock/gmock.h", "benchmark/benchmark.h", "eigen3/Eigen/Sparse")
# The driver's library, then those that the carried programs load (the last two: only tern-bench).
LIBRARIES = ("libcuda.so.1", "libcublas.so.13", "libcublasLt.so.13", "libcusparse.so.12",
             "libnvJitLink.so.13")
TOOLS = ("nvcc", "ncu", "compute-sanitizer", "cuobjdump", "cmake", "ninja", "c++")
OBSERVED = ("clocks.sm", "clocks.mem", "temperature.gpu", "power.draw", "utilization.gpu")


def output_of(run, *words):
    """Standard output of a command; None if it fails. Raises OutOfTime at the deadline of the run."""
    try:
        return run.command(words).strip()
    except OutOfTime:
        raise
    except (OSError, StageFailure):
        return None


# --- The GPU --------------------------------------------------------------------------------------

def query_gpu(run, *fields):
    """Values of nvidia-smi for the first GPU, as text by field; {} if there is none."""
    text = output_of(run, "nvidia-smi", f"--query-gpu={','.join(fields)}",
                     "--format=csv,noheader,nounits")
    lines = (text or "").splitlines()
    values = [value.strip() for value in lines[0].split(",")] if lines else []
    return dict(zip(fields, values)) if len(values) == len(fields) else {}


def observe_gpu(run):
    """Current clocks (MHz), temperature (degrees), power (W) and use (%), from nvidia-smi."""
    values = {}
    for field, text in query_gpu(run, *OBSERVED).items():
        try:
            values[field] = float(text)
        except ValueError:
            values[field] = None  # not supported by this GPU
    return values


# --- CUDA's tools, libraries and headers ----------------------------------------------------------

def toolkits():
    """Folders of CUDA toolkits: that of nvcc on PATH first."""
    nvcc = shutil.which("nvcc")
    folders = [pathlib.Path(nvcc).resolve().parent.parent] if nvcc else []
    folders += [pathlib.Path(name).resolve() for name in ("/usr/local/cuda", "/opt/cuda")]
    folders += [pathlib.Path(name) for name in sorted(glob.glob("/usr/local/cuda-*"), reverse=True)]
    return [folder for folder in dict.fromkeys(folders) if folder.is_dir()]


def find_tool(name):
    """A program of the CUDA toolkit: on PATH, in a toolkit's folder, or with Nsight Compute."""
    found = shutil.which(name)
    if found:
        return found
    places = [place for folder in toolkits()
              for place in (folder / "bin" / name, folder / "compute-sanitizer" / name)]
    places += map(pathlib.Path, sorted(glob.glob(f"/opt/nvidia/nsight-compute/*/{name}"), reverse=True))
    return next((str(place) for place in places if os.access(place, os.X_OK)), None)


def site_folders(run, python):
    """Folders of Python packages, of that Python and of the usual places."""
    text = output_of(run, python, "-c", "import sys; print(*sys.path, sep='\\n')") or ""
    usual = ("/opt/*/.venv/lib/python3*/site-packages", "/usr/local/lib/python3*/*-packages",
             "/usr/lib/python3/dist-packages", "/opt/venv/lib/python3*/site-packages")
    folders = [*filter(None, text.splitlines()), *(found for name in usual for found in sorted(glob.glob(name)))]
    return [pathlib.Path(folder) for folder in dict.fromkeys(folders) if os.path.isdir(folder)]


def library_folders(run, python):
    """Folders that hold CUDA's libraries: those of toolkits, then those of Python's wheels."""
    folders = [folder / name for folder in toolkits()
               for name in ("lib64", "targets/x86_64-linux/lib", "lib")]
    for site in site_folders(run, python):
        folders += sorted((site / "nvidia").glob("*/lib"))
    return [folder for folder in dict.fromkeys(map(pathlib.Path.resolve, folders))
            if any(folder.glob("libcu*.so*")) or any(folder.glob("libnvJitLink.so*"))]


def system_libraries(run):
    """The path of each library that the loader finds by itself."""
    text = output_of(run, shutil.which("ldconfig") or "/sbin/ldconfig", "-p") or ""
    return dict(re.findall(r"^\s*(\S+) \([^)]*x86-64[^)]*\) => (\S+)$", text, re.MULTILINE))


def find_libraries(run, folders, carried=()):
    """Where each of LIBRARIES is, or None: in the given folders, or where the loader looks itself."""
    system = system_libraries(run)
    usual = [pathlib.Path("/usr/local/nvidia/lib64"), pathlib.Path("/usr/lib/x86_64-linux-gnu")]
    found = {}
    for name in LIBRARIES:
        places = [folder / name for folder in (*carried, *folders, *usual)]
        here = next((str(place) for place in places if place.exists()), None)
        found[name] = here or system.get(name)
    return found


def find_headers():
    """Where CUDA's headers are, and which headers of CUDA and of the other libraries are missing."""
    cuda = [folder / name for folder in toolkits() for name in ("include", "include/cccl")]
    usual = [pathlib.Path("/usr/include"), pathlib.Path("/usr/local/include"),
             pathlib.Path("/usr/include/x86_64-linux-gnu"),
             pathlib.Path("/usr/include/x86_64-linux-gnu/openblas-pthread"),
             pathlib.Path("/usr/include/openblas"), ROOT / ".dependencies" / "include"]

    def missing(headers, places):
        return [header for header in headers if not any((place / header).exists() for place in places)]

    return {"cuda": next((str(place) for place in cuda if (place / CUDA_HEADERS[0]).exists()), None),
            "missing": missing(CUDA_HEADERS, cuda + usual) + missing(HEADERS, usual)}


def torch_version(run, python):
    """The version of a Python's PyTorch, without the seconds that importing it takes; or None."""
    return output_of(run, python, "-c", "import importlib.metadata as m; print(m.version('torch'))")


# --- The machine ----------------------------------------------------------------------------------

def processor():
    try:
        text = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor()
    found = re.search(r"^model name\s*:\s*(.*)$", text, re.MULTILINE)
    return found.group(1) if found else platform.processor()


def system_name():
    try:
        text = pathlib.Path("/etc/os-release").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.system()
    found = re.search(r'^PRETTY_NAME="?([^"\n]*)', text, re.MULTILINE)
    return found.group(1) if found else platform.system()


def describe(run, device):
    """The machine, into the figures of a run: no host name and no user."""
    run.figures.update(
        device="cpu", processor=processor(), processors=os.cpu_count(),
        system=f"{system_name()}, kernel {platform.release()}, {platform.machine()}",
        glibc=platform.libc_ver()[1])
    if device == "cuda":
        run.figures["device"] = "unknown GPU"
        run.save()
        gpu = query_gpu(run, "name", "driver_version", "compute_cap", "memory.total", "clocks.max.sm",
                        "clocks.max.mem", "power.limit")
        run.figures.update(device=gpu.get("name", "unknown GPU"), gpu=gpu)
    run.save()


def inventory(run, python, carried=()):
    """Everything that the check can use here, by name: where it is, or None."""
    folders = library_folders(run, python)
    nvcc = find_tool("nvcc")
    release = re.search(r"V([0-9.]+)", output_of(run, nvcc, "--version") or "") if nvcc else None
    return {"libraries": find_libraries(run, folders, carried),
            "library_folders": [str(folder) for folder in folders],
            "tools": {name: find_tool(name) for name in TOOLS},
            "nvcc_release": release.group(1) if release else None,
            "compiler": (output_of(run, "c++", "--version") or "").split("\n")[0] or None,
            "headers": find_headers(), "torch": torch_version(run, python)}
