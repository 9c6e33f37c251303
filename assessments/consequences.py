"""What a published grade brings with it: worked out from the newest month and written down one floor below."""

from collections.abc import Iterable

from django.db import connection
from django.utils.translation import gettext as _

from assessments import actions
from assessments.figures import money
from factories.models import Consequence, OrderRule, Severity

FIELDS = "orders, max_open_value, cap_currency, inspection, deposit_terms, has_badge, needs_plan"


def apply(factories: Iterable[int] | None = None) -> int:
    """Sets the standing of every factory, or of some, to what its newest published grade brings; how many changed.

    A factory that no month has judged is not rated. A grade that owes an improvement plan asks for it. One statement
    where no plan is missing; run again it changes nothing.
    """
    updates = ", ".join(f"{name.strip()} = EXCLUDED.{name.strip()}" for name in FIELDS.split(","))
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH changed AS (
                INSERT INTO factories_standing AS s (factory_id, grade, since_on, corrected_on, {FIELDS})
                SELECT f.id, c.grade, COALESCE(since.as_of, CURRENT_DATE), {actions.CORRECTED}, {FIELDS}
                FROM factories_factory f
                LEFT JOIN LATERAL (
                    SELECT e.published_grade, e.as_of FROM assessments_evaluation e
                    WHERE e.factory_id = f.id AND e.kind = 'month' AND e.category_id IS NULL
                    ORDER BY e.as_of DESC, e.revision DESC LIMIT 1
                ) e ON TRUE
                LEFT JOIN LATERAL (  -- the first of the months that have had this grade without a break
                    SELECT min(m.as_of) AS as_of FROM assessments_evaluation m
                    WHERE m.factory_id = f.id AND m.kind = 'month' AND m.category_id IS NULL AND m.as_of > COALESCE((
                        SELECT max(o.as_of) FROM assessments_evaluation o WHERE o.factory_id = f.id AND o.kind = 'month'
                            AND o.category_id IS NULL AND o.published_grade <> e.published_grade), '-infinity')
                ) since ON TRUE
                JOIN assessments_gradeconsequence c ON c.grade = COALESCE(NULLIF(e.published_grade, ''), 'not_rated')
                WHERE %(factories)s::bigint[] IS NULL OR f.id = ANY(%(factories)s)
                ON CONFLICT (factory_id) DO UPDATE SET grade = EXCLUDED.grade, {updates},
                    since_on = CASE WHEN s.grade = EXCLUDED.grade THEN s.since_on ELSE EXCLUDED.since_on END
                WHERE (s.grade, {", ".join("s." + name.strip() for name in FIELDS.split(","))}) IS DISTINCT FROM
                    (EXCLUDED.grade, {", ".join("EXCLUDED." + name.strip() for name in FIELDS.split(","))})
                RETURNING factory_id, since_on, needs_plan
            ), standing AS (  -- as it is from now on; the table still shows this statement what was before
                SELECT * FROM changed
                UNION ALL SELECT factory_id, since_on, needs_plan FROM factories_standing
                WHERE factory_id NOT IN (SELECT factory_id FROM changed)
            )
            SELECT (SELECT count(*) FROM changed), ARRAY(
                SELECT s.factory_id FROM standing s WHERE s.needs_plan AND NOT EXISTS (
                    SELECT FROM assessments_action a WHERE a.kind = 'plan' AND a.factory_id = s.factory_id
                        AND a.grade_since = s.since_on))
            """,
            {"factories": None if factories is None else list(factories)},
        )
        changed, without_plan = cursor.fetchone()
    if without_plan:
        actions.ask_for_plans(without_plan)
    return int(changed)


def opens(row: Consequence) -> list[str]:
    """What a grade, or a standing, gives a factory, in plain words."""
    found = []
    if row.has_badge:
        found.append(_("bears the badge, first pick for new styles"))
    if row.orders == OrderRule.FREE:
        found.append(_("new orders as usual") if row.max_open_value is None else _("trial orders"))
    if row.inspection == Severity.NORMAL:
        found.append(_("normal inspection"))
    return found


def closes(row: Consequence, money_too: bool = True) -> list[str]:
    """What a grade, or a standing, takes from a factory or asks of it; amounts only where they may be seen."""
    found = []
    if row.orders == OrderRule.BLOCK:
        found.append(_("no new orders"))
    elif row.orders == OrderRule.WARN:
        found.append(_("a warning on every new order"))
    if row.max_open_value is not None:
        cap = money(row.max_open_value, row.cap_currency)
        found.append(_("open orders worth %(cap)s at most") % {"cap": cap} if money_too else _("a cap on open orders"))
    if row.inspection == Severity.FULL:
        found.append(_("every unit is inspected"))
    elif row.inspection == Severity.TIGHTENED:
        found.append(_("tightened inspection"))
    if row.needs_plan:
        found.append(_("owes an improvement plan"))
    return found
