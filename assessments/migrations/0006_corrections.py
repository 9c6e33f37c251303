"""The corrections that were confirmed before, written down where goods are inspected."""

from django.db import migrations

WRITE = """
UPDATE factories_standing s SET corrected_on = NULLIF(ARRAY(
    SELECT DISTINCT (p.at AT TIME ZONE f.time_zone)::date FROM assessments_action a
    JOIN assessments_actionstep p ON p.action_id = a.id AND p.what = 'confirm'
    LEFT JOIN assessments_breach b ON b.id = a.breach_id
    WHERE a.factory_id = f.id AND a.kind = 'correction' AND a.state = 'done' AND COALESCE(b.measure, 'defect') = 'defect'
    ORDER BY 1
), '{}')
FROM factories_factory f WHERE f.id = s.factory_id
"""


class Migration(migrations.Migration):

    dependencies = [
        ('assessments', '0005_claim_evidence_and_laws'),
        ('factories', '0003_corrections'),
    ]

    operations = [migrations.RunSQL(WRITE, migrations.RunSQL.noop)]
