"""URLs of the assessments: home, factories and their scores, breaches, policies."""

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from assessments.views import (
    account,
    actions,
    breaches,
    claim_evidence,
    claim_lists,
    claims,
    compare,
    disputes,
    exclusions,
    factories,
    factory_rows,
    grades,
    home,
    policies,
    reopening,
    rerun,
    restated,
    runs,
    scorecard,
    scores,
    search,
    sheets,
    versions,
)


class Period(StringConverter):
    """A month as 2026-11, or a day as 2026-11-22."""

    regex = r"\d{4}-\d{2}(?:-\d{2})?"


class MeasureName(StringConverter):
    regex = "defect|otif|loss"


class ClaimMove(StringConverter):
    regex = "send|accept|dispute|waive|settle"


class ExclusionMove(StringConverter):
    regex = "approve|decline|withdraw|lift"


class ActionMove(StringConverter):
    regex = "answer|confirm|return|drop"


register_converter(ActionMove, "action_move")
register_converter(ClaimMove, "claim_move")
register_converter(ExclusionMove, "exclusion_move")
register_converter(Period, "period")
register_converter(MeasureName, "measure")

urlpatterns = [
    path("", home.home, name="home"),
    path("help/", home.help_page, name="help"),
    path("search/", search.search, name="search"),
    path("theme/", account.theme, name="theme"),
    path("factories/", factories.factory_list, name="factory_list"),
    path("factories/<str:code>/", scorecard.factory_detail, name="factory_detail"),
    path("factories/<str:code>/watch/", scorecard.factory_watch, name="factory_watch"),
    path("factories/<str:code>/score/<period:period>/", scores.score_detail, name="score_detail"),
    path("factories/<str:code>/score/<period:period>/today/", rerun.score_today, name="score_today"),
    path("factories/<str:code>/score/<period:period>/sheet.pdf", sheets.score_sheet, name="score_sheet"),
    path("factories/<str:code>/score/<period:period>/<measure:measure>/", scores.score_rows, name="score_rows"),
    path("factories/<str:code>/rows/<measure:measure>/", factory_rows.factory_rows, name="factory_rows"),
    path("compare/", compare.compare, name="compare"),
    path("breaches/", breaches.breach_list, name="breach_list"),
    path("breaches/B-<int:pk>/", breaches.breach_detail, name="breach_detail"),
    path("breaches/B-<int:pk>/acknowledge/", breaches.breach_acknowledge, name="breach_acknowledge"),
    path("breaches/B-<int:pk>/resolve/", breaches.breach_resolve, name="breach_resolve"),
    path("claims/", claim_lists.claim_list, name="claim_list"),
    path("claims/unclaimed/", claim_lists.claim_unclaimed, name="claim_unclaimed"),
    path("claims/new/<int:pk>/", claims.claim_new, name="claim_new"),
    path("claims/C-<int:pk>/", claims.claim_detail, name="claim_detail"),
    path("claims/C-<int:pk>/sheet.pdf", claims.claim_sheet, name="claim_sheet"),
    path("claims/C-<int:pk>/evidence/", claim_evidence.evidence_add, name="evidence_add"),
    path("claims/C-<int:pk>/evidence/<int:evidence>/", claim_evidence.evidence_file, name="evidence_file"),
    path("claims/C-<int:pk>/evidence/<int:evidence>/remove/", claim_evidence.evidence_remove, name="evidence_remove"),
    path(
        "claims/C-<int:pk>/evidence/<int:evidence>/restore/", claim_evidence.evidence_restore, name="evidence_restore"
    ),
    path("claims/C-<int:pk>/<claim_move:name>/", claims.claim_move, name="claim_move"),
    path("orders/<str:factory>/<path:number>/reopen/", reopening.order_reopen, name="order_reopen"),
    path("actions/", actions.action_list, name="action_list"),
    path("actions/A-<int:pk>/", actions.action_detail, name="action_detail"),
    path("actions/A-<int:pk>/<action_move:name>/", actions.action_move, name="action_move"),
    path("factories/<str:code>/actions/new/", actions.action_new, name="action_new"),
    path("exclusions/", exclusions.exclusion_list, name="exclusion_list"),
    path("exclusions/new/", exclusions.exclusion_new, name="exclusion_new"),
    path("exclusions/X-<int:pk>/", exclusions.exclusion_detail, name="exclusion_detail"),
    path("exclusions/X-<int:pk>/<exclusion_move:name>/", exclusions.exclusion_move, name="exclusion_move"),
    path("runs/<int:pk>/", runs.run, name="run"),
    path("disputes/", disputes.dispute_list, name="dispute_list"),
    path("disputes/new/", disputes.dispute_new, name="dispute_new"),
    path("disputes/Q-<int:pk>/", disputes.dispute_detail, name="dispute_detail"),
    path("disputes/Q-<int:pk>/withdraw/", disputes.dispute_withdraw, name="dispute_withdraw"),
    path("disputes/Q-<int:pk>/answer/", disputes.dispute_answer, name="dispute_answer"),
    path("restated/", restated.restated, name="restated"),
    path("policies/", policies.policy_list, name="policy_list"),
    path("policies/new/", policies.policy_new, name="policy_new"),
    path("policies/four-eyes/", policies.policy_four_eyes, name="policy_four_eyes"),
    path("policies/<int:pk>/", policies.policy_detail, name="policy_detail"),
    path("policies/<int:pk>/changes/", versions.policy_changes, name="policy_changes"),
    path("policies/<int:pk>/approve/", policies.policy_approve, name="policy_approve"),
    path("policies/<int:pk>/decline/", policies.policy_decline, name="policy_decline"),
    path("policies/<int:pk>/withdraw/", policies.policy_withdraw, name="policy_withdraw"),
    path("grades/", grades.grade_list, name="grade_list"),
    path("grades/<str:grade>/", grades.grade_edit, name="grade_edit"),
    path("factories/<str:code>/overrides/", grades.factory_overrides, name="factory_overrides"),
    path("factories/<str:code>/overrides/<int:pk>/end/", grades.override_end, name="override_end"),
]
