"""Runs stages one after the other, each within its time limit, and updates the result file."""

import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import time
from typing import Callable


class StageFailure(Exception):
    """A stage failed; the message is the reason."""


class StageSkipped(Exception):
    """A stage has nothing to do on this machine; the message is the reason."""


@dataclasses.dataclass
class Stage:
    """name and text are for people; limit is in seconds; work(run) returns the figures."""

    name: str
    limit: float
    text: str
    work: Callable[["Run"], dict]
    needs: tuple = ()


class Run:
    """The time limit and the log of one stage, for its work."""

    def __init__(self, log, deadline):
        self.log = log
        self.deadline = deadline

    def remaining(self):
        return self.deadline - time.monotonic()

    def command(self, words, environment=None, accept=(0,)):
        """Standard output of a command; all of its output goes to the log. Raises StageFailure
        if it does not end in time, or not with an accepted status."""
        words = [str(word) for word in words]
        with open(self.log, "a", encoding="utf-8") as log:
            print("$", *words, file=log, flush=True)
            output = log.tell()
            # In a new process group, so that the children of a compiler can be ended with it.
            with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                                  text=True, errors="replace", start_new_session=True,
                                  env={**os.environ, **(environment or {})}) as process:
                text = None
                try:
                    text, _ = process.communicate(timeout=max(self.remaining(), 0.1))
                except subprocess.TimeoutExpired:
                    raise StageFailure(f"out of time: {pathlib.Path(words[0]).name}") from None
                finally:
                    end_group(process)
                    log.write(rest_of_output(process) if text is None else text)
        if process.returncode not in accept:
            raise StageFailure(f"{pathlib.Path(words[0]).name} ended with {process.returncode}"
                               f"{self.last_line(output)}")
        return text

    def last_line(self, start):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            log.seek(start)
            lines = [line.strip() for line in log if line.strip()]
        telling = [line for line in lines if "error" in line.lower()] or lines
        return f": {telling[-1][:200]}" if telling else ""


def end_group(process):
    """Ends all remaining processes of a command."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def rest_of_output(process):
    """The standard output of a command that was ended early."""
    try:
        return process.communicate(timeout=5)[0]
    except subprocess.TimeoutExpired as error:  # a child outside the group holds the pipe open
        return (error.stdout or b"").decode(errors="replace")


def write_atomically(path, value):
    """Writes another file and renames it: a reader finds the complete old or new file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    with open(new, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=1, ensure_ascii=False)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)


def run_stages(stages, result, out, logs, budget, observe=lambda: {}, report=lambda record: None):
    """Runs the stages within the budget, in seconds; result["stages"] grows and is written to `out`
    after each. observe() is recorded before and after each stage. True if none failed."""
    end = time.monotonic() + budget
    logs.mkdir(parents=True, exist_ok=True)
    records = result["stages"] = []
    for stage in stages:
        record = {"name": stage.name, "status": "running", "limit_seconds": stage.limit}
        records.append(record)
        run_stage(stage, record, result, out, logs / f"{stage.name}.log", end, observe)
        write_atomically(out, result)
        report(record)
    return all(record["status"] in ("passed", "skipped") for record in records)


def run_stage(stage, record, result, out, log, end, observe):
    status = {other["name"]: other["status"] for other in result["stages"][:-1]}
    failed = [name for name in stage.needs if status.get(name, "passed") != "passed"]
    if failed:
        record.update(status="not run", why=f"{', '.join(failed)} did not pass")
        return
    begin = time.monotonic()
    if end - begin < 1:
        record.update(status="not run", why="the time for all stages is used up")
        return
    log.unlink(missing_ok=True)
    record["before"] = observe()
    write_atomically(out, result)
    try:
        figures = stage.work(Run(log, min(begin + stage.limit, end)))
        record.update(status="passed", figures=figures)
    except StageSkipped as why:
        record.update(status="skipped", why=str(why))
    except StageFailure as why:
        record.update(status="failed", why=str(why))
    except KeyboardInterrupt:
        record.update(status="failed", why="interrupted")
        write_atomically(out, result)
        raise
    except Exception as error:  # a fault in a stage's code must not lose the other results
        record.update(status="failed", why=f"{type(error).__name__}: {error}")
    record["seconds"] = round(time.monotonic() - begin, 2)
    record["after"] = observe()
