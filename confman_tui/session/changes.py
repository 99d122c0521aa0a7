"""What a person changes: the settings of the next runs, the rate of the present one, the tier, earlier runs' data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from confman_tui.cluster.elections import FaultKind
from confman_tui.session.events import Level, Phase
from confman_tui.session.session import Session


def override(
    session: Session, users: int | None, duration_s: float | None, payload_bytes: int | None, rate: float | None = None
) -> None:
    """Users, seconds, payload and rate of the next runs; None gives the scenario's own back (payload: leaves it; rate:
    closed loop)."""
    payload = payload_bytes if payload_bytes is not None else session.settings.payload_bytes
    _change_settings(session, users=users, duration_s=duration_s, payload_bytes=payload, rate=rate)


def vary(
    session: Session, user_steps: tuple[int, ...], payload_steps: tuple[int, ...], warmup_s: float, repeat: int
) -> None:
    """Steps, warm-up and repeats of the next runs; see `confman_tui.session.commands.SessionCommands.vary`."""
    settings = session.settings
    _change_settings(
        session,
        users=None if user_steps else settings.users,
        user_steps=user_steps,
        payload_bytes=payload_steps[0] if payload_steps else settings.payload_bytes,
        payload_steps=payload_steps,
        warmup_s=warmup_s,
        repeat=repeat,
    )


def _change_settings(session: Session, **changes: Any) -> None:
    session.settings = replace(session.settings, **changes)
    if session.connection is not None:
        session.connection.dataset.settings = session.settings
        session.announce_configuration()


def plan_drill(session: Session, kind: FaultKind, rounds: int) -> None:
    """What a drill does to the leader, and how often, from now on."""
    session.settings = replace(session.settings, fault=kind.value, rounds=rounds)


def plan_sweep(session: Session, sizes: tuple[int, ...]) -> None:
    """At how many entries a sweep measures, from now on."""
    session.settings = replace(session.settings, entries=sizes)


def change_rate(session: Session, factor: float) -> None:
    """Multiply the rate of the open loop that runs, within the limits of ``--rate``; says why when none does."""
    if session.run is None or not session.run.change_rate(factor):
        session.notice("no run with a rate goes on, so there is none to change", Level.WARNING)


async def choose_tier(session: Session, tier: str) -> None:
    """Clean the present tier's data and seed the other's.

    Raises:
        ClusterError: another program uses that tier, or the cluster takes nothing.
    """
    session.begin_activity()
    dataset = session.cluster.dataset
    if tier != dataset.tier.name or not dataset.seeded:
        session.phase(Phase.CLEANING, f"tier {dataset.tier.name}")
        await dataset.change_tier(tier)
        session.settings = dataset.settings
        session.announce_configuration()
        if not session.stopping():
            await session.seed()
    session.rest()


async def put_back(session: Session) -> None:
    """Put the data back to the seeded state: what runs wrote goes away.

    Raises:
        ClusterError: the cluster takes nothing.
    """
    session.begin_activity()
    dataset = session.cluster.dataset
    if dataset.seeded:
        session.phase(Phase.CLEANING, "back to the seeded state")
        await dataset.reset()
    else:
        await session.seed()
    if not session.stopping():
        session.notice(f"the data is as it was seeded: {len(dataset.keys):,} entries")
    session.rest()


async def remove_leftovers(session: Session) -> None:
    """Remove the data of earlier runs that the start, or ``clean``, found."""
    session.begin_activity()
    session.phase(Phase.CLEANING, "data of earlier runs")
    await session.cluster.dataset.remove_leftovers()
    if session.interactive:
        session.rest()
