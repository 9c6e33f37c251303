"""What people did about what was found: claims in every state, and answers to improvement plans. Sends no mail."""

import csv
import datetime
import io
from collections.abc import Callable
from decimal import Decimal

import pgtrigger
from django.utils import timezone
from PIL import Image, ImageDraw

from accounts.models import User
from assessments import actions, claim_evidence, claims
from assessments.demo.people import PEOPLE
from assessments.file_kinds import Known, known
from assessments.models import Action, ActionStep, Claim, ClaimEvidence, ClaimStep
from factories.models import Factory, Membership, Standing
from notifications.models import Message
from production import switching

WEIGH_NOTE = "Weigh notes of both rolls and the cutting report are in the order's folder."
SHORT_ROLLS = "Four rolls were shorter than their labels; photos of the meter are with the quality office."
BY_TELEPHONE = "Ms Hoa, head of the factory's store, agreed by telephone and will sign the sheet."
WRITTEN_JUST_NOW = [
    "assessments.Claim:claim_is_kept",
    "assessments.ClaimStep:append_only",
    "assessments.ClaimEvidence:evidence_is_kept",
]
PLAN_ANSWER = "Cause, measures, people and days are in the plan we sent on paper. The first measure is done."
CORRECTION = ("Show how needles are checked", "Broken needle log of every line for two weeks, signed each shift.")
CORRECTIONS = 5
PRESSES = (
    "Find the cause of the rejected lots",
    "Five lots were not accepted while inspection was tightened. What causes it, and what changes?",
    "Two presses were worn. Both are replaced, and the first piece of each shift is measured.",
    "Seen at the line: new presses, signed first-piece records of two weeks.",
)


def follow(day: datetime.date, factories: list[int]) -> None:
    """Claims and actions of the demo factories as they look on `day`."""
    people = {user.role: user for user in User.objects.filter(email__in=[person.email for person in PEOPLE])}
    if not {"manager", "buyer"} <= people.keys():
        return
    contacts = {
        member.factory_id: member.user
        for member in Membership.objects.filter(factory__in=factories, user__role="contact").select_related("user")
    }
    _claim(day, factories, people, contacts)
    _plan(day, factories, people, contacts)
    _correct(day, factories, people, contacts)
    mine = [("action", Action), ("claim", Claim)]
    threads = [
        f"{name}-{pk}"
        for name, model in mine
        for pk in model.objects.filter(factory__in=factories).values_list("pk", flat=True)
    ]
    Message.objects.filter(thread__in=threads).delete()


def _claim(day: datetime.date, factories: list[int], people: dict[str, User], contacts: dict[int, User]) -> None:
    manager, buyer = people["manager"], people["buyer"]

    def contact(claim: Claim) -> User:
        return contacts.get(claim.factory_id, buyer)

    def sent(claim: Claim) -> None:
        claims.move(claim, "send", buyer, note="Please answer within ten days.")

    def disputed(claim: Claim) -> None:
        sent(claim)
        claims.move(claim, "dispute", contact(claim), note=SHORT_ROLLS)
        claim_evidence.add(
            claim, contact(claim), [label_of_a_roll()], "The label says 50.00 m, the meter 48.35 m.", told=False
        )

    def accepted(claim: Claim) -> None:
        sent(claim)
        by = contact(claim)
        claims.move(claim, "accept", by, note=BY_TELEPHONE if by == buyer else "")

    def settled(claim: Claim) -> None:
        accepted(claim)
        claims.move(
            claim, "settle", buyer, settled_by="set_off", settled_on=day - datetime.timedelta(days=6),
            reference="INV-2207", settlement_currency="CNY", settlement_rate=Decimal("7.1834"),
        )  # fmt: skip

    def waived(claim: Claim) -> None:
        sent(claim)
        claims.move(claim, "waive", manager, note="Our cloth was narrower than ordered.")

    stories: list[Callable[[Claim], None]] = [lambda claim: None, sent, settled, disputed, accepted, waived]
    found = [outcome for outcome in claims.claimable() if outcome.factory_id in factories]
    own_first = sorted(found, key=lambda row: (row.factory_id not in contacts, -row.closed_on.toordinal(), row.pk))
    for tell, outcome in zip(stories, own_first, strict=False):
        claim = claims.make(outcome, buyer, WEIGH_NOTE)
        claim_evidence.add(claim, buyer, [store_card(claim)], "What our store gave out and got back for this order.")
        tell(claim)
        begun = min(claim.closed_on + datetime.timedelta(days=3), day - datetime.timedelta(days=1))
        with pgtrigger.ignore(*WRITTEN_JUST_NOW):
            _date(Claim, "created_at", claim.pk, begun)
            for proof in claim.proofs.all():
                _date(ClaimEvidence, "added_at", proof.pk, begun if proof.added_by == buyer else day)
            for place, step in enumerate(claim.steps.all()):
                _date(ClaimStep, "at", step.pk, min(begun + datetime.timedelta(days=2 * place), day))


