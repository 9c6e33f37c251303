"""The same days judged once more, by the same version of the policy, on the facts as they are today. Nothing is stored."""

import datetime
from dataclasses import dataclass
from typing import Any

from assessments import evaluations, judgement, windows
from assessments.evaluations import Policies, Subject
from assessments.models import Evaluation
from assessments.window_sums import Sums


@dataclass(frozen=True, slots=True)
class Rerun:
    """An evaluation as it is stored, and the same days judged today; `today` is never stored.

    `is_same`: every number that goes in is the same. `sums` are those that are not: (name, stored, today).
    """

    stored: Evaluation
    today: Evaluation
    is_same: bool
    sums: list[tuple[str, Any, Any]]

    @property
    def other_rules(self) -> bool:
        """What is stored was made by another version of the rules, so that a difference may come from them."""
        return self.stored.code_version != judgement.CODE_VERSION


def rerun(stored: Evaluation) -> Rerun:
    """Judges the days of an evaluation again, by its own version of the policy. A constant number of statements.

    The categories whose breaches gate the grade of the whole are judged by the versions in force on its day.
    """
    policies = Policies()
    chosen = [evaluations.to_judge(_subject(stored, stored.category), stored.policy)]
    if stored.category_id is None:
        named = evaluations.named_categories([stored.factory_id], policies).get(stored.factory_id, ())
        chosen += evaluations.choose([_subject(stored, category) for category in named], policies)
    judgements = evaluations.judge_chosen(chosen, Sums(evaluations.asked(chosen)))
    window_days, judged = next(
        (days, judged) for subject, _, days, judged in judgements if _scope(subject) == stored.category_id
    )
    fingerprint = judgement.digest(judged, stored.policy_id, str(stored.kind), window_days)
    return Rerun(
        stored,
        Evaluation(
            factory=stored.factory, category=stored.category, kind=stored.kind, as_of=stored.as_of, policy=stored.policy,
            window_days=window_days, is_extended=windows.EXTENDED_WINDOW in judged.flags, sums=judged.sums,
            measures=judged.measures, gates=judged.gates, flags=judged.flags, score=judged.score,
            ungated_grade=judged.ungated, raw_grade=judged.raw, code_version=judgement.CODE_VERSION, digest=fingerprint,
        ),
        fingerprint == stored.digest,
        other(stored.sums, judged.sums),
    )  # fmt: skip


def other(stored: dict[str, Any], today: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """The sums that differ, by name; those of money by currency and name. None where a side does not have one."""
    sides = [_flat(stored), _flat(today)]
    return [
        (name, *(side.get(name) for side in sides))
        for name in sorted({*sides[0], *sides[1]})
        if sides[0].get(name) != sides[1].get(name)
    ]


def _flat(sums: dict[str, Any]) -> dict[str, Any]:
    """Numbers by name, as text; a sum that is not there is 0, as where nothing at all lies in a window."""
    found = {name: str(value) for name, value in sums.items() if name != "money" and value}
    for row in sums.get("money") or ():
        found |= {f"{row['currency']} {name}": str(value) for name, value in row.items() if name != "currency"}
    return found


def _subject(stored: Evaluation, category: Any) -> Subject:
    over_on = datetime.date.fromisoformat(stored.sums["due_last"])
    return Subject(stored.kind, stored.factory, category, stored.as_of, over_on)


def _scope(subject: Subject) -> int | None:
    return subject.category.pk if subject.category else None
