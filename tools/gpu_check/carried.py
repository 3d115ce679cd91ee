"""The programs of the check: carried from another machine if they start here, else built here."""

import json
import os
import shutil
import tarfile

import machine
from runner import StageFailure

# CMake's targets for the programs of the check, and for the libraries that they load for a GPU (the
# last two).
TARGETS = ("tern_program", "tern_bench", "tern_ops_tests", "tern_cuda", "tern_bench_cuda")
PROGRAMS = ("tern", "tern-bench", "tern_ops_tests")
PLUGINS = ("libtern_cuda.so", "libtern_bench_cuda.so")


class Carried:
    """The folder that `pack` made, unpacked below the work folder, and where CUDA's libraries are."""

    def __init__(self, folder, work, device, python):
        self.folder, self.work, self.device, self.python = folder, work, device, python
        self.programs = work / "programs" / "bin"
        self.unpacked = set()
        self.library_path = None
        try:
            self.facts = json.loads((folder / "carried.json").read_text(encoding="utf-8"))
        except OSError:
            self.facts = {}

    def environment(self, run):
        """Lets our programs find CUDA's libraries. Not for PyTorch, which has its own."""
        if self.library_path is None:
            folders = [self.work / "programs" / "lib", *machine.library_folders(run, self.python)]
            former = os.environ.get("LD_LIBRARY_PATH")
            self.library_path = os.pathsep.join([*map(str, folders), *([former] if former else [])])
        return {"LD_LIBRARY_PATH": self.library_path}

    def data(self, name):
        """The folder of a carried data set: "gowalla" or "small"."""
        return self.unpack(name)

    def unpack(self, name):
        """The folder of an archive, unpacked anew by each call of the check: it may be another one."""
        folder = self.work / name
        if name not in self.unpacked:
            unpack(self.folder / f"{name}.tar.xz", folder)
            self.unpacked.add(name)
        return folder

    # --- The stages -------------------------------------------------------------------------------

    def info(self, run):
        """What `tern info` finds, if the programs start and see the device."""
        text = run.command([self.programs / "tern", "info", "--json"], self.environment(run))
        info = json.loads(text)
        run.figures["info"] = info
        if self.device == "cuda" and len(info["devices"]) < 2:
            raise StageFailure(f"tern sees no GPU: {info['cuda']}")
        return info

    def start(self, run):
        """The stage `programs`: carried programs that start, and see the device."""
        if not self.facts:
            raise StageFailure(f"{self.folder} was not made by tools/gpu_check.sh pack")
        self.unpack("programs")
        run.figures.update(carried=True, commit=self.facts["commit"], needs=self.facts["needs"])
        self.info(run)

    def build(self, run, jobs, capability):
        """The stage `build`: builds the programs here, with the carried libraries, if the stage
        `programs` did not pass."""
        dependencies, build = self.unpack("dependencies"), self.work / "build"
        options = ["-DCMAKE_BUILD_TYPE=Release", "-DTERN_EMULATOR=OFF", f"-DTERN_DEPENDENCIES={dependencies}",
                   "-G", "Ninja" if shutil.which("ninja") else "Unix Makefiles"]
        targets = TARGETS
        if self.device == "cuda":
            options += ["-DTERN_CUDA=ON", f"-DCMAKE_CUDA_COMPILER={machine.find_tool('nvcc')}"]
            options += [f"-DCMAKE_CUDA_ARCHITECTURES={capability}"] if capability else []
        else:
            options, targets = [*options, "-DTERN_CUDA=OFF"], TARGETS[:3]
        begin = run.remaining()
        run.command(["cmake", "-S", machine.ROOT, "-B", build, *options])
        run.command(["cmake", "--build", build, "--parallel", jobs, "--target", *targets])
        self.programs = build / "bin"
        run.figures.update(carried=False, build_seconds=round(begin - run.remaining(), 1), jobs=jobs)
        self.info(run)


def unpack(archive, folder):
    """Unpacks beside the folder, then renames: an interrupted call leaves no incomplete folder."""
    new = folder.with_name(folder.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(new)
    except (OSError, tarfile.TarError, EOFError) as error:
        raise StageFailure(f"cannot unpack {archive}: {error}") from None
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)
