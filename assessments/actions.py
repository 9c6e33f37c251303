"""What factories are asked to do better: asked, answered by the factory, checked by us, or dropped with a reason."""

import datetime
from collections.abc import Sequence
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from assessments import messages
from assessments.models import Action, ActionStep, Breach
from assessments.workflow import BOSSES, OURS, Move, open_moves, table
from factories.models import Factory
from production.errors import BadInput

State = Action.State
PLAN = "Improvement plan"
PLAN_ASK = "The grade asks for a plan: what went wrong, what will be done by whom and when, and how it is proven."
PLAN_DAYS = 14  # an improvement plan is due so many days after the grade was published
LONGEST_DAYS = 730


MOVES = table(
    Move("answer", frozenset({State.ASKED}), State.ANSWERED, OURS | {"contact"}, needs_note=True),
    Move("confirm", frozenset({State.ANSWERED, State.ASKED}), State.DONE, OURS),
    Move("return", frozenset({State.ANSWERED}), State.ASKED, OURS, needs_note=True),
    Move("drop", frozenset({State.ASKED, State.ANSWERED}), State.DROPPED, BOSSES, needs_note=True),
)


def ask(
    factory: Factory, user: Any, title: str, due_on: datetime.date, text: str = "", breach: Breach | None = None
) -> Action:
    """Asks a factory for a correction by a day, and tells its contacts. BadInput for a day that cannot be."""
    today = timezone.localdate()
    if due_on < today:
        raise BadInput("The day it is due lies in the past.", "due_on")
    if (due_on - today).days > LONGEST_DAYS:
        raise BadInput("The day it is due lies more than two years ahead.", "due_on")
    if breach is not None and breach.factory_id != factory.pk:
        raise BadInput("That breach is of another factory.", "breach")
    with transaction.atomic():
        action = Action.objects.create(
            factory=factory, title=title, ask=text, due_on=due_on, breach=breach, asked_by=user
        )
        _step(action, "asked", user, text)
    return action


def moves_for(action: Action, user: Any) -> list[Move]:
    """What this person may do with the action now."""
    return open_moves(MOVES, action.state, user)


def move(action: Action, name: str, user: Any, note: str = "") -> bool:
    """Makes a move. False, and nothing changes, when somebody else moved it first; BadInput when words are missing."""
    wanted = MOVES[name]
    if wanted.needs_note and not note.strip():
        raise BadInput("Say what was done." if name == "answer" else "Say why.", "note")
    with transaction.atomic():
        won = Action.objects.filter(pk=action.pk, state__in=wanted.sources).update(state=wanted.target)
        if won:
            action.refresh_from_db()
            _step(action, name, user, note)
        return bool(won)


def _step(action: Action, what: str, user: Any, note: str) -> None:
    step = ActionStep.objects.create(action=action, what=what, by=user, note=note)
    messages.tell_of_actions([(action, step)])
    if action.kind == Action.Kind.PLAN or what == "confirm":
        sync_standings([action.factory_id])


def ask_for_plans(factories: Sequence[int]) -> int:
    """Asks these factories for the improvement plan that their grade owes, once for each stretch of that grade.

    Safe to run again at any time. How many were asked.
    """
    with transaction.atomic():
        values = {"title": PLAN, "ask": PLAN_ASK, "days": PLAN_DAYS, "factories": list(factories)}
        asked = list(Action.objects.raw(ASK, values))
        steps = [ActionStep(pk=one.step_id, action=one, what="asked", note=one.ask) for one in asked]
        messages.tell_of_actions(list(zip(asked, steps, strict=True)))
    return len(asked)


# The action, its first step, and since when a plan waits for the answer (see `sync_standings`).
ASK = """
WITH asked AS (
    INSERT INTO assessments_action (factory_id, kind, grade_since, title, ask, due_on, state, asked_at)
    SELECT s.factory_id, 'plan', s.since_on, %(title)s, %(ask)s, CURRENT_DATE + %(days)s, 'asked', now()
    FROM factories_standing s WHERE s.needs_plan AND s.factory_id = ANY(%(factories)s)
    ON CONFLICT DO NOTHING RETURNING *
), steps AS (
    INSERT INTO assessments_actionstep (action_id, at, what, note) SELECT id, now(), 'asked', ask FROM asked RETURNING id, action_id
), waits AS (
    UPDATE factories_standing s SET plan_due_on = LEAST(s.plan_due_on, a.due_on) FROM asked a WHERE s.factory_id = a.factory_id
)
SELECT asked.*, steps.id AS step_id FROM asked JOIN steps ON steps.action_id = asked.id ORDER BY asked.id
"""


# The days on which corrections were confirmed, by the calendar of the factory `f`: they end what its lots had stopped. One
# that was asked because of late goods or lost material says nothing of the quality.
CORRECTED = """
NULLIF(ARRAY(
    SELECT DISTINCT (p.at AT TIME ZONE f.time_zone)::date FROM assessments_action a
    JOIN assessments_actionstep p ON p.action_id = a.id AND p.what = 'confirm'
    LEFT JOIN assessments_breach b ON b.id = a.breach_id
    WHERE a.factory_id = f.id AND a.kind = 'correction' AND a.state = 'done' AND COALESCE(b.measure, 'defect') = 'defect'
    ORDER BY 1
), '{}')"""


def sync_standings(factories: Sequence[int]) -> None:
    """Writes down one floor below, where orders are placed and goods inspected: since when a plan waits for the factory's
    answer, and on which days corrections were confirmed."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE factories_standing s SET plan_due_on = (SELECT min(a.due_on) FROM assessments_action a "
            "WHERE a.factory_id = s.factory_id AND a.kind = 'plan' AND a.state = 'asked'), "
            f"corrected_on = {CORRECTED} FROM factories_factory f WHERE f.id = s.factory_id AND s.factory_id = ANY(%s)",
            [list(factories)],
        )
