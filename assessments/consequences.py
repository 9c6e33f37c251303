"""What a published grade brings with it: worked out from the newest month and written down one floor below."""

from collections.abc import Iterable

from django.db import connection

from assessments.models import GradeConsequence

FIELDS = "orders, max_open_value, cap_currency, inspection, deposit_terms, has_badge, needs_plan"


def apply(factories: Iterable[int] | None = None) -> int:
    """Sets the standing of every factory, or of some, to what its newest published grade brings; how many changed.

    A factory that no month has judged is not rated. One statement; run again it changes nothing.
    """
    updates = ", ".join(f"{name.strip()} = EXCLUDED.{name.strip()}" for name in FIELDS.split(","))
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO factories_standing AS s (factory_id, grade, since_on, {FIELDS})
            SELECT f.id, c.grade, COALESCE(e.as_of, CURRENT_DATE), {FIELDS}
            FROM factories_factory f
            LEFT JOIN LATERAL (
                SELECT e.published_grade, e.as_of FROM assessments_evaluation e
                WHERE e.factory_id = f.id AND e.kind = 'month' AND e.category_id IS NULL
                ORDER BY e.as_of DESC, e.revision DESC LIMIT 1
            ) e ON TRUE
            JOIN assessments_gradeconsequence c ON c.grade = COALESCE(NULLIF(e.published_grade, ''), 'not_rated')
            WHERE %(factories)s::bigint[] IS NULL OR f.id = ANY(%(factories)s)
            ON CONFLICT (factory_id) DO UPDATE SET grade = EXCLUDED.grade, {updates},
                since_on = CASE WHEN s.grade = EXCLUDED.grade THEN s.since_on ELSE EXCLUDED.since_on END
            WHERE (s.grade, {", ".join("s." + name.strip() for name in FIELDS.split(","))}) IS DISTINCT FROM
                (EXCLUDED.grade, {", ".join("EXCLUDED." + name.strip() for name in FIELDS.split(","))})
            """,
            {"factories": list(factories) if factories is not None else None},
        )
        return cursor.rowcount


def of_grade(grade: str) -> GradeConsequence | None:
    """What a grade brings with it; None for a word that is no grade."""
    return GradeConsequence.objects.filter(grade=grade).first()
