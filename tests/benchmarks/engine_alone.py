"""This program's load engine on its thread, without a screen, the main thread in an idle asyncio loop.

    python -m tests.benchmarks.engine_alone URL SECONDS USERS OUT KEYS_FILE

A side of `observer_effect`, which starts it; OUT becomes a JSON file with the figures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path

from confman_tui.cluster.key_registry import read_registry
from confman_tui.load.engine import Engine
from confman_tui.load.locust_setup import prepare
from confman_tui.load.run_model import RunOutcome, RunPlan, SecondSample
from confman_tui.settings.scenarios import Target
from tests.support.keys import ADMIN


async def measure(engine: Engine, plan: RunPlan, samples: list[SecondSample]) -> RunOutcome:
    """The run, awaited as the program does."""
    loop = asyncio.get_running_loop()

    def keep(sample: SecondSample) -> None:
        loop.call_soon_threadsafe(samples.append, sample)

    return await asyncio.wrap_future(engine.run(plan, on_sample=keep))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("seconds", type=float)
    parser.add_argument("users", type=int)
    parser.add_argument("out", type=Path)
    parser.add_argument("registry", type=Path, metavar="keys_file")
    options = parser.parse_args()
    keys = read_registry(options.registry)
    prepare()
    engine = Engine()
    engine.start()
    engine.set_targets(options.url, (options.url,))
    plan = RunPlan(
        scenario="read-10u",
        users=options.users,
        duration_s=options.seconds,
        target=Target.ANY,
        write_share=0.0,
        wait_s=(0.0, 0.0),
        payload_bytes=1024,
        namespaces=("bench-small-000",),
        keys=keys,
        api_key=ADMIN,
        csv_prefix=options.out.with_suffix(""),
    )
    outcome = asyncio.run(measure(engine, plan, []))
    engine.close(10)
    options.out.write_text(
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
