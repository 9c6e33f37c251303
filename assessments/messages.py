"""All that this floor sends: who is told of what, and in which words."""

import datetime
from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from django.conf import settings
from django.db.models import Q, prefetch_related_objects
from django.template.loader import render_to_string

from accounts.models import User
from assessments.figures import percent
from assessments.models import Action, ActionStep, Breach, Claim, ClaimStep, Watch
from factories.models import Membership
from notifications import outbox
from production.models import Dispute
from production.rollup_sums import half_up

SINGLE_MAILS = 5
SUBJECT_WORDS = {
    "opened": "Beyond limit", "reopened": "Beyond limit again", "severity_up": "Beyond limit, now proven", "resolved": "Back in range",
}  # fmt: skip
ACTION_WORDS = {
    "asked": "Please do", "answer": "Answered", "confirm": "Done", "return": "Please look again", "drop": "No longer needed",
}  # fmt: skip
CLAIM_WORDS = {
    "send": "Claim", "accept": "Claim accepted", "dispute": "Claim disputed", "waive": "Claim waived", "settle": "Claim settled",
    "evidence": "More evidence",
}  # fmt: skip


def tell(happened: Sequence[tuple[Breach, str]]) -> None:
    """Owes one message per breach and person who watches its factory; more than five at once become one list."""
    if not happened:
        return
    watchers = _watchers({breach.factory_id for breach, _ in happened})
    per_person: dict[User, list[tuple[Breach, str]]] = defaultdict(list)
    for breach, what in happened:
        for user in watchers[breach.factory_id]:
            per_person[user].append((breach, what))
    drafts = []
    for user, items in per_person.items():
        if len(items) > SINGLE_MAILS:
            drafts.append(_list_of(user, items))
        else:
            drafts += [_one(user, breach, what) for breach, what in items]
    outbox.owe_many(drafts)


def tell_of_actions(happened: Sequence[tuple[Action, ActionStep]]) -> None:
    """Owes a message to the other side: what we ask and decide to the factory's contacts, an answer to who watches it."""
    told = [(action, step) for action, step in happened if step.what != "confirm" or step.by is not None]
    ours, theirs = ({action.factory_id for action, step in told if _is_theirs(step) == side} for side in (False, True))
    contacts, watchers = _contacts(ours) if ours else {}, _watchers(theirs) if theirs else {}
    readers = [(watchers if _is_theirs(step) else contacts)[action.factory_id] for action, step in told]
    if any(readers):
        prefetch_related_objects([action for action, _ in told], "factory")
    drafts = []
    for (action, step), users in zip(told, readers, strict=True):
        if not users:
            continue
        context = {"action": action, "step": step, "word": ACTION_WORDS[step.what], "site_url": settings.SITE_URL}
        context["url"] = settings.SITE_URL + action.get_absolute_url()
        for user in users:
            drafts.append(
                outbox.draft(
                    user, "action", f"action:{action.pk}:{step.pk}",
                    f"[{context['word']}] {action.title}, {action.factory.name}",
                    render_to_string("assessments/mail/action.txt", context | {"user": user}),
                    thread=f"action-{action.pk}",
                )
            )  # fmt: skip
    outbox.owe_many(drafts)


def _is_theirs(step: ActionStep) -> bool:
    return step.by is not None and step.by.role == User.Role.CONTACT


def tell_of_claim(claim: Claim, step: ClaimStep) -> None:
    """Owes a message to the other side: a claim we send to the factory's contacts, their answer to who watches it."""
    if step.what not in CLAIM_WORDS or not claim.steps.filter(what="send").exists():
        return  # the factory never heard of it
    theirs = step.by.role == User.Role.CONTACT
    context = {"claim": claim, "step": step, "word": CLAIM_WORDS[step.what], "site_url": settings.SITE_URL}
    context["url"] = settings.SITE_URL + claim.get_absolute_url()
    readers = (_watchers if theirs else _contacts)({claim.factory_id})[claim.factory_id]
    outbox.owe_many(
        outbox.draft(
            user, "claim", f"claim:{claim.pk}:{step.pk}",
            f"[{context['word']}] {claim.code}, {claim.factory.name}",
            render_to_string("assessments/mail/claim.txt", context | {"user": user}),
            thread=f"claim-{claim.pk}",
        )
        for user in readers
    )  # fmt: skip


