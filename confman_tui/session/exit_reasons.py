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
from confman_tui.results.late_phantoms import late_reason
from confman_tui.results.model import ScenarioResult
from confman_tui.session.events import (
    DrillEnded,
    Event,
    LateWritesFound,
    NoticeGiven,
    ScenarioEnded,
    VerificationEnded,
)
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

    def join(self, other: ExitReasons) -> None:
        """Take all that another one has; it may belong to a thread that goes on."""
        for reason, told in other._reasons.copy().items():
            self.add(reason.code, reason.text, told=told)

    def code_with(self, *codes: int) -> int:
        """The same if these codes were called for, too."""
        return exit_code_of((*self._reasons, *(ExitReason(code, "") for code in codes)))

    def add(self, code: int, text: str, *, told: bool = False) -> None:
        """A reason that is no event's; ``told``: it has been printed."""
        reason = ExitReason(code, text)
        self._reasons[reason] = told or self._reasons.get(reason, False)

    def take(self, event: Event) -> None:
        """Note what an event calls for."""
        match event:
            case VerificationEnded(scenario, verification):
                self._note(verification_reasons(scenario, verification))
            case LateWritesFound(scenario, keys=keys):
                self._note([late_reason(scenario, keys)])
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


def broken_words(verification: Verification) -> str:
    """How the cluster broke its promise, in words: what is none is left out."""
    lost, diverged, phantom = verification.lost, verification.diverged, verification.phantom
    parts = [f"{lost:,} acknowledged writes lost"] if lost else []
    parts += [f"{diverged:,} acknowledged writes differ on a node for good"] if diverged else []
    parts += [f"{phantom:,} refused writes present"] if phantom else []
    return ", ".join(parts)


def verification_reasons(scenario: str, verification: Verification) -> list[ExitReason]:
    """What the verification of a run calls for."""
    reasons = []
    if verification.failed:
        reasons.append(ExitReason(EXIT_LOST, f"{scenario}: {broken_words(verification)}"))
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
