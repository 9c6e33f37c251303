
"""What materials of open orders are heading for, kept; and marks, so that the next run of the job works them out."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('factories', '0003_corrections'),
        ('production', '0016_open_lines_without_the_table'),
    ]

    operations = [
        migrations.CreateModel(
            name='OpenMaterial',
            fields=[
                ('order_material', models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, primary_key=True, related_name='projection', serialize=False, to='production.ordermaterial')),
                ('currency', models.CharField(max_length=3)),
                ('net', models.DecimalField(decimal_places=12, max_digits=38)),
                ('needed', models.DecimalField(decimal_places=18, help_text='Null where no bill of the order names the material.', max_digits=44, null=True)),
                ('loss', models.DecimalField(decimal_places=18, max_digits=44, null=True)),
                ('allowed', models.DecimalField(decimal_places=12, max_digits=38, null=True)),
                ('goods_in_on', models.DateField(help_text="The day of the order's last receipt; null while a line waits for goods.", null=True)),
            ],
        ),
        migrations.AddIndex(
            model_name='materialoutcome',
            index=models.Index(condition=models.Q(('charge__gt', 0), ('excess__gt', 0)), fields=['-closed_on', '-order_material'], name='material_outcome_claimable'),
        ),
        migrations.AddField(
            model_name='openmaterial',
            name='factory',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='factories.factory'),
        ),
        migrations.AddField(
            model_name='openmaterial',
            name='material',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='production.material'),
        ),
        migrations.AddField(
            model_name='openmaterial',
            name='order',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='open_materials', to='production.purchaseorder'),
        ),
        migrations.AddIndex(
            model_name='openmaterial',
            index=models.Index(condition=models.Q(('loss__gt', models.F('allowed'))), fields=['-order', 'material'], name='open_material_beyond'),
        ),
        migrations.AddIndex(
            model_name='openmaterial',
            index=models.Index(condition=models.Q(('goods_in_on__isnull', False)), fields=['goods_in_on', 'order'], name='open_material_goods_in'),
        ),
        migrations.RunSQL(
            "INSERT INTO production_touched (kind, subject_id) SELECT 'material', m.id FROM production_ordermaterial m "
            "JOIN production_purchaseorder o ON o.id = m.order_id WHERE o.closed_on IS NULL",
            migrations.RunSQL.noop,
        ),
    ]
