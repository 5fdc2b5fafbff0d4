"""`python -m mutants`: make the mutants, run their tests side by side, report which ones nobody noticed.

The working tree is only read: each worker mutates a copy of its own. What was found is kept in `build/mutants`, so that
an interrupted run goes on where it was; a changed module, or changed tests, are run again.
"""

from __future__ import annotations

import hashlib
import json
import queue
import random
import shutil
import subprocess
import sys
import threading
import tomllib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from mutants.operators import Mutant, mutants_of
from mutants.table import MODULES, Module

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "mutants"
ACCEPTED = Path(__file__).with_name("accepted.toml")
GOAL = 0.9
_LONGEST_SECONDS = 300.0
_SLOWER = 4.0
"""A mutant may take so many times as long as the module as it is, and `_ALLOWANCE` seconds more."""
_ALLOWANCE = 15.0


@dataclass(frozen=True)
class Job:
    """A mutant to be tried."""

    name: str
    module: Module
    mutant: Mutant
    version: str
    """Of the module and its tests."""


class Worker:
    """A process that tries mutants in its own copy of the tree."""

    def __init__(self, number: int) -> None:
        self._tree = tree = BUILD / f"tree-{number}"
        _copy_tree(tree)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mutants.worker", str(tree)],
            cwd=tree / "tests",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, module: Module, source: str, timeout: float) -> dict[str, Any]:
        """What the module's tests say to this source."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        job = {"path": module.path, "source": source, "tests": module.tests, "timeout": timeout}
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def source(self, module: Module) -> str:
        """The module as it is."""
        return (self._tree / module.path).read_text()

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()


def main(
    module: Annotated[list[str] | None, typer.Option(help=f"Only these modules: {', '.join(MODULES)}.")] = None,
    limit: Annotated[int | None, typer.Option(help="Only so many mutants, drawn at random.")] = None,
    seed: Annotated[int, typer.Option(help="Which ones --limit draws.")] = 7,
    workers: Annotated[int, typer.Option(help="Processes at one time.")] = 2,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget what earlier runs found.")] = False,
) -> None:
    """Mutation testing: change the code in small ways, and see whether a test notices.

    Ends with 1 where fewer than 90 % of the mutants are noticed, not counting those that are accepted as equivalent.
    """
    names = module or list(MODULES)
    if unknown := set(names) - set(MODULES):
        raise typer.BadParameter(f"no such module: {', '.join(sorted(unknown))}")
    BUILD.mkdir(parents=True, exist_ok=True)
    log = BUILD / "outcomes.jsonl"
    if fresh:
        log.unlink(missing_ok=True)
    known = {(entry["id"], entry["version"]): entry for entry in _entries(log)}
    jobs = [job for name in names for job in _jobs(name)]
    if limit is not None and limit < len(jobs):
        jobs = random.Random(seed).sample(jobs, limit)
    left = [job for job in jobs if (job.mutant.id, job.version) not in known]
    if left:
        for entry in _run(left, workers, log):
            known[entry["id"], entry["version"]] = entry
    raise typer.Exit(_report([known[job.mutant.id, job.version] for job in jobs]))


def _jobs(name: str) -> Iterator[Job]:
    module = MODULES[name]
    source = (ROOT / module.path).read_text()
    digest = hashlib.sha256(source.encode())
    for test in module.tests:
        digest.update((ROOT / test).read_bytes())
    for mutant in mutants_of(name, source):
        yield Job(name, module, mutant, digest.hexdigest()[:16])


def _run(jobs: list[Job], number: int, log: Path) -> Iterator[dict[str, Any]]:
    """Try the mutants and yield what came of each, in any order; all is logged at once."""
    waiting: queue.Queue[Job] = queue.Queue()
    done: queue.Queue[dict[str, Any] | BaseException] = queue.Queue()
    for job in jobs:
        waiting.put(job)
    console = Console(stderr=True)
    console.print(f"{len(jobs)} mutants to try: copying the tree, and running the tests once without any")
    workers = [Worker(index) for index in range(min(number, len(jobs)))]
    try:
        limits = _time_limits(workers, list(dict.fromkeys(job.name for job in jobs)))
        for worker in workers:
            threading.Thread(target=_serve, args=(worker, waiting, done, limits), daemon=True).start()
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console) as progress, log.open("a") as out:
            task = progress.add_task("mutants", total=len(jobs))
            for _ in jobs:
                entry = done.get()
                if isinstance(entry, BaseException):
                    raise entry
                out.write(json.dumps(entry) + "\n")
                out.flush()
                progress.update(task, advance=1, description=entry["module"])
                yield entry
    finally:
        for worker in workers:
            worker.close()


def _time_limits(workers: list[Worker], names: list[str]) -> dict[str, float]:
    """Seconds for a mutant of each module, from what its tests take as it is. Raises where they fail."""
    free: queue.Queue[Worker] = queue.Queue()
    for worker in workers:
        free.put(worker)

    def measure(name: str) -> float:
        worker, module = free.get(), MODULES[name]
        found = worker.run(module, worker.source(module), _LONGEST_SECONDS)
        free.put(worker)
        if found["outcome"] != "survived":
            raise SystemExit(f"the tests of {name} fail without any mutant ({found['outcome']}):\n{found['output']}")
        return float(found["seconds"]) * _SLOWER + _ALLOWANCE

    with ThreadPoolExecutor(len(workers)) as threads:
        return dict(zip(names, threads.map(measure, names), strict=True))


def _serve(
    worker: Worker,
    waiting: queue.Queue[Job],
    done: queue.Queue[dict[str, Any] | BaseException],
    limits: dict[str, float],
) -> None:
    try:
        while True:
            job = waiting.get_nowait()
            found = worker.run(job.module, job.mutant.source, limits[job.name])
            done.put(
                {
                    "id": job.mutant.id,
                    "module": job.name,
                    "line": job.mutant.line,
                    "version": job.version,
                    "outcome": found["outcome"],
                    "seconds": found["seconds"],
                }
            )
    except queue.Empty:
        return
    except BaseException as error:
        done.put(error)


def _report(entries: list[dict[str, Any]]) -> int:
    """Write and print what was found; the exit code."""
    accepted = _accepted()
    survivors = [entry for entry in entries if entry["outcome"] == "survived"]
    explained = [entry for entry in survivors if entry["id"] in accepted]
    missed = [entry for entry in survivors if entry["id"] not in accepted]
    counted = len(entries) - len(explained)
    rate = 1 - len(missed) / counted if counted else 1.0
    summary = {
        "mutants": len(entries),
        "outcomes": dict(Counter(entry["outcome"] for entry in entries)),
        "accepted": len(explained),
        "noticed": round(rate, 4),
    }
    (BUILD / "report.json").write_text(json.dumps({**summary, "entries": entries}, indent=1))
    console = Console()
    table = Table("module", "mutants", "killed", "timeout", "survived", "equivalent", "noticed")
    for name in [*dict.fromkeys(entry["module"] for entry in entries), "all"]:
        mine = [entry for entry in entries if name in ("all", entry["module"])]
        lived = [entry for entry in mine if entry["outcome"] == "survived"]
        equivalent = sum(entry["id"] in accepted for entry in lived)
        outcomes = Counter(entry["outcome"] for entry in mine)
        share = 1 - (len(lived) - equivalent) / max(len(mine) - equivalent, 1)
        row = (len(mine), outcomes["killed"], outcomes["timeout"], len(lived) - equivalent, equivalent)
        table.add_row(name, *map(str, row), f"{share:.0%}")
    console.print(table)
    for entry in sorted(missed, key=lambda entry: (entry["module"], entry["line"])):
        console.print(f"survived, line {entry['line']}: {entry['id']}", markup=False, highlight=False)
    for entry in explained:
        console.print(f"equivalent: {entry['id']}\n  {accepted[entry['id']]}", markup=False, highlight=False)
    console.print(f"noticed: {rate:.1%} of {counted}; the goal is {GOAL:.0%}. Details: {BUILD / 'report.json'}")
    return 0 if rate >= GOAL else 1


def _accepted() -> dict[str, str]:
    """Why a mutant is equivalent to the code as it is, by its id."""
    tables: dict[str, dict[str, str]] = tomllib.loads(ACCEPTED.read_text())
    return {f"{module}:{change}": reason for module, table in tables.items() for change, reason in table.items()}


def _entries(log: Path) -> Iterator[dict[str, Any]]:
    if log.exists():
        for line in log.read_text().splitlines():
            if line.endswith("}"):  # the last one may have been cut off
                yield json.loads(line)


def _copy_tree(tree: Path) -> None:
    """What git knows of, with the changes that are not committed yet."""
    shutil.rmtree(tree, ignore_errors=True)
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, tree / name)


if __name__ == "__main__":
    typer.run(main)
