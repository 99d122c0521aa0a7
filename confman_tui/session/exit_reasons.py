"""Why the program ends with another exit code than 0: gathered from the session's events, for both front ends alike."""

from __future__ import annotations

from collections.abc import Iterable

from confman_tui.cluster.elections import Verification
from confman_tui.core.errors import (
    EXIT_GENERATOR_BOUND,
    EXIT_LOST,
    EXIT_NO_SUCCESS,
    EXIT_ORDER,
    EXIT_UNJUDGED,
    EXIT_WORKERS,
    ExitReason,
    exit_code_of,
)
from confman_tui.results.model import ScenarioResult
from confman_tui.session.events import DrillEnded, Event, NoticeGiven, ScenarioEnded, VerificationEnded
from confman_tui.settings.scenarios import DRILL_NAME


class ExitReasons:
    """All that happened in the program's life and calls for another exit code than 0."""

    def __init__(self, *, strict: bool = False) -> None:
        """``strict``: a generator that was the limit counts too (``--strict``)."""
        self._strict = strict
        self._reasons: dict[ExitReason, bool] = {}
        """Each once, and whether the person was told already."""

    @property
    def code(self) -> int:
        """The program's exit code as things are."""
        return exit_code_of(self._reasons)

    def add(self, code: int, text: str, *, told: bool = False) -> None:
        """A reason that is no event's; ``told``: it has been printed."""
        reason = ExitReason(code, text)
        self._reasons[reason] = told or self._reasons.get(reason, False)

    def take(self, event: Event) -> None:
        """Note what an event calls for."""
        match event:
            case VerificationEnded(scenario, verification):
                self._note(verification_reasons(scenario, verification))
            case ScenarioEnded(result) if (
                result.of_scenario != DRILL_NAME
            ):  # the drill's own verdict speaks of its load
                self._note(result_reasons(result, strict=self._strict))
            case DrillEnded():
                self._note(event.reasons)
            case NoticeGiven(calls_for=code) if code:
                self._note([ExitReason(code, event.text)])
            case _:
                pass

    def _note(self, reasons: Iterable[ExitReason]) -> None:
        for reason in reasons:
            self._reasons.setdefault(reason, False)

    def lines(self) -> list[str]:
        """A line for each reason, the one that decides first; none where all that there is to say was said."""
        if all(self._reasons.values()):
            return []
        ordered = sorted(self._reasons, key=lambda reason: EXIT_ORDER.index(reason.code))
        decides, *others = ordered
        return [
            f"exit code {decides.code}: {decides.text}",
            *(f"also (by itself exit code {reason.code}): {reason.text}" for reason in others),
        ]


def verification_reasons(scenario: str, verification: Verification) -> list[ExitReason]:
    """What the verification of a run calls for."""
    reasons = []
    if verification.failed:
        lost, phantom = verification.lost, verification.phantom
        text = f"{scenario}: {lost:,} acknowledged writes lost, {phantom:,} refused ones present"
        reasons.append(ExitReason(EXIT_LOST, text))
    if verification.missed:
        why = verification.note or "nothing was read back"
        reasons.append(ExitReason(EXIT_UNJUDGED, f"{scenario}: acknowledged writes could not be judged: {why}"))
    return reasons


def result_reasons(result: ScenarioResult, *, strict: bool) -> list[ExitReason]:
    """What a run's figures call for; its verification has an event of its own."""
    reasons = []
    outcome = result.outcome
    if outcome.invalid:
        reasons.append(ExitReason(EXIT_WORKERS, f"{result.name}: the figures are invalid: {outcome.invalid}"))
    if strict and result.generator_bound is not None:
        bound = result.generator_bound.reason
        reasons.append(ExitReason(EXIT_GENERATOR_BOUND, f"{result.name}: the generator was the limit: {bound}"))
    if outcome.requests == outcome.failures:
        reasons.append(ExitReason(EXIT_NO_SUCCESS, f"{result.name}: no request succeeded"))
    return reasons
