"""The daily sums are rebuilt whole: checking their factory and category row by row only made that slow."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('factories', '0002_working_days'),
        ('production', '0002_carried_factory'),
    ]

    operations = [
        migrations.AlterField(
            model_name='factoryday',
            name='category',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='factories.category'),
        ),
        migrations.AlterField(
            model_name='factoryday',
            name='factory',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='days', to='factories.factory'),
        ),
    ]
