#!/usr/bin/env python3
"""Trains by ranks on two hosts, which are network namespaces of this machine, and cuts one of them off.

    tests/distributed/two_hosts.py build/release/bin/tern [--delay MILLISECONDS] [--ranks N]

Each host has an address, a host name and a network device of its own. Between the devices (TUN) this program
passes packets on, each after the delay. Checked:
  1. the ranks on both hosts train, and to the bits of as many ranks on this machine without a delay;
  2. if one host is cut off in the middle, all ranks end with 1 within 10 seconds, rank 0 names a rank of
     the other host, and the run goes on from its last checkpoint.
Needs Linux with unprivileged user namespaces or root, /dev/net/tun, and the commands unshare and ip. Exits
with 0 if all holds, with 1 if something does not, with 2 if this machine cannot run it.
"""

import argparse
import collections
import fcntl
import os
import pathlib
import selectors
import struct
import subprocess
import sys
import tempfile
import threading
import time

HOSTS = ("hosta", "hostb")
ADDRESSES = ("10.77.0.1", "10.77.0.2")
INSIDE = "TERN_INSIDE_NAMESPACES"
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000


def run(*words):
    subprocess.run(words, check=True)


class Network:
    """Two network devices, and a thread that passes packets on between them, each after the delay."""

    def __init__(self, delay):
        self.delay = delay
        self.passes = True
        self.devices = []
        for host, address in zip(HOSTS, ADDRESSES):
            run("ip", "netns", "add", host)
            device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", host.encode(), IFF_TUN | IFF_NO_PI))
            self.devices.append(device)
            run("ip", "link", "set", host, "netns", host)
            run("ip", "-n", host, "address", "add", address + "/24", "dev", host)
            run("ip", "-n", host, "link", "set", "lo", "up")
            run("ip", "-n", host, "link", "set", host, "up")
        threading.Thread(target=self.pass_on, daemon=True).start()

    def pass_on(self):
        under_way = collections.deque()  # (time of arrival, device, packet), in the order of arrival
        selector = selectors.DefaultSelector()
        for device, other in zip(self.devices, reversed(self.devices)):
            selector.register(device, selectors.EVENT_READ, other)
        while True:
            wait = max(0.0, under_way[0][0] - time.monotonic()) if under_way else None
            for key, _ in selector.select(wait):
                under_way.append((time.monotonic() + self.delay, key.data, os.read(key.fd, 65536)))
            while under_way and under_way[0][0] <= time.monotonic():
                _, device, packet = under_way.popleft()
                if self.passes:
                    os.write(device, packet)


class Job:
    def __init__(self, program, directory, words, ranks, on_hosts):
        self.directory = directory
        self.processes = []
        for rank in range(ranks):
            host = HOSTS[rank * 2 // ranks]
            master = ADDRESSES[0] if on_hosts else "127.0.0.1"
            environment = dict(os.environ, TERN_RANK=str(rank), TERN_RANKS=str(ranks), TERN_MASTER=master + ":5077")
            command = [program, *words]
            if on_hosts:
                command = ["ip", "netns", "exec", host, "unshare", "--uts", "sh", "-c",
                           'hostname "$0" && cd "$1" && shift && exec "$@"', host, str(directory), *command]
            with open(self.log(rank), "w") as log:
                self.processes.append(subprocess.Popen(command, cwd=directory, env=environment, stderr=log,
                                                       stdout=subprocess.DEVNULL))

    def log(self, rank):
        return self.directory / f"rank{rank}.log"

    def text(self, rank):
        return self.log(rank).read_text()

    def wait_for_text(self, text):
        while text not in self.text(0):
            if self.processes[0].poll() is not None:
                raise RuntimeError("rank 0 has ended: " + self.text(0))
            time.sleep(0.05)

    def codes(self):
        return [process.wait(timeout=300) for process in self.processes]


def embeddings(directory, run_name):
    return (directory / run_name / "embeddings.safetensors").read_bytes()


def check(holds, what):
    print(("ok      " if holds else "FAILED  ") + what)
    return holds


def check_all(program, ranks, delay, directory):
    run(program, "generate", "--to", str(directory / "data"), "--users", "300", "--items", "200", "--interactions", "3000",
        "--quiet")
    words = ["train", "data", "--threads", "1", "--set", "model.width=64", "--set", "train.batch_size=512",
             "--set", "checkpoint.every_epochs=1", "--set", "train.patience=0"]
    network = Network(delay)
    holds = check(Job(program, directory, words + ["--out", "here", "--epochs", "4"], ranks, False).codes()
                  == [0] * ranks, f"{ranks} ranks on this machine train")
    begin = time.monotonic()
    job = Job(program, directory, words + ["--out", "apart", "--epochs", "4"], ranks, True)
    holds &= check(job.codes() == [0] * ranks, f"{ranks} ranks on two hosts with {1000 * delay:.0f} ms of delay train")
    print(f"        in {time.monotonic() - begin:.1f} s")
    holds &= check("on 2 hosts" in job.text(0), "rank 0 counts two hosts")
    holds &= check(embeddings(directory, "apart") == embeddings(directory, "here"), "both give the same bits")

    job = Job(program, directory, words + ["--out", "cut", "--epochs", "1000000"], ranks, True)
    job.wait_for_text("epoch       3/1000000")
    network.passes = False
    cut = time.monotonic()
    codes = job.codes()
    seconds = time.monotonic() - cut
    holds &= check(codes == [1] * ranks, f"after the cut, the ranks end with 1: found {codes}")
    holds &= check(seconds <= 10.0, f"within 10 s: {seconds:.1f} s")
    for rank in range(ranks):
        for line in job.text(rank).splitlines():
            if line.startswith("tern: "):
                print(f"        rank {rank} says: {line}")
    other = f"rank {(ranks + 1) // 2} on host {HOSTS[1]}"
    holds &= check(f"tern: {other} " in job.text(0) or "on host hostb has not answered" in job.text(0),
                   "rank 0 names a rank of the other host")
    epochs = sum(1 for _ in open(directory / "cut" / "metrics.jsonl"))
    done = subprocess.run([program, "train", "--resume", "cut", "--epochs", str(epochs + 2), "--quiet"], cwd=directory,
                          stdout=subprocess.DEVNULL)
    holds &= check(done.returncode == 0, "the run goes on from its last checkpoint")
    return holds


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program")
    parser.add_argument("--delay", type=float, default=20.0, help="of a packet, in milliseconds [20]")
    parser.add_argument("--ranks", type=int, default=2, help="half of them on each host [2]")
    options = parser.parse_args()
    if INSIDE not in os.environ:
        os.environ[INSIDE] = "1"
        os.execvp("unshare", ["unshare", "--user", "--map-root-user", "--net", "--mount", sys.executable, *sys.argv])
    try:
        run("mount", "-t", "tmpfs", "none", "/run")
        pathlib.Path("/run/netns").mkdir()
        run("ip", "link", "set", "lo", "up")
        os.close(os.open("/dev/net/tun", os.O_RDWR))
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"two_hosts: this machine cannot run it: {error}", file=sys.stderr)
        return 2
    program = str(pathlib.Path(options.program).resolve())
    with tempfile.TemporaryDirectory() as directory:
        holds = check_all(program, options.ranks, options.delay / 1000.0, pathlib.Path(directory))
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