def dispute_raised(dispute: Dispute) -> None:
    """Owes a message to everyone who watches the factory: it disputes a row."""
    _of_dispute(dispute, _watchers({dispute.factory_id})[dispute.factory_id], "raised", "Disputed")


def dispute_answered(dispute: Dispute) -> None:
    """Owes the answer to the contact who raised the dispute."""
    _of_dispute(dispute, [dispute.raised_by], "answered", f"Dispute {dispute.get_state_display().lower()}")


def _of_dispute(dispute: Dispute, readers: Sequence[User], what: str, word: str) -> None:
    context = {"dispute": dispute, "word": word, "site_url": settings.SITE_URL, "row": dispute_row(dispute)}
    context["url"] = settings.SITE_URL + dispute.get_absolute_url()
    text = render_to_string(f"assessments/mail/dispute_{what}.txt", context)
    subject = f"[{word}] {context['row']}, {dispute.factory.name}"
    outbox.owe_many(
        outbox.draft(
            user, f"dispute_{what}", f"dispute:{dispute.pk}:{what}", subject, text, thread=f"dispute-{dispute.pk}"
        )
        for user in readers
    )


def dispute_row(dispute: Dispute) -> str:
    """The row that a dispute is about, for a mail."""
    words = {"line": "order line", "lot": "lot", "delivery": "delivery", "material": "material"}[dispute.kind]
    if dispute.kind == "material":
        return f"{words} {dispute.order_material.material.name} of {dispute.order.number}"
    return f"{words} {dispute.subject.code}"


def _contacts(factories: set[int]) -> dict[int, list[User]]:
    found: dict[int, list[User]] = defaultdict(list)
    members = Membership.objects.filter(
        factory__in=factories, user__is_active=True, user__role=User.Role.CONTACT
    ).select_related("user")
    for member in members.order_by("user_id"):
        found[member.factory_id].append(member.user)
    return found


def alarm(day: datetime.date, problems: Sequence[str]) -> None:
    """Tells the administrators that stored numbers do not compute to what they say."""
    lines = "\n".join(f"- {problem[:400]}" for problem in problems[:20])
    outbox.owe_many(
        outbox.draft(
            user,
            "verification",
            f"verification:{day}",
            f"[Check failed] {len(problems)} stored numbers do not compute again",
            f"The nightly check of {day} found {len(problems)} differences:\n\n{lines}\n\n"
            "Run `manage.py verify_evaluations` for all of them. Nothing was changed.\n",
        )
        for user in User.objects.active().with_role(User.Role.ADMIN)
    )


def _watchers(factories: set[int]) -> dict[int, list[User]]:
    found: dict[int, set[User]] = defaultdict(set)
    watches = Watch.objects.filter(
        Q(factory=None) | Q(factory__in=factories), user__is_active=True, user__role__in=["manager", "buyer", "admin"]
    ).select_related("user")
    for watch in watches:
        for factory in factories if watch.factory_id is None else [watch.factory_id]:
            found[factory].add(watch.user)
    return defaultdict(list, {factory: sorted(users, key=lambda user: user.pk) for factory, users in found.items()})


def _one(user: User, breach: Breach, what: str) -> Any:
    context = {"user": user, "what": what, "word": SUBJECT_WORDS[what], "site_url": settings.SITE_URL, **facts(breach)}
    return outbox.draft(
        user,
        f"breach_{what}",
        f"breach:{breach.pk}:{what}:{breach.flaps}:{breach.severity}",
        f"[{SUBJECT_WORDS[what]}] {breach.factory.name}: {context['headline']}",
        render_to_string("assessments/mail/breach.txt", context),
        render_to_string("assessments/mail/breach.html", context),
        thread=f"breach-{breach.pk}",
    )


