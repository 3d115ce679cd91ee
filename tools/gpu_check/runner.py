"""Runs stages one after the other, each within its time limit, and keeps the report and the log current."""

import ctypes
import dataclasses
import json
import os
import pathlib
import selectors
import signal
import subprocess
import time
from typing import Callable

COMMAND_LOG = 2 << 20  # bytes of output that one command may add to the log,
LOG = 12 << 20         # and all of them
END = 4                # seconds that the end of a command, and of a call, may take beyond their limit
OBSERVATION = 2        # seconds of what is recorded after a stage, within the limit of the call
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


class StageFailure(Exception):
    """A stage failed; the message is the reason."""


class OutOfTime(StageFailure):
    """A command did not end within the limit of its stage."""


class StageSkipped(Exception):
    """A stage has nothing to do on this machine; the message is the reason."""


@dataclasses.dataclass
class Stage:
    """name and text are for people; limit is in seconds; work(run) fills run.figures. A stage that
    takes the rest also uses the time that earlier stages left, but not that of later ones."""

    name: str
    limit: float
    text: str
    work: Callable[["Run"], None]
    needs: tuple = ()
    takes_rest: bool = False


class Run:
    """The time limit, the log and the figures of one stage, for its work."""

    def __init__(self, log, deadline, save=lambda: None, figures=None):
        self.log = log
        self.deadline = deadline
        self.figures = {} if figures is None else figures
        self.save = save  # writes the figures so far into the report

    def remaining(self):
        return self.deadline - time.monotonic()

    def command(self, words, environment=None, accept=(0,), on_line=None, stop_at=None):
        """Standard output of a command; all of its output goes to the log. on_line(line) is called for
        each line as it comes. Raises OutOfTime if the command does not end in time, and StageFailure
        if it does not end with an accepted status (None: any). With stop_at, in seconds before the
        limit, the command is first asked to end, by SIGTERM, and its status does not matter."""
        words = [str(word) for word in words]
        with open(self.log, "ab") as log:
            log.write(f"$ {' '.join(words)}\n".encode())
            log.flush()
            start = log.tell()
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, preexec_fn=own_group,
                                       env={**os.environ, **(environment or {})})
            reader = Reader(process, log, on_line)
            try:
                ended = reader.read_until(self.deadline - (stop_at or 0))
                if not ended and stop_at is not None:
                    process.terminate()
                    ended, accept = reader.read_until(self.deadline), None
                if not ended:
                    raise OutOfTime(f"out of time: {pathlib.Path(words[0]).name}")
            finally:
                end_group(process)
                reader.finish()
        if accept is not None and process.returncode not in accept:
            raise StageFailure(f"{pathlib.Path(words[0]).name} {in_words(process.returncode)}"
                               f"{self.last_line(start)}")
        return reader.text()

    def last_line(self, start):
        with open(self.log, "rb") as log:
            log.seek(start)
            text = log.read().decode(errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        telling = [line for line in lines if "error" in line.lower()] or lines
        return f": {telling[-1][:300]}" if telling else ""


class Reader:
    """Reads a command's output until a deadline: all of it into the log, standard output by lines."""

    def __init__(self, process, log, on_line):
        self.process, self.log, self.on_line = process, log, on_line
        self.lines, self.rest, self.logged = [], b"", 0
        self.selector = selectors.DefaultSelector()
        for stream in (process.stdout, process.stderr):
            self.selector.register(stream, selectors.EVENT_READ)

    def read_until(self, deadline):
        """Whether the command ended before the deadline."""
        while self.selector.get_map():
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return False
            for key, _ in self.selector.select(remaining):
                data = os.read(key.fd, 1 << 16)
                self.record(data)
                if key.fileobj is self.process.stdout:
                    self.take(data)
                if not data:
                    self.selector.unregister(key.fileobj)
        try:
            self.process.wait(max(deadline - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            return False
        return True

    def record(self, data):
        room = min(COMMAND_LOG - self.logged, LOG - self.log.tell())
        self.log.write(data[:max(room, 0)])
        if 0 < room <= len(data):
            self.log.write(b"\n[the log leaves out the rest of this output]\n")
        self.log.flush()
        self.logged += len(data)

    def take(self, data):
        *complete, self.rest = (self.rest + data).split(b"\n")
        if not data and self.rest:
            complete, self.rest = [self.rest], b""
        for line in complete:
            self.lines.append(line.decode(errors="replace"))
            if self.on_line is not None:
                self.on_line(self.lines[-1])

    def finish(self):
        """The output that a command that was ended early had still in its pipes."""
        self.read_until(time.monotonic() + END / 4)
        self.selector.close()
        self.process.stdout.close()
        self.process.stderr.close()
        try:
            self.process.wait(END / 4)
        except subprocess.TimeoutExpired:  # held up in the kernel: leave it there
            pass

    def text(self):
        return "".join(line + "\n" for line in self.lines)


def own_group():
    """Runs in a new child process. The child leads a process group, so that it can be ended together
    with its children, and Linux ends it when this program ends. It stays in the POSIX session of this
    program (no setsid): whoever ends all processes of that session also ends the child."""
    os.setpgid(0, 0)
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def end_group(process):
    """Ends all remaining processes of a command."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def in_words(status):
    return f"ended with {status}" if status >= 0 else f"was ended by signal {-status}"


def write_atomically(path, value, durable=True):
    """Writes another file and renames it: a reader finds the complete old or new file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    with open(new, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=1, ensure_ascii=False)
        file.write("\n")
        if durable:
            file.flush()
            os.fsync(file.fileno())
    os.replace(new, path)


def run_stages(stages, result, out, log, budget, observe=lambda run: {},
               report=lambda record: None):
    """Runs the stages within the budget, in seconds. result["stages"] grows; it is written to `out`
    before and after each stage, and whenever a stage saves its figures. observe(run) is recorded after
    each stage; its run has a short limit of its own. True if none failed."""
    end = time.monotonic() + budget
    log.parent.mkdir(parents=True, exist_ok=True)
    records = result["stages"] = []
    for place, stage in enumerate(stages):
        record = {"name": stage.name, "status": "running", "limit_seconds": stage.limit}
        records.append(record)
        later = sum(other.limit for other in stages[place + 1:])
        run_stage(stage, record, result, out, log, end, later, observe)
        write_atomically(out, result)
        report(record)
    return all(record["status"] in ("passed", "skipped") for record in records)


def run_stage(stage, record, result, out, log, end, later, observe):
    status = {other["name"]: other["status"] for other in result["stages"][:-1]}
    failed = [name for name in stage.needs if status.get(name, "passed") not in ("passed", "skipped")]
    if failed:
        record.update(status="not run", why=f"{', '.join(failed)} did not pass")
        return
    begin = time.monotonic()
    if end - begin < 1:
        record.update(status="not run", why="the time for all stages is used up")
        return
    with open(log, "ab") as file:
        file.write(f"\n=== {stage.name}\n".encode())
    limit = max(stage.limit, end - begin - later) if stage.takes_rest else stage.limit
    record["figures"] = {}
    run = Run(log, min(begin + limit, end), lambda: write_atomically(out, result, durable=False),
              record["figures"])
    run.save()
    try:
        stage.work(run)
        record["status"] = "passed"
    except StageSkipped as why:
        record.update(status="skipped", why=str(why))
    except OutOfTime as why:
        record.update(status="out of time", why=str(why))
    except StageFailure as why:
        record.update(status="failed", why=str(why))
    except KeyboardInterrupt:
        record.update(status="failed", why="interrupted")
        write_atomically(out, result)
        raise
    except Exception as error:  # a fault in a stage's code must not lose the other results
        record.update(status="failed", why=f"{type(error).__name__}: {error}")
    record["seconds"] = round(time.monotonic() - begin, 2)
    record["after"] = observation(observe, log, end)


def observation(observe, log, end):
    """What observe(run) finds; {} if it does not end in time."""
    begin = time.monotonic()
    if begin >= end:
        return {}
    try:
        return observe(Run(log, min(begin + OBSERVATION, end)))
    except OutOfTime:
        return {}
