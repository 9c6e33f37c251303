"""What changed in the policy that judged a factory: from the version before it, and to the one in force today."""

import datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from assessments.evaluations import Policies
from assessments.figures import day
from assessments.forms import differences
from assessments.models import Policy
from assessments.views.entrance import POLICY, factory_or_404, open_to, today
from assessments.views.policies import in_force, version
from factories.models import Category, Factory

DAY = datetime.timedelta(days=1)


@require_safe
@open_to(POLICY)
def policy_changes(request: HttpRequest, pk: int) -> HttpResponse:
    """What did this version change, and what has changed since? For the factory and category that are named, if any."""
    policy = version(pk)
    if policy.state != Policy.State.AGREED:
        raise Http404("It never judged anybody.")
    code, category = (request.GET.get(name, "").replace("\0", "") for name in ("factory", "category"))
    factory = factory_or_404(request.user, code) if code else None
    of = get_object_or_404(Category, code=category) if category and factory else None
    policies = Policies()
    before = judging(policies, policy, factory, of, policy.effective_from - DAY)
    now = judging(policies, policy, factory, of, max(policy.effective_from, today()))
    return render(
        request,
        "assessments/policy_changes.html",
        {
            "policy": policy,
            "first": day(policy.effective_from),
            "factory": factory,
            "category": of,
            "parts": [
                part(_("What it changed"), before, policy, _("Nothing was in force before it.")),
                part(_("What has changed since"), policy, now, _("No version is in force.")),
            ],
        },
    )


def judging(
    policies: Policies, policy: Policy, factory: Factory | None, category: Category | None, on: datetime.date
) -> Policy | None:
    """The version that judges the factory on a day; without a factory the one that applies to the scope of the policy."""
    if factory is None:
        return in_force(policy, on)
    found = policies.for_category(factory, category.pk, on) if category else None
    return found or policies.for_whole(factory, on)


def part(title: str, old: Policy | None, new: Policy | None, none: str) -> dict[str, Any]:
    """Both versions with what differs between them; or why there is nothing to compare."""
    if old is None or new is None:
        return {"title": title, "said": none}
    if old.pk == new.pk:
        return {"title": title, "said": _("Nothing: this version is in force.")}
    return {
        "title": title,
        "versions": [(each, each.scope_name, day(each.effective_from)) for each in (old, new)],
        "changes": differences(old, new),
    }
