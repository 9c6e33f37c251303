"""The function that numbers the working days of a calendar, and of those that build on it; triggers call it."""

from django.db import migrations

CREATE = """
CREATE FUNCTION factories_rebuild_working_days(which bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    concerned bigint[] := ARRAY(SELECT id FROM factories_workingcalendar WHERE id = which OR base_id = which);
BEGIN
    DELETE FROM factories_workingday WHERE calendar_id = which OR calendar_id = ANY (concerned);
    INSERT INTO factories_workingday (calendar_id, day, ordinal)
    WITH counted AS (
        SELECT DISTINCT ON (c.id, e.day) c.id AS calendar_id, e.day, e.is_open
        FROM factories_workingcalendar c JOIN factories_calendarexception e ON e.calendar_id IN (c.id, c.base_id)
        WHERE c.id = ANY (concerned)
        ORDER BY c.id, e.day, (e.calendar_id = c.id) DESC, (e.source = '') DESC
    )
    SELECT c.id, d.day, row_number() OVER (PARTITION BY c.id ORDER BY d.day)
    FROM factories_workingcalendar c
    CROSS JOIN (SELECT DATE '1999-12-01' + n AS day FROM generate_series(0, 22400) AS n) AS d
    LEFT JOIN counted e ON e.calendar_id = c.id AND e.day = d.day
    WHERE c.id = ANY (concerned)
      AND COALESCE(e.is_open, NOT (extract(isodow FROM d.day)::smallint = ANY (c.weekend)));
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("factories", "0001_tables")]
    replaces = [("factories", "0007_working_days_of_a_base")]
    operations = [migrations.RunSQL(CREATE, "DROP FUNCTION factories_rebuild_working_days(bigint)")]
