"""Describes the machine, and finds missing tools."""

import os
import pathlib
import platform
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
# One header of each library that the build needs.
HEADERS = ("hwy/highway.h", "cblas.h", "CLI/CLI.hpp", "toml++/toml.h", "fmt/format.h",
           "nlohmann/json.hpp", "fast_float/fast_float.h", "zlib.h", "zstd.h", "gtest/gtest.h",
           "gmock/gmock.h", "benchmark/benchmark.h", "boost/context/detail/fcontext.hpp",
           "eigen3/Eigen/Sparse")
OBSERVED = ("clocks.sm", "clocks.mem", "temperature.gpu", "power.draw", "utilization.gpu")


def output_of(*words):
    """Standard output of a command; None if it fails or takes more than a minute."""
    try:
        return subprocess.run(words, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, timeout=60, cwd=ROOT).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def find_tool(name):
    """A program of the CUDA toolkit: on PATH, beside nvcc, or in the toolkit's usual folder."""
    found = shutil.which(name)
    if found:
        return found
    nvcc = shutil.which("nvcc")
    folders = [pathlib.Path(nvcc).resolve().parent] if nvcc else []
    for folder in [*folders, pathlib.Path("/usr/local/cuda/bin")]:
        for path in (folder / name, folder.parent / "compute-sanitizer" / name):
            if os.access(path, os.X_OK):
                return str(path)
    return None


def query_gpu(*fields):
    """Values of nvidia-smi for the first GPU, as text by field; {} if there is none."""
    text = output_of("nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits")
    lines = (text or "").splitlines()
    values = [value.strip() for value in lines[0].split(",")] if lines else []
    return dict(zip(fields, values)) if len(values) == len(fields) else {}


def observe_gpu():
    """Current clocks (MHz), temperature (degrees), power (W) and use (%), from nvidia-smi."""
    values = {}
    for field, text in query_gpu(*OBSERVED).items():
        try:
            values[field] = float(text)
        except ValueError:
            values[field] = None  # not supported by this GPU
    return values


def processor():
    try:
        text = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor()
    found = re.search(r"^model name\s*:\s*(.*)$", text, re.MULTILINE)
    return found.group(1) if found else platform.processor()


def describe(device, commit):
    """The machine and the sources, for the result file."""
    nvcc = find_tool("nvcc")
    release = re.search(r"V([0-9.]+)", output_of(nvcc, "--version") or "") if nvcc else None
    status = output_of("git", "status", "--porcelain", "--untracked-files=no")
    facts = {
        "commit": commit or output_of("git", "rev-parse", "--short=10", "HEAD") or "unknown",
        "changed": None if commit or status is None else bool(status),
        "device": "cpu", "processor": processor(), "processors": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "compiler": (output_of("c++", "--version") or "").split("\n")[0],
        "nvcc": release.group(1) if release else None,
    }
    if device == "cuda":
        gpu = query_gpu("name", "driver_version", "compute_cap", "memory.total", "clocks.max.sm",
                        "clocks.max.mem", "power.limit")
        facts.update(device=gpu.get("name", "unknown GPU"), gpu=gpu)
    return facts


def slug(text):
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def missing_headers():
    """Those of HEADERS that the system lacks."""
    places = [pathlib.Path("/usr/include"), pathlib.Path("/usr/local/include"),
              pathlib.Path("/usr/include/x86_64-linux-gnu"),
              pathlib.Path("/usr/include/x86_64-linux-gnu/openblas-pthread"),
              pathlib.Path("/usr/include/openblas")]
    return [header for header in HEADERS if not any((place / header).exists() for place in places)]


def check_dependencies():
    """(found, the place of the libraries or what is missing)"""
    if (ROOT / ".dependencies" / "licences").is_dir():
        return True, "staged in .dependencies"
    missing = missing_headers()
    if not missing:
        return True, "installed on this system"
    return False, ("no .dependencies (tools/stage_dependencies.sh makes it, on a machine with network), "
                   f"and the system lacks {', '.join(missing)}")


def check_data(folder):
    if folder is None:
        return True, "none given; generated with the sizes of Gowalla"
    lacking = [name for name in ("train.txt", "test.txt") if not (folder / name).is_file()]
    return not lacking, str(folder) if not lacking else f"{folder} has no {' and no '.join(lacking)}"


def check_torch(python, device):
    """(found, version or reason) of PyTorch; for the device cuda, with a usable GPU."""
    code = ("import torch; ok = " + ("torch.cuda.is_available()" if device == "cuda" else "True") +
            "; print(torch.__version__ if ok else 'no GPU for torch ' + torch.__version__); "
            "raise SystemExit(not ok)")
    text = output_of(python, "-c", code)
    return text is not None, text or f"{python} has no usable torch"


def check_everything(args):
    """(name, required, found, text) of everything needed, in the order of its use."""
    def tool(name, path):
        return path is not None, path or f"no {name} on PATH"

    make = shutil.which("ninja") or shutil.which("make")
    checks = [
        ("cmake", True, *tool("cmake", shutil.which("cmake"))),
        ("make", True, *tool("ninja or make", make)),
        ("compiler", True, *tool("c++", shutil.which(os.environ.get("CXX", "c++")))),
        ("libraries", True, *check_dependencies()),
    ]
    if args.device == "cuda":
        gpu = query_gpu("name", "driver_version")
        nvcc, sanitizer = find_tool("nvcc"), find_tool("compute-sanitizer")
        checks += [
            ("nvcc", True, nvcc is not None, nvcc or "not on PATH, nor in /usr/local/cuda/bin"),
            ("GPU", True, bool(gpu), ", driver ".join(gpu.values()) or "nvidia-smi names none"),
            ("compute-sanitizer", True, sanitizer is not None,
             sanitizer or "not on PATH, nor beside nvcc"),
        ]
    checks.append(("data", True, *check_data(args.data)))
    checks.append(("torch", False, *check_torch(args.torch_python, args.device)))
    return checks
