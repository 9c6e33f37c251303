"""Keys that carry the factory, as in 0002, and the template that a plan begins with until somebody writes another."""

from django.db import migrations

from production.models.milestones import DEFAULT_TEMPLATE

KEYS = [
    ("production_milestone", "milestone_of_its_orders_factory", "order_id", "production_purchaseorder"),
    ("production_milestoneforecast", "forecast_of_its_milestones_factory", "milestone_id", "production_milestone"),
    ("production_rebaseline", "move_of_its_milestones_factory", "milestone_id", "production_milestone"),
]


def key(table, name, column, parent):
    return migrations.RunSQL(
        f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY ({column}, factory_id) REFERENCES {parent} (id, factory_id) "
        "ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED",
        f"ALTER TABLE {table} DROP CONSTRAINT {name}",
    )


def add_template(apps, schema_editor):
    template = apps.get_model("production", "MilestoneTemplate")
    names = ("code", "title", "predecessors", "gap_days", "responsible")
    template.objects.bulk_create(
        template(position=place, **dict(zip(names, step, strict=True)))
        for place, step in enumerate(DEFAULT_TEMPLATE, start=1)
    )


class Migration(migrations.Migration):
    dependencies = [("production", "0008_milestones")]
    operations = [*(key(*each) for each in KEYS), migrations.RunPython(add_template, migrations.RunPython.noop)]
