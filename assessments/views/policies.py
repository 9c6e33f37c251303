"""How factories are judged: the versions, one of them, and a new one."""

import datetime
import hashlib
import json
from typing import Any

from django.contrib import messages
from django.forms import model_to_dict
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from assessments import four_eyes, grading
from assessments.figures import day
from assessments.forms import GROUPS, LABELS, MAIN_GROUPS, PERCENTS, VALUES, DeclineForm, PolicyForm, differences, shown
from assessments.models import Policy
from assessments.views.entrance import POLICY, open_to, today
from assessments.views.tried import tried
from factories.models import Factory
from production.errors import BadInput

State = Policy.State
NOT_AGREED = {
    State.PROPOSED: ("watch", gettext_lazy("Waits for approval")),
    State.DECLINED: ("none", gettext_lazy("Declined")),
    State.WITHDRAWN: ("none", gettext_lazy("Withdrawn")),
}
DAY = datetime.timedelta(days=1)
Scope = tuple[int | None, int | None]


@require_safe
@open_to(POLICY)
def policy_list(request: HttpRequest) -> HttpResponse:
    """How do we score, and since when?"""
    now = today()
    scopes: dict[Scope, list[dict[str, Any]]] = {}
    for policy in Policy.objects.select_related("factory", "category", "created_by").order_by("-effective_from", "-pk"):
        rows = scopes.setdefault((policy.factory_id, policy.category_id), [])
        if policy.state != State.AGREED:
            status, word = NOT_AGREED[policy.state]
        elif policy.effective_from > now:
            word, status = _("From %(day)s") % {"day": day(policy.effective_from)}, "info"
        elif any(row["status"] == "ok" for row in rows):
            word, status = _("Replaced"), "none"
        else:
            word, status = _("In force"), "ok"
        rows.append(
            {
                "policy": policy,
                "word": word,
                "status": status,
                "from": day(policy.effective_from),
                "key": key_values(policy),
            }
        )
    ordered = sorted(
        scopes.items(), key=lambda item: (len([part for part in item[0] if part]), item[1][0]["policy"].scope_name)
    )
    groups = [{"name": rows[0]["policy"].scope_name, "rows": rows} for _scope, rows in ordered]
    return render(request, "assessments/policy_list.html", {"groups": groups, "setting": setting(request.user)})


def setting(reader: User) -> dict[str, Any]:
    """How many persons a new version needs, in words, and what this reader may do about it."""
    found = four_eyes.setting()
    asked, moves = found.off_asked_by, []
    if not found.is_on:
        words = _("One person is enough for a new version.")
        moves = [("on", _("Ask for a second person"))]
    elif asked is None:
        words = _("A new version is a proposal until a second person approves it.")
        moves = [("ask_off", _("Ask to switch this off"))]
    else:
        words = _("A new version is a proposal until a second person approves it. %(who)s asks to switch this off.") % {
            "who": asked
        }
        moves = [("keep_on", _("Leave it on"))]
        if asked != reader:
            moves.insert(0, ("agree_off", _("Agree to switch it off")))
    since = day(timezone.localtime(found.changed_at).date()) if found.changed_at else ""
    return {"is_on": found.is_on, "words": words, "moves": moves, "since": since, "by": found.changed_by}


@require_POST
@open_to(POLICY)
def policy_four_eyes(request: HttpRequest) -> HttpResponse:
    """Whether a new version needs a second person: on by one, off by two."""
    moves = {
        "on": four_eyes.switch_on,
        "ask_off": four_eyes.ask_off,
        "keep_on": four_eyes.keep_on,
        "agree_off": four_eyes.agree_off,
    }
    move = moves.get(request.POST.get("do", ""))
    try:
        if move:
            move(request.user)
            messages.success(request, setting(request.user)["words"])
    except BadInput as problem:
        messages.error(request, problem.message)
    return HttpResponseRedirect(reverse("policy_list"))


def key_values(policy: Policy) -> str:
    """The limits of a version in one line."""
    return _("defects %(defect)s (soft goods %(soft)s), on time %(otif)s, loss %(loss)s") % {
        "defect": shown("defect_limit", policy.defect_limit),
        "soft": shown("soft_defect_limit", policy.soft_defect_limit),
        "otif": shown("otif_floor", policy.otif_floor),
        "loss": shown("loss_limit", policy.loss_limit),
    }


