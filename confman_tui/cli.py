"""The command line: reads the settings, chooses the front end, turns errors into one sentence and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING

from confman_tui.core import errors
from confman_tui.core.paths import config_file
from confman_tui.core.streams import complete_streams, tell, write_result
from confman_tui.settings import Resolved, Settings, remembered, resolve
from confman_tui.settings.command_line import parse

if TYPE_CHECKING:
    from confman_tui.demo.supervisor import DemoCluster


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program. Returns its exit code; wrong input is one sentence on stderr."""
    complete_streams()
    try:
        parsed = parse(sys.argv[1:] if argv is None else argv)
        resolved = resolve(parsed.command, parsed.flags, os.environ, config_file(), remembered.theme())
        if resolved.settings.print_config:
            write_result(resolved.explain())
            return errors.EXIT_OK
        return _run(resolved)
    except errors.ConfmanTuiError as error:
        print(f"confman-tui: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return errors.EXIT_INTERRUPTED
    except Exception:
        traceback.print_exc()
        print("confman-tui: a defect of this program; what stands above helps to mend it", file=sys.stderr)
        return errors.EXIT_CRASH


def make_demo(settings: Settings) -> DemoCluster:
    """The demo cluster that the settings ask for, not started yet; raises UsageError.

    The front ends get this function: no other module knows that cluster, and what isn't needed isn't imported.
    """
    from confman_tui.demo.supervisor import DemoCluster

    return DemoCluster(
        settings.demo_nodes, settings.demo_ports or "auto", settings.demo_election_timeout_ms, settings.demo_data
    )


def _run(resolved: Resolved) -> int:
    settings = resolved.settings
    # Each front end brings its own heavy packages; what isn't needed isn't imported.
    if settings.results_only:
        from confman_tui.results.contents import results_only

        write_result(results_only(settings.output_dir, as_json=settings.json))
        return errors.EXIT_OK
    if settings.command == "demo":
        from confman_tui.demo.foreground import run_foreground

        return run_foreground(make_demo(settings), tell)
    if settings.command == "clean":
        from confman_tui.headless import run_clean

        return run_clean(settings, make_demo)
    if settings.command == "drill":
        from confman_tui.headless import run_drill

        return run_drill(settings, make_demo)
    if settings.command == "sweep":
        from confman_tui.headless import run_sweep

        return run_sweep(settings, make_demo)
    if settings.command == "worker":
        from confman_tui.load.workers.foreground import run_worker

        return run_worker(settings)
    if settings.headless:
        from confman_tui.headless import run_headless

        return run_headless(settings, make_demo)
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        raise errors.UsageError("the screen needs a terminal, and this is none: use --headless")
    from confman_tui.tui.interactive import run_interactive

    return run_interactive(resolved, make_demo)