def store_card(claim: Claim) -> Known:
    """The card of the store for a claimed material: every movement of it, as a table."""
    supplied = claim.order_material
    rows = [["document", "day", "movement", "quantity", "unit"]]
    rows += [
        [
            move.document,
            str(move.moved_on),
            move.get_kind_display(),
            f"{move.quantity_entered.normalize():f}",
            move.unit_entered,
        ]
        for move in supplied.movements.all()
    ]
    table = io.StringIO()
    csv.writer(table).writerows(rows)
    return known(f"store card {supplied.material.code}.csv", table.getvalue().encode("utf-8-sig"))


def label_of_a_roll() -> Known:
    """A picture of the label of a roll beside the meter."""
    picture = Image.new("RGB", (480, 240), "#e9e4d8")
    pen = ImageDraw.Draw(picture)
    pen.rectangle((24, 24, 230, 216), fill="white", outline="#333333", width=3)
    pen.multiline_text((44, 52), "ROLL 0417-09\n\nLENGTH 50.00 m\nWIDTH 1.60 m\n180 g/m2", fill="#111111", spacing=8)
    pen.rectangle((260, 70, 456, 150), fill="#20262e")
    pen.text((292, 92), "0048.35 m", fill="#9be564", font_size=28)
    written = io.BytesIO()
    picture.save(written, "PNG")
    return known("roll 0417-09.png", written.getvalue())


def _plan(day: datetime.date, factories: list[int], people: dict[str, User], contacts: dict[int, User]) -> None:
    """Plans of earlier stretches of a grade are done; of the present ones the old and each second are answered."""
    now = dict(Standing.objects.filter(factory__in=factories, needs_plan=True).values_list("factory_id", "since_on"))
    plans = Action.objects.filter(factory__in=factories, kind="plan").select_related("factory").order_by("pk")
    waiting = 0
    for plan in plans:
        since = plan.grade_since or day
        asked = min(since + datetime.timedelta(days=1), day - datetime.timedelta(days=1))
        Action.objects.filter(pk=plan.pk).update(due_on=asked + datetime.timedelta(days=actions.PLAN_DAYS))
        _date(Action, "asked_at", plan.pk, asked)
        is_present = now.get(plan.factory_id) == plan.grade_since
        waiting += is_present
        if not is_present or waiting % 2 == 0 or (day - asked).days > 45:
            actions.move(plan, "answer", contacts.get(plan.factory_id, people["buyer"]), PLAN_ANSWER)
        if not is_present:
            actions.move(plan, "confirm", people["manager"])
        with pgtrigger.ignore("assessments.ActionStep:append_only"):
            for place, step in enumerate(plan.steps.all()):
                _date(ActionStep, "at", step.pk, min(asked + datetime.timedelta(days=6 * place), day))
    actions.sync_standings(factories)
    for factory in Factory.objects.filter(pk__in=sorted(contacts)[:1]):
        due_on = max(day, timezone.localdate()) + datetime.timedelta(days=9)
        actions.ask(factory, people["manager"], CORRECTION[0], due_on, CORRECTION[1])


def _correct(day: datetime.date, factories: list[int], people: dict[str, User], contacts: dict[int, User]) -> None:
    """What discontinued inspection was corrected within a month and checked, except at the factories that fail to this day."""
    failing = Standing.objects.filter(grade="failing").values("factory")
    waiting = Factory.objects.filter(pk__in=factories).exclude(pk__in=failing).order_by("code")
    for _again in range(CORRECTIONS):  # what comes after a correction may stop it once more
        corrected = []
        for factory in waiting.select_related("standing"):
            stopped = [
                state.since for state in switching.of(factory, day).values() if state.is_discontinued and state.since
            ]
            asked = min(stopped, default=day) + datetime.timedelta(days=2)
            seen = asked + datetime.timedelta(days=23)
            if stopped and seen < day:
                _corrected(factory, people, contacts.get(factory.pk, people["buyer"]), asked, seen)
                corrected.append(factory.pk)
        actions.sync_standings(corrected)
        waiting = waiting.filter(pk__in=corrected)


def _corrected(
    factory: Factory, people: dict[str, User], answers: User, asked: datetime.date, seen: datetime.date
) -> None:
    """One correction of the quality, from its asking to the day it was checked."""
    action = actions.ask(factory, people["manager"], PRESSES[0], timezone.localdate(), PRESSES[1])
    actions.move(action, "answer", answers, PRESSES[2])
    actions.move(action, "confirm", people["manager"], PRESSES[3])
    Action.objects.filter(pk=action.pk).update(due_on=asked + datetime.timedelta(days=21))
    _date(Action, "asked_at", action.pk, asked)
    with pgtrigger.ignore("assessments.ActionStep:append_only"):
        for step, on in zip(action.steps.all(), (asked, seen - datetime.timedelta(days=6), seen), strict=True):
            _date(ActionStep, "at", step.pk, on)


def _date(model: type, field: str, key: int, day: datetime.date) -> None:
    """Writes a moment of the past: all of it was written just now."""
    moment = datetime.datetime.combine(day, datetime.time(9, 40), datetime.UTC)
    model.objects.filter(pk=key).update(**{field: moment})
