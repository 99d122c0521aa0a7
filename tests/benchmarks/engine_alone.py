"""This program's load engine on its thread, without a screen, the main thread in an idle asyncio loop.

python -m tests.benchmarks.engine_alone URL SECONDS USERS OUT KEYS_FILE
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from confman_tui.load.context import read_registry
from confman_tui.load.engine import Engine
from confman_tui.load.locust_setup import prepare
from confman_tui.load.run_model import RunOutcome, RunPlan, SecondSample
from confman_tui.settings.scenarios import Target


async def measure(engine: Engine, plan: RunPlan, samples: list[SecondSample]) -> RunOutcome:
    """The run, awaited as the program does."""
    loop = asyncio.get_running_loop()

    def keep(sample: SecondSample) -> None:
        loop.call_soon_threadsafe(samples.append, sample)

    return await asyncio.wrap_future(engine.run(plan, on_sample=keep))


def main() -> None:
    url, seconds, users, out, registry = sys.argv[1:]
    keys = read_registry(Path(registry))
    prepare()
    engine = Engine()
    engine.start()
    engine.set_targets(url, (url,))
    plan = RunPlan(
        scenario="read-10u",
        users=int(users),
        duration_s=float(seconds),
        target=Target.ANY,
        write_share=0.0,
        wait_s=(0.0, 0.0),
        payload_bytes=1024,
        namespaces=("bench-small-000",),
        keys=keys,
        api_key="confman_dev_abc123",
        csv_prefix=Path(out).with_suffix(""),
    )
    outcome = asyncio.run(measure(engine, plan, []))
    engine.close(10)
    Path(out).write_text(
        json.dumps(
            {
                "requests": outcome.requests,
                "failures": outcome.failures,
                "seconds": outcome.ended - outcome.started,
                "histogram": outcome.histogram,
                "max_us": outcome.max_us,
            }
        )
    )


if __name__ == "__main__":
    main()
