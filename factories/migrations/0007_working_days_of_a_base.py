"""The working days of a calendar count the exceptions of the one it builds on, and are numbered again with it."""

from importlib import import_module

from django.db import migrations

BEFORE = import_module("factories.migrations.0002_working_days").CREATE.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
CREATE = """
CREATE OR REPLACE FUNCTION factories_rebuild_working_days(which bigint) RETURNS void LANGUAGE plpgsql AS $$
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
    dependencies = [("factories", "0006_public_holidays")]
    operations = [migrations.RunSQL(CREATE, BEFORE)]
