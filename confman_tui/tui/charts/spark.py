"""A sparkline of text blocks, for a card's one line."""

from __future__ import annotations

import math
from collections.abc import Sequence

_BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float | None], width: int, ceiling: float | None = None, floor: float = 0.5e-3) -> str:
    """The last ``width`` values as blocks, oldest left, padded with spaces on the left; ``·`` stands for None.

    The height grows with the logarithm of the value, from ``floor`` (lowest block) to ``ceiling``, so that a hiccup of
    twenty times the usual shows without flattening the rest. Without a ceiling it is the greatest value shown, but at
    least twenty times the floor, so that noise does not look like a mountain.
    """
    shown = list(values)[-width:] if width > 0 else []
    known = [value for value in shown if value is not None]
    top = max(ceiling if ceiling is not None else max(known, default=0.0), floor * 20)
    scale = (len(_BLOCKS) - 1) / math.log(top / floor)
    blocks = []
    for value in shown:
        if value is None:
            blocks.append("·")
            continue
        height = round(math.log(max(value, floor) / floor) * scale)
        blocks.append(_BLOCKS[min(height, len(_BLOCKS) - 1)])
    return "".join(blocks).rjust(max(width, 0))