@require_safe
@open_to(POLICY)
def policy_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One version: every value, what it changed, and where it waits for somebody, what it would have changed."""
    return show(request, version(pk))


def version(pk: int) -> Policy:
    return get_object_or_404(Policy.objects.select_related("factory", "category", "created_by", "decided_by"), pk=pk)


def show(request: HttpRequest, policy: Policy, form: DeclineForm | None = None, problem: str = "") -> HttpResponse:
    now = today()
    same = Policy.objects.agreed().filter(factory=policy.factory_id, category=policy.category_id).exclude(pk=policy.pk)
    before = same.filter(effective_from__lt=policy.effective_from).order_by("-effective_from").first()
    waits = policy.state == State.PROPOSED
    if waits:
        before = in_force(policy, max(policy.effective_from, now))
    has_begun = policy.effective_from <= now
    status, word = NOT_AGREED.get(policy.state, ("", ""))
    if not status and not has_begun:
        status, word = "info", _("Not yet in force")
    elif not status:
        replaced = same.filter(effective_from__gt=policy.effective_from, effective_from__lte=now).exists()
        status, word = ("none", _("Replaced")) if replaced else ("ok", _("In force"))
    is_own = policy.created_by_id in (None, request.user.pk)
    changes = differences(before, policy) if before else []
    groups = [
        (label, [(LABELS[name], shown(name, getattr(policy, name))) for name in names]) for label, names in GROUPS
    ]
    context = {
        "policy": policy,
        "groups": groups,
        "before": before,
        "changes": changes,
        "status": status,
        "word": word,
        "first": day(policy.effective_from),
        "before_first": day(before.effective_from) if before else "",
        "told": told(policy, now),
        "tried": tried(policy, changes, now - DAY) if waits else None,
        "may_decide": waits and policy.created_by_id != request.user.pk,
        "may_withdraw": is_own if waits else policy.state == State.AGREED and not has_begun and not four_eyes.is_on(),
        "form": form or DeclineForm(),
        "problem": problem,
    }
    return render(request, "assessments/policy_detail.html", context, status=422 if form or problem else 200)


def told(policy: Policy, now: datetime.date) -> list[str]:
    """Who proposed and decided, and from which day it counts, in sentences."""
    asked = day(policy.proposed_from) if policy.proposed_from else ""
    decided = day(timezone.localtime(policy.decided_at).date()) if policy.decided_at else ""
    values = {"asked": asked, "first": day(policy.effective_from), "by": policy.decided_by, "on": decided}
    if policy.state == State.PROPOSED:
        if policy.effective_from < now:
            return [_("Proposed from %(asked)s, which is past: if it is approved today it begins today.") % values]
        return [_("Proposed from %(asked)s. If it is approved later, it begins on the day it is approved.") % values]
    if policy.state == State.DECLINED:
        return [_("Proposed from %(asked)s. Declined by %(by)s on %(on)s:") % values + " " + policy.reason]
    if policy.state == State.WITHDRAWN:
        return [_("Was to begin on %(first)s. Withdrawn by %(by)s on %(on)s.") % values]
    said = [_("In force from %(first)s.") % values]
    if policy.decided_by:
        said.append(_("Approved by %(by)s on %(on)s.") % values)
        if policy.proposed_from and policy.proposed_from < policy.effective_from:
            said.append(_("It was proposed from %(asked)s and begins on the day it was approved.") % values)
    return said


@require_POST
@open_to(POLICY)
def policy_approve(request: HttpRequest, pk: int) -> HttpResponse:
    """A second person agrees: the proposal is a version from its day on, at the earliest from today."""
    policy = version(pk)
    try:
        agreed = four_eyes.approve(policy.pk, request.user, today())
    except BadInput as problem:
        return show(request, version(pk), problem=problem.message)
    messages.success(request, _("Approved. In force from %(day)s.") % {"day": day(agreed.effective_from)})
    return HttpResponseRedirect(reverse("policy_detail", args=[pk]))


@require_POST
@open_to(POLICY)
def policy_decline(request: HttpRequest, pk: int) -> HttpResponse:
    """A second person does not agree, and says why."""
    policy = version(pk)
    form = DeclineForm(request.POST)
    if not form.is_valid():
        return show(request, policy, form)
    try:
        four_eyes.decline(policy.pk, request.user, form.cleaned_data["reason"])
    except BadInput as problem:
        return show(request, version(pk), problem=problem.message)
    messages.success(request, _("Declined."))
    return HttpResponseRedirect(reverse("policy_detail", args=[pk]))


@require_POST
@open_to(POLICY)
def policy_withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    """Whoever proposed it takes it back; or a version that has not begun is taken back."""
    policy = version(pk)
    try:
        four_eyes.withdraw(policy.pk, request.user, today())
    except BadInput as problem:
        return show(request, version(pk), problem=problem.message)
    messages.success(request, _("Withdrawn."))
    return HttpResponseRedirect(reverse("policy_detail", args=[pk]))


@open_to(POLICY)
def policy_new(request: HttpRequest) -> HttpResponse:
    """A change is a new version: type, check what differs, save."""
    factories = Factory.objects.visible_to(request.user)
    if request.method != "POST":
        form = PolicyForm(initial=start(request), factories=factories, today=today())
        return answer(request, form)
    form = PolicyForm(request.POST, factories=factories, today=today())
    if not form.is_valid():
        return answer(request, form, status=422)
    base = in_force(form.instance, form.instance.effective_from)
    changes = differences(base, form.instance)
    fingerprint = digest(request.POST)
    if request.POST.get("do") == "save" and request.POST.get("checked") == fingerprint:
        try:
            policy = four_eyes.store(form.instance, request.user)
        except BadInput as problem:
            form.add_error("effective_from", problem.message)
            return answer(request, form, status=422)
        words = _("Saved. In force from %(day)s for: %(scope)s.")
        if policy.state == State.PROPOSED:
            words = _("Proposed from %(day)s for: %(scope)s. It counts once somebody else has approved it.")
        messages.success(request, words % {"day": day(policy.effective_from), "scope": policy.scope_name})
        return HttpResponseRedirect(reverse("policy_detail", args=[policy.pk]))
    return answer(
        request,
        form,
        base=base,
        changes=changes,
        checked=fingerprint,
        is_checked=True,
        tried=tried(form.instance, changes, today() - DAY),
        is_changed_since=request.POST.get("do") == "save",
    )


def answer(request: HttpRequest, form: PolicyForm, status: int = 200, **context: Any) -> HttpResponse:
    groups = form.groups()
    context |= {
        "form": form,
        "groups": groups[:MAIN_GROUPS],
        "more": groups[MAIN_GROUPS:],
        "more_open": any(field.errors for _label, fields in groups[MAIN_GROUPS:] for field in fields),
        "percents": PERCENTS,
        "base_first": day(context["base"].effective_from) if context.get("base") else "",
        "is_proposal": four_eyes.is_on(),
    }
    return render(request, "assessments/policy_new.html", context, status=status)


def start(request: HttpRequest) -> dict[str, Any]:
    """The values to start from: the version named in `from`, else the default in force."""
    asked = request.GET.get("from", "")
    source = Policy.objects.filter(pk=asked).first() if asked.isdecimal() and len(asked) < 19 else None
    source = source or Policy.objects.in_force(today()).filter(factory=None, category=None).first() or Policy()
    values = model_to_dict(source, VALUES)
    plain = {name: shown(name, value) for name, value in values.items() if name not in PERCENTS}
    return {**values, **plain, "factory": source.factory_id, "category": source.category_id, "effective_from": today()}


def in_force(new: Policy, on: datetime.date) -> Policy | None:
    """The version that the new one takes over from: of its scope, else the wider one that applies to it until then."""
    versions = {policy.pk: policy for policy in Policy.objects.agreed().select_related("factory", "category")}
    known = [grading.PolicyVersion(pk, p.effective_from, p.factory_id, p.category_id) for pk, p in versions.items()]
    found = grading.select_policy(known, on, new.factory_id, new.category_id)
    return versions[found.id] if found else None


def digest(data: QueryDict) -> str:
    """What was checked: saving asks for the same values."""
    values = {name: data.get(name, "").strip() for name in ["factory", "category", "effective_from", *VALUES]}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
