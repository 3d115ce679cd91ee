"""Builds everything here, and gathers what travels to a machine with a GPU."""

import json
import lzma
import os
import pathlib
import re
import shutil
import subprocess
import tarfile
import tempfile

import carried
import op_tests
import training
from machine import ROOT
from runner import Run, StageFailure

LIMIT_MEGABYTES = 64
# The sizes of the Gowalla split, train and test together, and of the small data of a rehearsal.
SIZES = {"gowalla": (29858, 40981, 810128 + 217242), "small": (2000, 3000, 60000)}
# Libraries that a program finds on any machine (of the system), or that come with CUDA.
FOUND = re.compile(r"linux-vdso|ld-linux|lib(c|m|dl|rt|pthread|stdc\+\+|gcc_s)\.so|"
                   r"lib(cuda|cudart|cublas|cublasLt|cusparse|nvJitLink)\.so")
HOUR = 3600.0
# Each program holds a copy of OpenBLAS, 25 MB apart: a dictionary beyond that stores it once.
COMPRESSION = {"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 128 << 20}


def say(text):
    print(f"gpu_check: {text}", flush=True)


class Pack:
    def __init__(self, args, begin):
        self.args, self.build, self.to = args, args.build, args.to
        self.programs = args.build / "programs"
        self.log = args.build / "pack.log"
        self.run = Run(self.log, begin + HOUR)

    def command(self, *words, **options):
        return self.run.command(words, **options)

    def everything(self):
        self.build.mkdir(parents=True, exist_ok=True)
        self.log.write_bytes(b"")
        dependencies = self.args.dependencies or self.stage_dependencies()
        self.compile(dependencies)
        new = self.to.with_name(self.to.name + ".new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        self.copy_programs()
        self.archive(new, self.programs)
        self.archive(new, dependencies, "dependencies")
        facts = {"commit": self.commit(), "needs": needed_versions(self.binaries()),
                 "losses": {name: self.pack_data(new, name) for name in SIZES},
                 "test_seconds": self.time_tests()}
        (new / "carried.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        shutil.rmtree(self.to, ignore_errors=True)
        new.rename(self.to)
        return self.summary(facts)

    def commit(self):
        commit = self.command("git", "-C", ROOT, "rev-parse", "--short=10", "HEAD").strip()
        changed = self.command("git", "-C", ROOT, "status", "--porcelain", "--untracked-files=no").strip()
        return commit + ("-changed" if changed else "")

    # --- Programs ---------------------------------------------------------------------------------

    def stage_dependencies(self):
        say("gathering the libraries (.dependencies)")
        self.command(ROOT / "tools" / "stage_dependencies.sh")
        return ROOT / ".dependencies"

    def compile(self, dependencies):
        say(f"building in {self.build}, log in {self.log}")
        self.command("cmake", "-S", ROOT, "-B", self.build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                     "-DTERN_UNITY=ON", "-DTERN_EMULATOR=OFF", f"-DTERN_DEPENDENCIES={dependencies}",
                     f"-DTERN_CUDA={'OFF' if self.args.without_cuda else 'ON'}")
        targets = carried.TARGETS[:3] if self.args.without_cuda else carried.TARGETS
        self.command("cmake", "--build", self.build, "--parallel", self.args.jobs, "--target", *targets)

    def copy_programs(self):
        shutil.rmtree(self.programs, ignore_errors=True)
        for name in ("bin", "lib"):
            (self.programs / name).mkdir(parents=True)
        sources = [self.build / "bin" / name for name in carried.PROGRAMS]
        if not self.args.without_cuda:
            sources += [self.build / "lib" / name for name in carried.PLUGINS]
        for source in sources:
            copy = self.programs / source.parent.name / source.name
            self.command("strip", "--strip-unneeded", "-o", copy, source)
        for binary in self.binaries():
            for name, path in libraries_of(self.command("ldd", binary)):
                if not FOUND.match(name) and not (self.programs / "lib" / name).exists():
                    if path is None:
                        raise StageFailure(f"{binary.name} needs {name}, which is not here")
                    shutil.copy(path, self.programs / "lib" / name)

    def binaries(self):
        return sorted(path for name in ("bin", "lib") for path in (self.programs / name).iterdir())

    @staticmethod
    def archive(to, folder, name=None):
        name = name or folder.name
        say(f"compressing {name}")
        with lzma.open(to / f"{name}.tar.xz", "wb", filters=[COMPRESSION]) as file, \
                tarfile.open(fileobj=file, mode="w") as tar:
            for path in sorted(folder.iterdir()):
                tar.add(path, path.name, filter=without_owner)

    # --- Data, losses, tests ----------------------------------------------------------------------

    def pack_data(self, new, name):
        """Archives a data set, and returns the losses of its first epochs on this CPU."""
        tern = self.programs / "bin" / "tern"
        with tempfile.TemporaryDirectory(dir=self.build) as holder:
            data = pathlib.Path(holder, name)
            data.mkdir()
            if name == "gowalla" and self.args.data:
                for file in ("train.txt", "test.txt"):
                    shutil.copy(self.args.data / file, data / file)
            else:
                users, items, interactions = SIZES[name]
                self.command(tern, "generate", "--to", data, "--quiet", "--users", users, "--items", items,
                             "--interactions", interactions)
                hold_out(data)
            self.archive(new, data)
            losses = {}
            for title, recipe in training.RECIPES.items():
                say(f"training {training.LOSS_EPOCHS} epochs of {name} on the CPU, {title}")
                out = pathlib.Path(holder, "run")
                self.command(*training.train_words(tern, data, "cpu", out, training.LOSS_EPOCHS,
                                                   settings=recipe.settings))
                losses[title] = [epoch["loss"] for epoch in training.read_epochs(out)]
            return losses

    def time_tests(self):
        """Seconds of each op test on this CPU: short tests are sanitized first."""
        say("timing the op tests on the CPU")
        outcome = op_tests.Outcome()
        self.command(self.programs / "bin" / "tern_ops_tests", f"--gtest_filter={op_tests.backend_filter('cpu')}",
                     on_line=outcome.read)
        return {name.replace("cpu_2_threads", "{device}"): seconds
                for name, seconds in outcome.seconds.items()}

    # --- The table --------------------------------------------------------------------------------

    def summary(self, facts):
        """Prints what travels; False if it is too large."""
        files = sorted((path for path in self.to.rglob("*") if path.is_file()),
                       key=lambda path: -path.stat().st_size)
        total = sum(path.stat().st_size for path in files)
        tracked = self.command("git", "-C", ROOT, "ls-files", "-z").split("\0")
        sources = sum((ROOT / name).stat().st_size for name in tracked if name and (ROOT / name).is_file())
        print(f"{self.to}, commit {facts['commit']}:")
        for path in files:
            print(f"  {megabytes(path.stat().st_size)}  {path.relative_to(self.to)}")
        print(f"  {megabytes(total)}  in all\n  {megabytes(sources)}  the repository's files beside it")
        needs = ", ".join(f"{name} {version}" for name, version in facts["needs"].items())
        print(f"the programs need {needs}")
        if total + sources > LIMIT_MEGABYTES << 20:
            say(f"more than {LIMIT_MEGABYTES} MiB")
            return False
        return True


def megabytes(size):
    return f"{size / (1 << 20):8.2f} MiB"


def without_owner(member):
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    return member


def libraries_of(ldd):
    """(name, path or None) of each library in the output of ldd."""
    for name, path in re.findall(r"^\s*(\S+)(?: => (not found|\S+))?", ldd, re.MULTILINE):
        yield os.path.basename(name), None if path in ("", "not found") else path


def needed_versions(binaries):
    """The newest interface of the system's libraries that any of the binaries needs, by library."""
    newest = {}
    for binary in binaries:
        text = subprocess.run(["objdump", "-T", binary], check=True, stdout=subprocess.PIPE,
                              text=True).stdout
        for name, version in re.findall(r"\((GLIBC|GLIBCXX|CXXABI|GCC)_([0-9.]+)\)", text):
            key = tuple(map(int, version.split(".")))
            newest[name] = max(newest.get(name, key), key)
    return {name: ".".join(map(str, version)) for name, version in sorted(newest.items())}


def read_lists(path):
    """The items of each user of an adjacency list."""
    rows = {}
    with open(path, encoding="ascii") as lines:
        for line in lines:
            ids = list(map(int, line.split()))
            if ids:
                rows.setdefault(ids[0], []).extend(ids[1:])
    return rows


def hold_out(folder):
    """Moves every fifth item of each user of train.txt to test.txt."""
    rows = read_lists(folder / "train.txt")
    for name, keep in (("train.txt", lambda i: i % 5 != 4), ("test.txt", lambda i: i % 5 == 4)):
        with open(folder / name, "w", encoding="ascii") as file:
            for user, items in rows.items():
                print(user, *(item for i, item in enumerate(items) if keep(i)), file=file)
