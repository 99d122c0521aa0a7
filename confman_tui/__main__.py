"""``confman-tui`` and ``python -m confman_tui`` begin here."""

from typing import NoReturn

from confman_tui.core import signals


def main() -> NoReturn:
    """Run the program and end it. The handlers of signals stand before what takes long to import."""
    signals.stand()
    from confman_tui.cli import main as run

    try:
        code = run()
    except SystemExit as asked:  # of --help and --version
        code = asked.code if isinstance(asked.code, int) else 0
    signals.end(code)


if __name__ == "__main__":
    main()
