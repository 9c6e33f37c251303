"""What factories dispute, and the answers; a dispute carries the factory of the row it is about."""

import django.db.models.deletion
import django.utils.timezone
import pghistory.utils
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models

CARRIED = [
    ("dispute_of_its_lines_factory", "line_id", "production_orderline"),
    ("dispute_of_its_lots_factory", "lot_id", "production_lot"),
    ("dispute_of_its_materials_factory", "order_material_id", "production_ordermaterial"),
]


class Migration(migrations.Migration):

    dependencies = [
        ('factories', '0004_category_history'),
        ('production', '0008_exclusions'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Dispute',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reason', models.TextField()),
                ('raised_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('state', models.CharField(choices=[('open', 'Open'), ('upheld', 'Upheld'), ('declined', 'Declined'), ('withdrawn', 'Withdrawn')], default='open', max_length=9)),
                ('answer', models.TextField(blank=True)),
                ('answered_at', models.DateTimeField(blank=True, null=True)),
                ('withdrawn_at', models.DateTimeField(blank=True, null=True)),
                ('answered_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('delivery', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='disputes', to='production.delivery')),
                ('exclusion', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='disputes', to='production.exclusion')),
                ('factory', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='disputes', to='factories.factory')),
                ('line', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='disputes', to='production.orderline')),
                ('lot', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='disputes', to='production.lot')),
                ('order_material', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='disputes', to='production.ordermaterial', verbose_name='material')),
                ('raised_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='DisputeEvent',
            fields=[
                ('pgh_id', models.AutoField(primary_key=True, serialize=False)),
                ('pgh_created_at', models.DateTimeField(auto_now_add=True)),
                ('pgh_label', models.TextField(help_text='The event label.')),
                ('pgh_context', pghistory.utils.JSONField(null=True)),
                ('pgh_context_id', models.UUIDField(null=True)),
                ('id', models.BigIntegerField()),
                ('reason', models.TextField()),
                ('raised_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('state', models.CharField(choices=[('open', 'Open'), ('upheld', 'Upheld'), ('declined', 'Declined'), ('withdrawn', 'Withdrawn')], default='open', max_length=9)),
                ('answer', models.TextField(blank=True)),
                ('answered_at', models.DateTimeField(blank=True, null=True)),
                ('withdrawn_at', models.DateTimeField(blank=True, null=True)),
                ('answered_by', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to=settings.AUTH_USER_MODEL)),
                ('delivery', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to='production.delivery')),
                ('exclusion', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to='production.exclusion')),
                ('factory', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to='factories.factory')),
                ('line', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to='production.orderline')),
                ('lot', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to='production.lot')),
                ('order_material', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to='production.ordermaterial', verbose_name='material')),
                ('pgh_obj', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='events', to='production.dispute')),
                ('raised_by', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.AddIndex(
            model_name='dispute',
            index=models.Index(fields=['factory', 'state'], name='production__factory_d71e0c_idx'),
        ),
        migrations.AddConstraint(
            model_name='dispute',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('delivery__isnull', True), ('line__isnull', False), ('lot__isnull', True), ('order_material__isnull', True)), models.Q(('delivery__isnull', True), ('line__isnull', True), ('lot__isnull', False), ('order_material__isnull', True)), models.Q(('delivery__isnull', False), ('line__isnull', True), ('lot__isnull', True), ('order_material__isnull', True)), models.Q(('delivery__isnull', True), ('line__isnull', True), ('lot__isnull', True), ('order_material__isnull', False)), _connector='OR'), name='dispute_has_one_subject', violation_error_message='Choose one order line, one lot, one delivery or one material of an order.'),
        ),
        migrations.AddConstraint(
            model_name='dispute',
            constraint=models.CheckConstraint(condition=models.Q(('reason__regex', '\\S')), name='dispute_has_a_reason', violation_error_message='Say what is not right.'),
        ),
        migrations.AddConstraint(
            model_name='dispute',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'open'), ('answered_at__isnull', True), ('withdrawn_at__isnull', True)), models.Q(('answer__regex', '\\S'), ('state__in', ['upheld', 'declined']), ('withdrawn_at__isnull', True), ('answered_at__isnull', False), ('answered_by__isnull', False)), models.Q(('answered_at__isnull', True), ('state', 'withdrawn'), ('withdrawn_at__isnull', False)), _connector='OR'), name='dispute_says_who_answered_what', violation_error_message='An answer has a person, a moment and a text.'),
        ),
        migrations.AddConstraint(
            model_name='dispute',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'open')), fields=('line',), name='one_open_dispute_per_line', violation_error_message='This row is disputed already.'),
        ),
        migrations.AddConstraint(
            model_name='dispute',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'open')), fields=('lot',), name='one_open_dispute_per_lot', violation_error_message='This row is disputed already.'),
        ),
        migrations.AddConstraint(
            model_name='dispute',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'open')), fields=('delivery',), name='one_open_dispute_per_delivery', violation_error_message='This row is disputed already.'),
        ),
        migrations.AddConstraint(
            model_name='dispute',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'open')), fields=('order_material',), name='one_open_dispute_per_order_material', violation_error_message='This row is disputed already.'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='dispute',
            trigger=pgtrigger.compiler.Trigger(name='dispute_is_kept', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF COALESCE(current_setting('plumbline.correcting', TRUE), '') = 'on' THEN RETURN NULL; END IF; IF NEW.line_id IS DISTINCT FROM OLD.line_id OR NEW.lot_id IS DISTINCT FROM OLD.lot_id OR NEW.delivery_id IS DISTINCT FROM OLD.delivery_id OR NEW.order_material_id IS DISTINCT FROM OLD.order_material_id OR NEW.reason IS DISTINCT FROM OLD.reason OR NEW.raised_by_id IS DISTINCT FROM OLD.raised_by_id OR NEW.raised_at IS DISTINCT FROM OLD.raised_at OR OLD.state <> 'open' AND (NEW.state IS DISTINCT FROM OLD.state OR NEW.answer IS DISTINCT FROM OLD.answer OR NEW.answered_by_id IS DISTINCT FROM OLD.answered_by_id OR NEW.answered_at IS DISTINCT FROM OLD.answered_at OR NEW.withdrawn_at IS DISTINCT FROM OLD.withdrawn_at OR NEW.exclusion_id IS DISTINCT FROM OLD.exclusion_id) THEN RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'dispute_is_kept', MESSAGE = 'What was disputed and answered stays as it is. Raise another dispute.'; END IF; RETURN NULL;", hash='6363b42e3ea56c4b7dcf782f0a9d34078719ab85', operation='UPDATE', pgid='pgtrigger_dispute_is_kept_67426', table='production_dispute', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='dispute',
            trigger=pgtrigger.compiler.Trigger(name='insert_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "production_disputeevent" ("answer", "answered_at", "answered_by_id", "delivery_id", "exclusion_id", "factory_id", "id", "line_id", "lot_id", "order_material_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "raised_at", "raised_by_id", "reason", "state", "withdrawn_at") SELECT new_values."answer", new_values."answered_at", new_values."answered_by_id", new_values."delivery_id", new_values."exclusion_id", new_values."factory_id", new_values."id", new_values."line_id", new_values."lot_id", new_values."order_material_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'insert\', new_values."id", new_values."raised_at", new_values."raised_by_id", new_values."reason", new_values."state", new_values."withdrawn_at" FROM ( SELECT new_values.* FROM new_values  ) AS new_values, _pgh_attached_context; RETURN NULL;', hash='e8eaa2c5a363eeafe14a60dd335b57b273b27153', level='STATEMENT', operation='INSERT', pgid='pgtrigger_insert_insert_7f58e', referencing='REFERENCING NEW TABLE AS new_values ', table='production_dispute', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='dispute',
            trigger=pgtrigger.compiler.Trigger(name='update_update', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "production_disputeevent" ("answer", "answered_at", "answered_by_id", "delivery_id", "exclusion_id", "factory_id", "id", "line_id", "lot_id", "order_material_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "raised_at", "raised_by_id", "reason", "state", "withdrawn_at") SELECT new_values."answer", new_values."answered_at", new_values."answered_by_id", new_values."delivery_id", new_values."exclusion_id", new_values."factory_id", new_values."id", new_values."line_id", new_values."lot_id", new_values."order_material_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'update\', new_values."id", new_values."raised_at", new_values."raised_by_id", new_values."reason", new_values."state", new_values."withdrawn_at" FROM ( SELECT new_values.* FROM old_values JOIN new_values ON (old_values."id") = (new_values."id") WHERE (old_values.* IS DISTINCT FROM new_values.*) ) AS new_values, _pgh_attached_context; RETURN NULL;', hash='05b365bb36cbbd5662070505c480359aba0b999d', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_update_update_0cd74', referencing='REFERENCING OLD TABLE AS old_values  NEW TABLE AS new_values ', table='production_dispute', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='dispute',
            trigger=pgtrigger.compiler.Trigger(name='delete_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "production_disputeevent" ("answer", "answered_at", "answered_by_id", "delivery_id", "exclusion_id", "factory_id", "id", "line_id", "lot_id", "order_material_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "raised_at", "raised_by_id", "reason", "state", "withdrawn_at") SELECT old_values."answer", old_values."answered_at", old_values."answered_by_id", old_values."delivery_id", old_values."exclusion_id", old_values."factory_id", old_values."id", old_values."line_id", old_values."lot_id", old_values."order_material_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'delete\', old_values."id", old_values."raised_at", old_values."raised_by_id", old_values."reason", old_values."state", old_values."withdrawn_at" FROM ( SELECT old_values.* FROM old_values  ) AS old_values, _pgh_attached_context; RETURN NULL;', hash='8f9c0046d384a957bc253ce19840bd497099aff9', level='STATEMENT', operation='DELETE', pgid='pgtrigger_delete_delete_4148c', referencing='REFERENCING OLD TABLE AS old_values ', table='production_dispute', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='disputeevent',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='b5906a031ac67b0a0f0733d106f68dbfee85c25f', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_1edfd', table='production_disputeevent', when='BEFORE')),
        ),
        *(
            migrations.RunSQL(
                f"ALTER TABLE production_dispute ADD CONSTRAINT {name} FOREIGN KEY ({column}, factory_id) "
                f"REFERENCES {parent} (id, factory_id) ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED",
                f"ALTER TABLE production_dispute DROP CONSTRAINT {name}",
            )
            for name, column, parent in CARRIED
        ),
    ]
