"""The function that numbers the working days of a calendar and of those that build on it, from the first that changed."""

from django.db import migrations

CREATE = """
CREATE FUNCTION factories_rebuild_working_days(which bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    one bigint;
    open_days date[];
    first_changed date;
BEGIN
    DELETE FROM factories_workingday
    WHERE calendar_id = which AND NOT EXISTS (SELECT FROM factories_workingcalendar WHERE id = which);
    FOR one IN SELECT id FROM factories_workingcalendar WHERE id = which OR base_id = which LOOP
        open_days := ARRAY(
            SELECT d.day
            FROM factories_workingcalendar c
            CROSS JOIN (SELECT DATE '1999-12-01' + n AS day FROM generate_series(0, 22400) AS n) AS d
            LEFT JOIN (
                SELECT DISTINCT ON (x.day) x.day, x.is_open
                FROM factories_calendarexception x
                JOIN factories_workingcalendar o ON o.id = one AND x.calendar_id IN (o.id, o.base_id)
                ORDER BY x.day, (x.calendar_id = one) DESC, (x.source = '') DESC
            ) AS e ON e.day = d.day
            WHERE c.id = one AND COALESCE(e.is_open, NOT (extract(isodow FROM d.day)::smallint = ANY (c.weekend)))
            ORDER BY d.day
        );
        SELECT min(COALESCE(n.day, w.day)) INTO first_changed
        FROM unnest(open_days) WITH ORDINALITY AS n (day, ordinal)
        FULL JOIN (SELECT day, ordinal FROM factories_workingday WHERE calendar_id = one) AS w ON w.day = n.day
        WHERE w.ordinal IS DISTINCT FROM n.ordinal;
        CONTINUE WHEN first_changed IS NULL;
        DELETE FROM factories_workingday WHERE calendar_id = one AND day >= first_changed;
        INSERT INTO factories_workingday (calendar_id, day, ordinal)
        SELECT one, n.day, n.ordinal FROM unnest(open_days) WITH ORDINALITY AS n (day, ordinal) WHERE n.day >= first_changed;
    END LOOP;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("factories", "0001_tables")]
    replaces = [("factories", "0007_working_days_of_a_base")]
    operations = [migrations.RunSQL(CREATE, "DROP FUNCTION factories_rebuild_working_days(bigint)")]
