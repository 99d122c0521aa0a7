"""Where the program keeps things of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from confman_tui.core import paths


@pytest.mark.skipif(sys.platform != "linux", reason="XDG's variables count on Linux")
def test_each_kind_of_file_has_the_folder_that_its_variable_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in ("config", "state", "cache", "runtime"):
        variable = "XDG_RUNTIME_DIR" if kind == "runtime" else f"XDG_{kind.upper()}_HOME"
        monkeypatch.setenv(variable, str(tmp_path / kind))
    assert paths.config_file() == tmp_path / "config" / "confman-tui" / "config.toml"
    assert paths.log_file().parent == paths.theme_file().parent == tmp_path / "state" / "confman-tui"
    assert paths.cache_dir() == tmp_path / "cache" / "confman-tui"
    assert paths.runtime_dir() == tmp_path / "runtime" / "confman-tui"
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert paths.runtime_dir() == paths.state_dir()


def test_a_folder_is_made_for_this_user_alone_and_kept_when_it_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "outer" / "inner"
    assert paths.ensure_folder(folder) == folder
    assert folder.stat().st_mode & 0o777 == 0o700
    (folder / "kept").touch()
    assert (paths.ensure_folder(folder) / "kept").exists()
    with pytest.raises(OSError):
        paths.ensure_folder(folder / "kept")
