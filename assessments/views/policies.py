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
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from assessments import backtest, grading
from assessments.figures import day, month_name
from assessments.forms import GROUPS, LABELS, MAIN_GROUPS, PERCENTS, VALUES, PolicyForm, differences, shown
from assessments.models import Policy
from assessments.views.entrance import POLICY, open_to, today
from factories.models import Factory

TRIED_MONTHS, TRIED_ROWS, TRIED_SHOWN = 12, 10, 3
Scope = tuple[int | None, int | None]


@require_safe
@open_to(POLICY)
def policy_list(request: HttpRequest) -> HttpResponse:
    """How do we score, and since when?"""
    now = today()
    scopes: dict[Scope, list[dict[str, Any]]] = {}
    for policy in Policy.objects.select_related("factory", "category", "created_by").order_by("-effective_from", "-pk"):
        rows = scopes.setdefault((policy.factory_id, policy.category_id), [])
        if policy.effective_from > now:
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
    return render(request, "assessments/policy_list.html", {"groups": groups})


def key_values(policy: Policy) -> str:
    """The limits of a version in one line."""
    return _("defects %(defect)s, on time %(otif)s, loss %(loss)s") % {
        "defect": shown("defect_limit", policy.defect_limit),
        "otif": shown("otif_floor", policy.otif_floor),
        "loss": shown("loss_limit", policy.loss_limit),
    }


@require_safe
@open_to(POLICY)
def policy_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One version: every value, and what it changed."""
    policy = get_object_or_404(Policy.objects.select_related("factory", "category", "created_by"), pk=pk)
    same = list(
        Policy.objects.filter(factory=policy.factory_id, category=policy.category_id).order_by("-effective_from")
    )
    before = next((p for p in same if p.effective_from < policy.effective_from), None)
    current = next((p for p in same if p.effective_from <= today()), None)
    groups = [
        (label, [(LABELS[name], shown(name, getattr(policy, name))) for name in names]) for label, names in GROUPS
    ]
    return render(
        request,
        "assessments/policy_detail.html",
        {
            "policy": policy,
            "groups": groups,
            "before": before,
            "changes": differences(before, policy) if before else [],
            "is_current": policy == current,
            "is_future": policy.effective_from > today(),
            "first": day(policy.effective_from),
            "before_first": day(before.effective_from) if before else "",
        },
    )


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
        form.instance.created_by = request.user
        policy = form.save()
        messages.success(
            request,
            _("Saved. In force from %(day)s for: %(scope)s.")
            % {"day": day(policy.effective_from), "scope": policy.scope_name},
        )
        return HttpResponseRedirect(reverse("policy_detail", args=[policy.pk]))
    return answer(
        request,
        form,
        base=base,
        changes=changes,
        checked=fingerprint,
        is_checked=True,
        tried=tried(form.instance, changes),
        is_changed_since=request.POST.get("do") == "save",
    )


def tried(draft: Policy, changes: list) -> dict[str, Any] | None:
    """What the draft would have made of the last closed months; None where it changes nothing."""
    if not changes:
        return None
    found = backtest.compare(draft, today() - datetime.timedelta(days=1), TRIED_MONTHS)
    moved = found.changes()
    return {
        "months": len(found.ends),
        "factories": len(found.factories),
        "moved": len(moved),
        "opened_now": found.now.opened,
        "opened_draft": found.draft.opened,
        "rows": [
            {"factory": factory, "months": [(month_name(end), now, draft) for end, now, draft in months[-TRIED_SHOWN:]]}
            for factory, months in moved[:TRIED_ROWS]
        ],
    }


def answer(request: HttpRequest, form: PolicyForm, status: int = 200, **context: Any) -> HttpResponse:
    groups = form.groups()
    context |= {
        "form": form,
        "groups": groups[:MAIN_GROUPS],
        "more": groups[MAIN_GROUPS:],
        "more_open": any(field.errors for _label, fields in groups[MAIN_GROUPS:] for field in fields),
        "percents": PERCENTS,
        "base_first": day(context["base"].effective_from) if context.get("base") else "",
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
    versions = {policy.pk: policy for policy in Policy.objects.select_related("factory", "category")}
    known = [grading.PolicyVersion(pk, p.effective_from, p.factory_id, p.category_id) for pk, p in versions.items()]
    found = grading.select_policy(known, on, new.factory_id, new.category_id)
    return versions[found.id] if found else None


def digest(data: QueryDict) -> str:
    """What was checked: saving asks for the same values."""
    values = {name: data.get(name, "").strip() for name in ["factory", "category", "effective_from", *VALUES]}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
