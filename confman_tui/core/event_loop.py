"""The event loop that everything timed runs on."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import uvloop

_Result = TypeVar("_Result")


def run(main: Coroutine[Any, Any, _Result]) -> _Result:
    """As `asyncio.run`, on uvloop: polls and probes take less of the core that the load is made on."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


async def in_daemon_thread(work: Callable[[], _Result]) -> _Result:
    """As `asyncio.to_thread`, for work that may hang in the system, such as a look-up of a name: when it is given up,
    neither the loop's end nor the program's waits for its thread."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[_Result] = loop.create_future()

    def keep(result: _Result | None, error: BaseException | None) -> None:
        if ended.done():
            return  # given up
        if error is not None:
            ended.set_exception(error)
        else:
            ended.set_result(result)  # type: ignore[arg-type]

    def do() -> None:
        result, error = None, None
        try:
            result = work()
        except BaseException as caught:
            error = caught
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(keep, result, error)

    threading.Thread(target=do, name="may-hang", daemon=True).start()
    return await ended
