"""The command line: reads the settings, chooses the front end, turns errors into one sentence and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from confman_tui.core import errors
from confman_tui.core.paths import config_file
from confman_tui.core.streams import check_can_show, open_missing_streams, try_print, write_result
from confman_tui.settings import Resolved, Settings, check_keys, resolve, themes
from confman_tui.settings.command_line import parse
from confman_tui.settings.setting import CLEAN, DEMO, DRILL, SWEEP, WORKER

if TYPE_CHECKING:
    from confman_tui.demo.supervisor import DemoCluster


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program. Returns its exit code; wrong input gets one sentence on stderr."""
    open_missing_streams()
    try:
        parsed = parse(sys.argv[1:] if argv is None else argv)
        if parsed.help_keys:
            from confman_tui.tui.keys.listing import listing

            write_result(listing())
            return errors.EXIT_OK
        resolved = resolve(parsed.command, parsed.flags, os.environ, config_file(), themes.chosen_last())
        if resolved.settings.print_config:
            _check_keys(resolved)
            write_result(resolved.explain())
            return errors.EXIT_OK
        return _run(resolved)
    except errors.ConfmanTuiError as error:
        print(f"confman-tui: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return errors.EXIT_INTERRUPTED
    except Exception:
        import traceback  # slow to import, and hardly ever needed

        traceback.print_exc()
        print("confman-tui: a defect of this program; what stands above helps to mend it", file=sys.stderr)
        return errors.EXIT_CRASH


def make_demo(settings: Settings) -> DemoCluster:
    """The demo cluster that the settings ask for, not started yet; raises UsageError.

    The front ends get this function: no other module knows that cluster, and what isn't needed isn't imported.
    """
    from confman_tui.demo.supervisor import DemoCluster

    return DemoCluster(
        settings.demo_nodes,
        settings.demo_ports or "auto",
        settings.demo_election_timeout_ms,
        settings.demo_data,
        fsync=settings.demo_fsync,
    )


def _run(resolved: Resolved) -> int:
    """Run the front end that the settings ask for. Each brings heavy packages: what isn't needed isn't imported."""
    settings = resolved.settings
    if settings.ca_file is not None:
        from confman_tui.cluster.tls import TlsOptions

        TlsOptions.of(settings).check()
    if settings.command == DEMO:
        return _run_demo(settings)
    if settings.command == WORKER:
        from confman_tui.load.workers.foreground import run_worker

        return run_worker(settings)
    if settings.results_only:
        from confman_tui.results.contents import results_only

        write_result(results_only(settings.output_dir, as_json=settings.json))
        return errors.EXIT_OK
    if settings.headless or settings.command in (CLEAN, DRILL, SWEEP):
        from confman_tui import headless

        front_ends = {CLEAN: headless.run_clean, DRILL: headless.run_drill, SWEEP: headless.run_sweep}
        return front_ends.get(settings.command, headless.run_headless)(settings, make_demo)
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        raise errors.UsageError("the screen needs a terminal, and this is none: use --headless")
    check_can_show(os.environ)
    from confman_tui.tui.interactive import run_interactive

    return run_interactive(resolved, make_demo)


def _check_keys(resolved: Resolved) -> None:
    """Check the table ``[keys]`` as the screen does; raises UsageError."""
    if resolved.settings.keys:
        from confman_tui.tui.keys.keymap import check_keymap
        from confman_tui.tui.keys.table import binding_ids

        check_keys(resolved, binding_ids())
        check_keymap(resolved.settings.keys)


def _run_demo(settings: Settings) -> int:
    from confman_tui.demo.foreground import run_foreground

    return run_foreground(make_demo(settings), try_print)