def _list_of(user: User, items: Sequence[tuple[Breach, str]]) -> Any:
    rows = [{"word": SUBJECT_WORDS[what], **facts(breach)} for breach, what in items]
    context = {"user": user, "rows": rows, "site_url": settings.SITE_URL, "count": len(rows)}
    names = sorted({breach.factory.name for breach, _ in items})
    who = names[0] if len(names) == 1 else f"{len(names)} factories"
    return outbox.draft(
        user,
        "breach_list",
        "breaches:" + ",".join(f"{breach.pk}.{what}" for breach, what in items),
        f"[{len(rows)} limits broken] {who}",
        render_to_string("assessments/mail/breach_list.txt", context),
        render_to_string("assessments/mail/breach_list.html", context),
    )


def facts(breach: Breach) -> dict[str, Any]:
    """What a mail says of a breach: headline, one sentence, and the addresses of its rows, its score and itself."""
    base = settings.SITE_URL
    common = {"breach": breach, "breach_url": base + breach.get_absolute_url(), "score_url": ""}
    if breach.event == Breach.Event.LATE_ORDER:
        return common | {
            "headline": f"order {breach.order.number} is late",
            "sentence": f"Order {breach.order.number} was not complete on its last on-time day, the day before {day(breach.opened_on)}.",
            "rows_url": base + breach.order.get_absolute_url(), "rows_label": "See the order",
        }  # fmt: skip
    if breach.event == Breach.Event.CRITICAL_LOT:
        return common | {
            "headline": f"lot {breach.lot.code} has critical defects",
            "sentence": f"{count(breach.value)} with a critical defect in lot {breach.lot.code} of order {breach.order.number}.",
            "rows_url": base + breach.order.get_absolute_url(), "rows_label": "See the order and its inspections",
        }  # fmt: skip
    if breach.event == Breach.Event.CHARGE:
        return common | {
            "headline": f"material loss on order {breach.order.number}",
            "sentence": f"{percent(breach.value)} of {breach.order_material.material.name} is lost on order "
            f"{breach.order.number}, more than the contract allows.",
            "rows_url": base + breach.order.get_absolute_url(), "rows_label": "See the reconciliation",
        }  # fmt: skip
    evaluation = breach.latest
    measure = evaluation.measures[breach.measure]
    rows_url = f"{base}{evaluation.get_absolute_url()}{breach.measure}/"
    scope = f" in {breach.category.name}" if breach.category else ""
    if breach.measure == "otif":
        headline = f"on time in full {percent(measure['rate'])}, floor {percent(measure['limit'])}{scope}"
        sentence = (
            f"{measure['num']} of {measure['den']} order lines due from {day(measure['first'])} to {day(measure['last'])} "
            f"arrived on time and in full."
        )
        rows_label = f"See the {measure['den']} lines"
    elif breach.measure == "defect":
        headline = f"defect rate {percent(measure['rate'])}, ceiling {percent(measure['limit'])}{scope}"
        sentence = (
            f"{measure['num']} of {measure['den']} inspected units in {measure['lots']} lots were defective from "
            f"{day(measure['first'])} to {day(measure['last'])}."
        )
        rows_label = f"See the {measure['lots']} lots"
    else:
        headline = f"material loss {percent(measure['rate'])}, limit {percent(measure['limit'])}{scope}"
        sentence = (
            f"{measure['currency']} {money(measure['num'])} of {measure['currency']} {money(measure['den'])} of material was lost on "
            f"{measure['orders']} orders closed from {day(measure['first'])} to {day(measure['last'])}."
        )
        rows_label = "See the materials"
    return common | {
        "headline": headline, "sentence": sentence, "rows_url": rows_url, "rows_label": rows_label, "measure": measure,
        "score_url": base + evaluation.get_absolute_url(), "evaluation": evaluation,
        "interval": f"{percent(measure['lower'])} to {percent(measure['upper'])}" if measure.get("lower") is not None else "",
    }  # fmt: skip


def money(value: Any) -> str:
    return f"{half_up(Fraction(str(value)), 2):,}"


def count(value: Any) -> str:
    return "1 unit" if value == 1 else f"{value:.0f} units"


def day(value: Any) -> str:
    if isinstance(value, str):
        year, month, date = value.split("-")
        return f"{int(date)} {MONTHS[int(month) - 1]} {year}"
    return f"{value.day} {MONTHS[value.month - 1]} {value.year}"


MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
