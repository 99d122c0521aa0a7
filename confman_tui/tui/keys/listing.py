"""What ``--help-keys`` prints: every action that the settings file may give another key. No Textual here."""

from __future__ import annotations

from confman_tui.tui.keys.table import ACTIONS, display


def listing() -> str:
    """The table of actions, as the table ``[keys]`` takes them: id, default key, and what it does.

    An id with a dot stands in quotes, as TOML wants it: without them it would be a table in a table.
    """
    rows = [(f'"{a.id}"' if "." in a.id else a.id, _key(a.key), a.help) for a in ACTIONS]
    ids, keys = (max(len(row[column]) for row in rows) for column in (0, 1))
    lines = [
        "actions of the screen that the table [keys] of the settings file may give other keys:",
        "",
        f"  {'action':<{ids}}  {'default key':<{keys}}  does",
        *(f"  {name:<{ids}}  {key:<{keys}}  {words}" for name, key, words in rows),
        "",
        "for example, to kill the leader with K or F9 (--print-config says where the file is looked for):",
        "",
        "  [keys]",
        '  kill = "K,f9"',
    ]
    return "\n".join(lines)


def _key(key: str) -> str:
    """A key by the name that the settings file takes, and as it looks where that differs."""
    shown = display(key)
    return key if shown.lower() == key else f"{key} ({shown})"
