"""A JSON list taken in as its bytes come, item by item: a listing of 100 MB is never held nor parsed at once. Pure."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from typing import Any

from confman_tui.cluster.bounds import ITEM_CHARACTERS

_BLANK = " \t\r\n"
_OF_NUMBERS = "0123456789.eE+-"
"""``0.`` is read as a whole 0 and the rest; with the next bytes it may be 0.5."""


class ListParser:
    """Feed it the bytes; it gives the items that are whole by then."""

    def __init__(self) -> None:
        self._bytes = codecs.getincrementaldecoder("utf-8")()
        self._item = json.JSONDecoder().raw_decode
        self._text = ""
        self._begun = False
        self._ended = False
        self._separated = True
        """Whether an item may come next: after ``[`` or a comma."""
        self._any = False

    def feed(self, data: bytes) -> Iterator[Any]:
        """The items that these bytes complete.

        Raises:
            ValueError: this is no JSON list.
        """
        self._text += self._bytes.decode(data)
        place = 0
        text = self._text
        while True:
            while place < len(text) and text[place] in _BLANK:
                place += 1
            if place == len(text):
                break
            letter = text[place]
            if self._ended or (not self._begun and letter != "["):
                raise ValueError("no list")
            if not self._begun:
                self._begun = True
                place += 1
            elif letter == "]" and not (self._separated and self._any):
                self._ended = True
                place += 1
            elif not self._separated:
                if letter != ",":
                    raise ValueError("no comma between two items")
                self._separated = True
                place += 1
            else:
                try:
                    item, after = self._item(text, place)
                except json.JSONDecodeError:
                    if len(text) - place > ITEM_CHARACTERS:
                        raise
                    break
                if after - place > ITEM_CHARACTERS:
                    raise ValueError("an item is larger than any of Confman's")
                # A number may go on in the next bytes; what ends with a bracket or a quote may not.
                if not isinstance(item, (dict, list, str)) and not text[after:].strip(_OF_NUMBERS):
                    break
                place, self._separated, self._any = after, False, True
                yield item
        self._text = text[place:]

    def close(self) -> None:
        """No more bytes come; raises ValueError when the list is not whole."""
        self._bytes.decode(b"", final=True)
        if not self._ended:
            raise ValueError("the list is cut short")
