"""What is in force until a manager writes another: the policy for all factories, and what each grade brings with it."""

import datetime

from django.db import migrations

CONSEQUENCES = [
    {"grade": "excellent", "has_badge": True, "deposit_terms": "20% deposit, balance 30 days after receipt"},
    {"grade": "good", "deposit_terms": "30% deposit, balance after receipt"},
    {"grade": "passing", "orders": "warn", "inspection": "tightened", "needs_plan": True,
     "deposit_terms": "30% deposit, balance after a passed inspection"},
    {"grade": "failing", "orders": "block", "inspection": "full", "needs_plan": True,
     "deposit_terms": "No deposit, payment after a passed inspection"},
    {"grade": "not_rated", "max_open_value": 20000, "deposit_terms": "Trial orders, 30% deposit"},
]  # fmt: skip


def add_defaults(apps, schema_editor):
    apps.get_model("assessments", "Policy").objects.create(
        effective_from=datetime.date(2000, 1, 1), note="The defaults the product ships with"
    )
    consequence = apps.get_model("assessments", "GradeConsequence")
    consequence.objects.bulk_create(consequence(**values) for values in CONSEQUENCES)


class Migration(migrations.Migration):
    dependencies = [("assessments", "0001_tables")]
    replaces = [("assessments", "0002_default_policy"), ("assessments", "0004_default_consequences")]
    operations = [migrations.RunPython(add_defaults, migrations.RunPython.noop)]
