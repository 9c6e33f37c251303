"""What each grade brings with it until a manager changes it."""

from django.db import migrations

DEFAULTS = [
    {"grade": "excellent", "has_badge": True, "deposit_terms": "20% deposit, balance 30 days after receipt"},
    {"grade": "good", "deposit_terms": "30% deposit, balance after receipt"},
    {"grade": "passing", "orders": "warn", "inspection": "tightened", "needs_plan": True,
     "deposit_terms": "30% deposit, balance after a passed inspection"},
    {"grade": "failing", "orders": "block", "inspection": "full", "needs_plan": True,
     "deposit_terms": "No deposit, payment after a passed inspection"},
    {"grade": "not_rated", "max_open_value": 20000, "deposit_terms": "Trial orders, 30% deposit"},
]  # fmt: skip


def add_defaults(apps, schema_editor):
    model = apps.get_model("assessments", "GradeConsequence")
    model.objects.bulk_create(model(**values) for values in DEFAULTS)


class Migration(migrations.Migration):
    dependencies = [("assessments", "0003_claims_and_consequences")]
    operations = [migrations.RunPython(add_defaults, migrations.RunPython.noop)]
