"""Runs the two programs that the benchmarks compare, each in a process of its own."""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TERN = HERE.parent.parent / "build" / "release" / "bin" / "tern"


def program(text):
    """A path, or a name to be looked up in PATH."""
    found = shutil.which(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text} is no program")
    return found


def add_options(parser):
    parser.add_argument("data", type=pathlib.Path, help="directory with train.txt and test.txt")
    parser.add_argument("--tern", type=program, default=TERN, help="the program to measure")
    parser.add_argument("--torch-python", default="/usr/bin/python3", metavar="PYTHON",
                        help="a Python with torch and numpy (Debian: python3-torch, python3-numpy)")
    parser.add_argument("--threads", type=int, default=2)


def run(command):
    """The standard output of a command that must succeed; its standard error passes through."""
    command = [str(word) for word in command]
    try:
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"{pathlib.Path(sys.argv[0]).name}: {error}")


def run_torch(args, *options, script="lightgcn_torch.py"):
    """The JSON objects that a yardstick printed."""
    command = [args.torch_python, "-B", HERE / script, args.data, "--threads", args.threads]
    return [json.loads(line) for line in run([*command, *options]).splitlines()]


def run_tern(args, epochs, seed=0, evaluate_every=0, model="lightgcn", recipe=None):
    """The epochs of a job without a validation split: objects of metrics.jsonl. A recipe overrides
    the settings of LightGCN-PyTorch, and the model."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "run"
        settings = {
            "data.valid_fraction": 0,
            "train.batch_size": 2048,
            "train.evaluate_every": evaluate_every,
            "train.patience": 0,
            "train.select_on": "test",
        }
        command = [args.tern, "train", args.data, "--device", "cpu", "--threads", args.threads,
                   "--epochs", epochs, "--seed", seed, "--quiet", "--out", out]
        if recipe:
            command += ["--recipe", recipe]
        else:
            command += ["--model", model]
            settings["sampling.positives"] = "user"
        for key, value in settings.items():
            command += ["--set", f"{key}={value}"]
        run(command)
        with open(out / "metrics.jsonl", encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]
