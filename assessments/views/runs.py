"""One stored evaluation as it can be reproduced: what went in, by which rules, and whether it still computes to the same."""

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from assessments import verification, wording
from assessments.figures import day, points
from assessments.models import Evaluation
from assessments.views.entrance import POLICY, STAFF, open_to


@require_safe
@open_to(f"{STAFF} contact")
def run(request: HttpRequest, pk: int) -> HttpResponse:
    """Can I reproduce it? Computes it again from what is stored; `?format=json` gives everything to a machine."""
    found = Evaluation.objects.visible_to(request.user).select_related(
        "factory__category", "category", "policy__factory", "policy__category"
    )
    evaluation = get_object_or_404(found, pk=pk)
    if request.GET.get("format") == "json":
        answer = JsonResponse(content(evaluation), json_dumps_params={"indent": 2, "ensure_ascii": False})
        answer["Content-Disposition"] = f'attachment; filename="evaluation-{evaluation.pk}.json"'
        return answer
    other_rules = evaluation.code_version != verification.CODE_VERSION
    context = {
        "evaluation": evaluation,
        "period": wording.period_name(evaluation),
        "score_url": wording.score_url(evaluation),
        "policy": _("%(scope)s, in force from %(day)s")
        % {"scope": evaluation.policy.scope_name, "day": day(evaluation.policy.effective_from)},
        "opens_policies": request.user.role in POLICY.split(),
        "score": points(evaluation.score),
        "other_rules": other_rules,
        "differences": [] if other_rules else verification.verify([evaluation]),
        "sums": [(name, _text(value)) for name, value in sorted(evaluation.sums.items()) if name != "money"],
        "money": evaluation.sums.get("money") or [],
    }
    return render(request, "assessments/run.html", context)


def content(evaluation: Evaluation) -> dict[str, Any]:
    """Everything that a stored evaluation holds, with the numbers of the policy that judged it."""
    policy = evaluation.policy
    return {
        "evaluation": evaluation.pk,
        "factory": evaluation.factory.code,
        "category": evaluation.category.code if evaluation.category else None,
        "kind": evaluation.kind,
        "as_of": evaluation.as_of,
        "revision": evaluation.revision,
        "computed_at": evaluation.computed_at,
        "window_days": evaluation.window_days,
        "digest": evaluation.digest,
        "code_version": evaluation.code_version,
        "policy": {
            field.name: getattr(policy, field.attname)
            for field in policy._meta.concrete_fields
            if not field.is_relation or field.name in ("factory", "category")
        },
        "sums": evaluation.sums,
        "measures": evaluation.measures,
        "gates": evaluation.gates,
        "flags": evaluation.flags,
        "score": evaluation.score,
        "ungated_grade": evaluation.ungated_grade,
        "raw_grade": evaluation.raw_grade,
        "published_grade": evaluation.published_grade,
        "is_carried": evaluation.is_carried,
        "evidence_on": evaluation.evidence_on,
    }


def _text(value: Any) -> str:
    return _("unknown") if value is None else str(value)
