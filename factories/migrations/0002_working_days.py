"""The function that numbers the working days of a calendar; triggers call it."""

from django.db import migrations

CREATE = """
CREATE FUNCTION factories_rebuild_working_days(which bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM factories_workingday WHERE calendar_id = which;
    INSERT INTO factories_workingday (calendar_id, day, ordinal)
    SELECT c.id, d.day, row_number() OVER (ORDER BY d.day)
    FROM factories_workingcalendar c
    CROSS JOIN (SELECT DATE '1999-12-01' + n AS day FROM generate_series(0, 22400) AS n) AS d
    LEFT JOIN factories_calendarexception e ON e.calendar_id = c.id AND e.day = d.day
    WHERE c.id = which
      AND COALESCE(e.is_open, NOT (extract(isodow FROM d.day)::smallint = ANY (c.weekend)));
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("factories", "0001_initial")]
    operations = [migrations.RunSQL(CREATE, "DROP FUNCTION factories_rebuild_working_days(bigint)")]
