"""Keys of the settings file that can't work are said before the screen starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from confman_tui.core.errors import UsageError
from confman_tui.tui.keys.keymap import check_keymap
from tests.support.fake_session import FakeSession
from tests.support.screen import TestClock, make_app


@pytest.mark.parametrize(
    ("keymap", "said"),
    [
        ({"fly": "z"}, "the action 'fly' is not known"),
        ({"kill": "f99"}, "there is no key 'f99'"),
        ({"kill": "[red]x"}, "there is no key '[red]x'"),
        ({"kill": ""}, "there is no key ''"),
        ({"kill": "s"}, "stop and kill share the key 's'"),
        ({"help": "+"}, "zoom_in and help share the key '+'"),
    ],
)
def test_wrong_keys_are_named(keymap: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_keymap(keymap)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "keymap", [{}, {"kill": "f9"}, {"kill": "K,f9"}, {"stop": "k", "kill": "s"}, {"help": "h,question_mark"}]
)
def test_right_keys_pass(keymap: dict[str, str]) -> None:
    check_keymap(keymap)


def test_the_app_does_not_start_with_wrong_keys(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        make_app(tmp_path, FakeSession(), TestClock(), keymap={"kill": "q"})
