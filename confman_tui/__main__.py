"""``python -m confman_tui`` is the same as ``confman-tui``."""

import sys

from confman_tui.cli import main

if __name__ == "__main__":
    sys.exit(main())
