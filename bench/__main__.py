"""`python -m bench`: the operator beside a textbook one on a real API server, the REST front door beside FastAPI with
Celery, and films beside plain encoding."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import statistics
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench import machine
from bench.burst import Round, burst
from bench.contestants import Contestant, Textbook
from bench.contestants import Ours as OurOperator
from bench.plot import plot
from bench.rest import plot as rest_plot
from bench.rest.checkout import checkout
from bench.rest.contestants import FrontDoor, Ours, Peer
from bench.rest.rounds import CALLS, CLIENTS, one_round
from bench.restart import restart
from cluster.harness import ClusterError, build
from cluster.harness.recipes import CONTROL_PLANE

RESULTS = Path(__file__).with_name("results")
CONTESTANTS: dict[str, type[Contestant]] = {"mediatask": OurOperator, "textbook": Textbook}
SHOWN = {
    "jobs_per_s": "Jobs/s",
    "create_to_job_p50_s": "create to Job, p50 (s)",
    "create_to_job_p99_s": "create to Job, p99 (s)",
    "all_complete_after_s": "all complete after (s)",
    "writes_per_task": "operator's writes per task",
    "events_per_task": "Kubernetes Events per task",
    "reads_per_task": "operator's reads per task",
    "rss_peak_mib": "operator's memory, peak (MiB)",
    "operator_cpu_s": "operator's CPU (s)",
    "server_cpu_s": "control plane's CPU, kwok included (s)",
    "others_cores": "cores busy with other things",
}


def main() -> None:
    arguments = _parser().parse_args()
    # Also where a shell has started this in the background: nothing is to be left of the clusters.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        arguments.run(arguments)
    except (ClusterError, TimeoutError, RuntimeError) as error:
        sys.exit("\n".join([f"error: {error!r}", *getattr(error, "__notes__", [])]))
    except KeyboardInterrupt:
        sys.exit(130)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    verb = verbs.add_parser("burst", help="thousands of tasks at once")
    verb.add_argument("--tasks", type=int, default=3000, help="tasks of a burst (%(default)s)")
    verb.add_argument("--repeats", type=int, default=3, help="rounds of each contestant (%(default)s)")
    verb.add_argument("--only", choices=CONTESTANTS, help="measure one contestant alone")
    verb.add_argument("--out", type=Path, default=RESULTS / "burst.json", help="file for the results (%(default)s)")
    verb.set_defaults(run=_burst)
    verb = verbs.add_parser("restart", help="this project's operator comes back to thousands of live tasks")
    verb.add_argument("--tasks", type=int, default=3000, help="live tasks (%(default)s)")
    verb.add_argument("--out", type=Path, default=RESULTS / "restart.json", help="file for the result (%(default)s)")
    verb.set_defaults(run=_restart)
    verb = verbs.add_parser(
        "rest", help="the REST front door beside FastAPI + Celery, or beside another commit of ours"
    )
    verb.add_argument("--requests", type=int, default=2000, help="requests of a measurement (%(default)s)")
    verb.add_argument("--repeats", type=int, default=3, help="rounds of each contestant (%(default)s)")
    verb.add_argument("--calls", nargs="+", choices=CALLS, default=CALLS, help="what is called (all)")
    verb.add_argument("--clients", nargs="+", type=int, default=CLIENTS, help="at how many clients (1 32 256)")
    verb.add_argument("--beside", metavar="COMMIT", help="compare with this commit instead of FastAPI + Celery")
    verb.add_argument("--out", type=Path, default=RESULTS / "rest.json", help="file for the results (%(default)s)")
    verb.set_defaults(run=_rest)
    verb = verbs.add_parser("video", help="a storyboard film beside encoding alone; needs no cluster")
    verb.add_argument("--repeats", type=int, default=7, help="rounds of each (%(default)s)")
    verb.add_argument("--out", type=Path, default=RESULTS / "video.json", help="file for the results (%(default)s)")
    verb.set_defaults(run=_video)
    return parser


def _burst(arguments: argparse.Namespace) -> None:
    build(report=lambda line: print(line, file=sys.stderr))
    chosen = [CONTESTANTS[arguments.only]] if arguments.only else list(CONTESTANTS.values())
    results: dict[str, Any] = {
        "tasks": arguments.tasks,
        "machine": machine.describe(),
        "rounds": {each.name: [] for each in chosen},
    }
    with _bars() as bars:
        for number in range(arguments.repeats):
            for contestant in chosen:
                bar = bars.add_task(f"{contestant.name} {number + 1}/{arguments.repeats}", total=arguments.tasks)
                measured = asyncio.run(
                    burst(contestant(), arguments.tasks, lambda done, bar=bar: bars.update(bar, completed=done))
                )
                results["rounds"][contestant.name].append(_with_sums(measured))
                arguments.out.parent.mkdir(parents=True, exist_ok=True)
                arguments.out.write_text(json.dumps(results) + "\n")
                plot(results, arguments.out.with_suffix(".svg"))
    _show(results)


def _restart(arguments: argparse.Namespace) -> None:
    build(report=lambda line: print(line, file=sys.stderr))
    with _bars() as bars:
        bar = bars.add_task("tasks come to life", total=arguments.tasks)
        measured = asyncio.run(restart(arguments.tasks, lambda done: bars.update(bar, completed=done)))
    results = {"tasks": arguments.tasks, "machine": machine.describe(), **measured}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(results) + "\n")
    print(json.dumps(results, indent=1))


def _rest(arguments: argparse.Namespace) -> None:
    build(CONTROL_PLANE, report=lambda line: print(line, file=sys.stderr))
    with ExitStack() as opened:
        other: FrontDoor = Peer()
        if arguments.beside is not None:
            other = Ours(arguments.beside, opened.enter_context(checkout(arguments.beside)))
        front_doors: list[FrontDoor] = [Ours(), other]
        results: dict[str, Any] = {
            "requests": arguments.requests,
            "machine": machine.describe(),
            "rounds": {each.name: [] for each in front_doors},
        }
        bars = opened.enter_context(_bars())
        total = len(arguments.calls) * len(arguments.clients)
        for number in range(arguments.repeats):
            for front_door in front_doors:
                bar = bars.add_task(f"{front_door.name} {number + 1}/{arguments.repeats}", total=total)
                measured = one_round(
                    front_door,
                    arguments.calls,
                    arguments.clients,
                    arguments.requests,
                    lambda bar=bar: bars.advance(bar),
                )
                results["rounds"][front_door.name].append(asyncio.run(measured))
                arguments.out.parent.mkdir(parents=True, exist_ok=True)
                arguments.out.write_text(json.dumps(results) + "\n")
    rest_plot.plot(results, arguments.out.with_suffix(".svg"))
    _show_rest(results)


def _show_rest(results: dict[str, Any]) -> None:
    rounds: dict[str, list[dict[str, Any]]] = results["rounds"]
    table = Table("call", "clients", "", *rounds, title="median (least to most)")

    def add(call: str, clients: str, words: str, figure: Callable[[dict[str, Any]], float]) -> None:
        cells = []
        for ones in rounds.values():
            values = [figure(one[call][clients]) for one in ones]
            cells.append(f"{statistics.median(values):g} ({min(values):g} to {max(values):g})")
        table.add_row(call, clients, words, *cells)

    for call, by_clients in next(iter(rounds.values()))[0].items():
        for clients in by_clients:
            add(call, clients, "requests/s", lambda one: one["requests_per_s"])
            add(call, clients, "p50 (ms)", lambda one: one["p50_ms"])
            add(call, clients, "p99 (ms)", lambda one: one["p99_ms"])
            add(call, clients, "CPU of the front door (ms)", lambda one: one["cpu_ms_per_request"]["api"])
            add(call, clients, "cores busy with other things", lambda one: one["others_cores"])
    Console().print(table)


def _video(arguments: argparse.Namespace) -> None:
    # Not above: the operator's benchmarks run without the libraries of the jobs.
    from bench.video import medians, video

    with _bars() as bars:
        bar = bars.add_task("film, encoding alone", total=2 * arguments.repeats)
        measured = video(arguments.repeats, lambda: bars.advance(bar))
    results = {"machine": machine.describe(), **measured}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(results) + "\n")
    table = Table("per frame", "wall (ms)", "CPU (ms)", "cores busy with other things", title="720p, medians")
    for name, rounds in measured["rounds"].items():
        table.add_row(name, *(f"{value:g}" for value in medians(rounds).values()))
    Console().print(table)


def _bars() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True))


def _with_sums(measured: Round) -> Round:
    cpu: dict[str, float] = measured["cpu_s"]
    others = round(sum(seconds for name, seconds in cpu.items() if name not in ("operator", "load generator")), 1)
    return {**measured, "operator_cpu_s": cpu["operator"], "server_cpu_s": others}


def _show(results: dict[str, Any]) -> None:
    table = Table("", *results["rounds"], title=f"{results['tasks']} tasks: median (least to most)")
    for key, words in SHOWN.items():
        cells = []
        for rounds in results["rounds"].values():
            values = [one[key] for one in rounds]
            cells.append(f"{statistics.median(values):g} ({min(values):g} to {max(values):g})")
        table.add_row(words, *cells)
    Console().print(table)


if __name__ == "__main__":
    main()
