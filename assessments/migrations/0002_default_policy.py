"""The policy that is in force until a manager writes another: the defaults of the model, for all factories."""

import datetime

from django.db import migrations


def add_default(apps, schema_editor):
    apps.get_model("assessments", "Policy").objects.create(
        effective_from=datetime.date(2000, 1, 1), note="The defaults the product ships with"
    )


class Migration(migrations.Migration):
    dependencies = [("assessments", "0001_initial")]
    operations = [migrations.RunPython(add_default, migrations.RunPython.noop)]
