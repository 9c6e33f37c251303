"""What does not count although it happened, set aside by two people; it carries the factory of what it is about."""

import datetime
import django.db.models.deletion
import django.utils.timezone
import pghistory.utils
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models

CARRIED = [
    ("exclusion_of_its_lines_factory", "line_id", "production_orderline"),
    ("exclusion_of_its_lots_factory", "lot_id", "production_lot"),
    ("exclusion_of_its_materials_factory", "order_material_id", "production_ordermaterial"),
]


class Migration(migrations.Migration):

    dependencies = [
        ('factories', '0004_category_history'),
        ('production', '0007_to_judge'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='materialoutcome',
            name='is_set_aside',
            field=models.BooleanField(default=False, help_text='It may be claimed, but it does not count.'),
        ),
        migrations.AlterField(
            model_name='lineoutcome',
            name='state',
            field=models.CharField(choices=[('counted', 'Counted'), ('excluded', 'Cancelled by us in time'), ('unmeasurable', 'No promised day'), ('set_aside', 'Set aside')], max_length=12),
        ),
        migrations.CreateModel(
            name='Exclusion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reason', models.CharField(max_length=500)),
                ('evidence', models.TextField(blank=True)),
                ('state', models.CharField(choices=[('proposed', 'Waiting'), ('approved', 'Set aside'), ('declined', 'Declined'), ('withdrawn', 'Withdrawn'), ('lifted', 'Lifted')], default='proposed', max_length=9)),
                ('proposed_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('decided_at', models.DateTimeField(blank=True, null=True)),
                ('decided_on', models.DateField(blank=True, help_text='The day from which it counts.', null=True)),
                ('decision_note', models.CharField(blank=True, max_length=500)),
                ('withdrawn_at', models.DateTimeField(blank=True, null=True)),
                ('lifted_at', models.DateTimeField(blank=True, null=True)),
                ('lifted_on', models.DateField(blank=True, help_text='The day from which the row counts again.', null=True)),
                ('lift_reason', models.CharField(blank=True, max_length=500)),
                ('decided_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('factory', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='exclusions', to='factories.factory')),
                ('lifted_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('line', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='exclusions', to='production.orderline')),
                ('lot', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='exclusions', to='production.lot')),
                ('order_material', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='exclusions', to='production.ordermaterial', verbose_name='material')),
                ('proposed_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='ExclusionEvent',
            fields=[
                ('pgh_id', models.AutoField(primary_key=True, serialize=False)),
                ('pgh_created_at', models.DateTimeField(auto_now_add=True)),
                ('pgh_label', models.TextField(help_text='The event label.')),
                ('pgh_context', pghistory.utils.JSONField(null=True)),
                ('pgh_context_id', models.UUIDField(null=True)),
                ('id', models.BigIntegerField()),
                ('reason', models.CharField(max_length=500)),
                ('evidence', models.TextField(blank=True)),
                ('state', models.CharField(choices=[('proposed', 'Waiting'), ('approved', 'Set aside'), ('declined', 'Declined'), ('withdrawn', 'Withdrawn'), ('lifted', 'Lifted')], default='proposed', max_length=9)),
                ('proposed_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('decided_at', models.DateTimeField(blank=True, null=True)),
                ('decided_on', models.DateField(blank=True, help_text='The day from which it counts.', null=True)),
                ('decision_note', models.CharField(blank=True, max_length=500)),
                ('withdrawn_at', models.DateTimeField(blank=True, null=True)),
                ('lifted_at', models.DateTimeField(blank=True, null=True)),
                ('lifted_on', models.DateField(blank=True, help_text='The day from which the row counts again.', null=True)),
                ('lift_reason', models.CharField(blank=True, max_length=500)),
                ('decided_by', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to=settings.AUTH_USER_MODEL)),
                ('factory', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to='factories.factory')),
                ('lifted_by', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to=settings.AUTH_USER_MODEL)),
                ('line', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to='production.orderline')),
                ('lot', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to='production.lot')),
                ('order_material', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to='production.ordermaterial', verbose_name='material')),
                ('pgh_obj', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='events', to='production.exclusion')),
                ('proposed_by', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.AddIndex(
            model_name='exclusion',
            index=models.Index(fields=['factory', 'state'], name='production__factory_791f2f_idx'),
        ),
        migrations.AddConstraint(
            model_name='exclusion',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('line__isnull', False), ('lot__isnull', True), ('order_material__isnull', True)), models.Q(('line__isnull', True), ('lot__isnull', False), ('order_material__isnull', True)), models.Q(('line__isnull', True), ('lot__isnull', True), ('order_material__isnull', False)), _connector='OR'), name='exclusion_has_one_subject', violation_error_message='Choose one order line, one lot or one material of an order.'),
        ),
        migrations.AddConstraint(
            model_name='exclusion',
            constraint=models.CheckConstraint(condition=models.Q(('reason__regex', '\\S')), name='exclusion_has_a_reason', violation_error_message='Say why it should not count.'),
        ),
        migrations.AddConstraint(
            model_name='exclusion',
            constraint=models.CheckConstraint(condition=models.Q(('decided_by__isnull', True), models.Q(('decided_by', models.F('proposed_by')), _negated=True), _connector='OR'), name='exclusion_needs_a_second_person', violation_error_message='Somebody else than the person who proposed it decides.'),
        ),
        migrations.AddConstraint(
            model_name='exclusion',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'proposed'), ('withdrawn_at__isnull', True), ('decided_at__isnull', True), ('decided_by__isnull', True), ('decided_on__isnull', True), ('lifted_at__isnull', True), ('lifted_by__isnull', True), ('lifted_on__isnull', True)), models.Q(('state', 'withdrawn'), ('withdrawn_at__isnull', False), ('decided_at__isnull', True), ('decided_by__isnull', True), ('decided_on__isnull', True), ('lifted_at__isnull', True), ('lifted_by__isnull', True), ('lifted_on__isnull', True)), models.Q(('state__in', ['approved', 'declined']), ('withdrawn_at__isnull', True), ('decided_at__isnull', False), ('decided_by__isnull', False), ('decided_on__isnull', False), ('lifted_at__isnull', True), ('lifted_by__isnull', True), ('lifted_on__isnull', True)), models.Q(('lift_reason__regex', '\\S'), ('lifted_on__gte', models.F('decided_on')), ('state', 'lifted'), ('withdrawn_at__isnull', True), ('decided_at__isnull', False), ('decided_by__isnull', False), ('decided_on__isnull', False), ('lifted_at__isnull', False), ('lifted_by__isnull', False), ('lifted_on__isnull', False)), _connector='OR'), name='exclusion_says_who_and_when', violation_error_message='A decision has a person and a day; what is lifted also has a reason.'),
        ),
        migrations.AddConstraint(
            model_name='exclusion',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('decided_on__isnull', True), models.Q(('decided_on__gte', datetime.date(2000, 1, 1)), ('decided_on__lte', datetime.date(2049, 12, 31))), _connector='OR'), models.Q(('lifted_on__isnull', True), models.Q(('lifted_on__gte', datetime.date(2000, 1, 1)), ('lifted_on__lte', datetime.date(2049, 12, 31))), _connector='OR')), name='exclusion_within_calendar', violation_error_message='Days must lie between 2000 and 2049.'),
        ),
        migrations.AddConstraint(
            model_name='exclusion',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ['proposed', 'approved'])), fields=('line',), name='one_standing_exclusion_per_line', violation_error_message='There is already an exclusion of this row.'),
        ),
        migrations.AddConstraint(
            model_name='exclusion',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ['proposed', 'approved'])), fields=('lot',), name='one_standing_exclusion_per_lot', violation_error_message='There is already an exclusion of this row.'),
        ),
        migrations.AddConstraint(
            model_name='exclusion',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ['proposed', 'approved'])), fields=('order_material',), name='one_standing_exclusion_per_order_material', violation_error_message='There is already an exclusion of this row.'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='exclusion',
            trigger=pgtrigger.compiler.Trigger(name='mark_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func="INSERT INTO production_touched (kind, subject_id) SELECT 'line', line_id FROM new_values WHERE line_id IS NOT NULL UNION SELECT 'lot', lot_id FROM new_values WHERE lot_id IS NOT NULL UNION SELECT 'material', order_material_id FROM new_values WHERE order_material_id IS NOT NULL; RETURN NULL;", hash='f6bbe23e67737d40ffbcbd40100dc2f3769a61c5', level='STATEMENT', operation='INSERT', pgid='pgtrigger_mark_insert_aae2e', referencing='REFERENCING NEW TABLE AS new_values ', table='production_exclusion', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='exclusion',
            trigger=pgtrigger.compiler.Trigger(name='mark_update', sql=pgtrigger.compiler.UpsertTriggerSql(func="INSERT INTO production_touched (kind, subject_id) SELECT 'line', line_id FROM (SELECT * FROM old_values UNION ALL SELECT * FROM new_values) AS touched_values WHERE line_id IS NOT NULL UNION SELECT 'lot', lot_id FROM (SELECT * FROM old_values UNION ALL SELECT * FROM new_values) AS touched_values WHERE lot_id IS NOT NULL UNION SELECT 'material', order_material_id FROM (SELECT * FROM old_values UNION ALL SELECT * FROM new_values) AS touched_values WHERE order_material_id IS NOT NULL; RETURN NULL;", hash='8767151a55a235c94fc137c74bc33cca2578d52e', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_mark_update_9442a', referencing='REFERENCING OLD TABLE AS old_values  NEW TABLE AS new_values ', table='production_exclusion', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='exclusion',
            trigger=pgtrigger.compiler.Trigger(name='mark_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="INSERT INTO production_touched (kind, subject_id) SELECT 'line', line_id FROM old_values WHERE line_id IS NOT NULL UNION SELECT 'lot', lot_id FROM old_values WHERE lot_id IS NOT NULL UNION SELECT 'material', order_material_id FROM old_values WHERE order_material_id IS NOT NULL; RETURN NULL;", hash='0e64cdd6f40024f06f2f8959622b7a83593d06d0', level='STATEMENT', operation='DELETE', pgid='pgtrigger_mark_delete_75fab', referencing='REFERENCING OLD TABLE AS old_values ', table='production_exclusion', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='exclusion',
            trigger=pgtrigger.compiler.Trigger(name='exclusion_is_kept', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF COALESCE(current_setting('plumbline.correcting', TRUE), '') = 'on' THEN RETURN NULL; END IF; IF (NEW.line_id IS DISTINCT FROM OLD.line_id OR NEW.lot_id IS DISTINCT FROM OLD.lot_id OR NEW.order_material_id IS DISTINCT FROM OLD.order_material_id OR NEW.reason IS DISTINCT FROM OLD.reason OR NEW.evidence IS DISTINCT FROM OLD.evidence OR NEW.proposed_by_id IS DISTINCT FROM OLD.proposed_by_id OR NEW.proposed_at IS DISTINCT FROM OLD.proposed_at) OR OLD.decided_by_id IS NOT NULL AND (NEW.decided_by_id IS DISTINCT FROM OLD.decided_by_id OR NEW.decided_at IS DISTINCT FROM OLD.decided_at OR NEW.decided_on IS DISTINCT FROM OLD.decided_on OR NEW.decision_note IS DISTINCT FROM OLD.decision_note) OR OLD.state IN ('declined', 'withdrawn', 'lifted') AND (NEW.withdrawn_at IS DISTINCT FROM OLD.withdrawn_at OR NEW.lifted_by_id IS DISTINCT FROM OLD.lifted_by_id OR NEW.lifted_at IS DISTINCT FROM OLD.lifted_at OR NEW.lifted_on IS DISTINCT FROM OLD.lifted_on OR NEW.lift_reason IS DISTINCT FROM OLD.lift_reason) OR NEW.state <> OLD.state AND NOT (OLD.state = 'proposed' AND NEW.state <> 'lifted' OR OLD.state = 'approved' AND NEW.state = 'lifted') THEN RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'exclusion_is_kept', MESSAGE = 'What was proposed and decided stays as it is. Lift it, or propose anew.'; END IF; RETURN NULL;", hash='dd2926cd5314bf37760b630021ea053cec544eb9', operation='UPDATE', pgid='pgtrigger_exclusion_is_kept_2db1e', table='production_exclusion', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='exclusion',
            trigger=pgtrigger.compiler.Trigger(name='insert_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "production_exclusionevent" ("decided_at", "decided_by_id", "decided_on", "decision_note", "evidence", "factory_id", "id", "lift_reason", "lifted_at", "lifted_by_id", "lifted_on", "line_id", "lot_id", "order_material_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "proposed_at", "proposed_by_id", "reason", "state", "withdrawn_at") SELECT new_values."decided_at", new_values."decided_by_id", new_values."decided_on", new_values."decision_note", new_values."evidence", new_values."factory_id", new_values."id", new_values."lift_reason", new_values."lifted_at", new_values."lifted_by_id", new_values."lifted_on", new_values."line_id", new_values."lot_id", new_values."order_material_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'insert\', new_values."id", new_values."proposed_at", new_values."proposed_by_id", new_values."reason", new_values."state", new_values."withdrawn_at" FROM ( SELECT new_values.* FROM new_values  ) AS new_values, _pgh_attached_context; RETURN NULL;', hash='44f9a1ea7d52abdbe1518607bb6824ebbb05e912', level='STATEMENT', operation='INSERT', pgid='pgtrigger_insert_insert_590e3', referencing='REFERENCING NEW TABLE AS new_values ', table='production_exclusion', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='exclusion',
            trigger=pgtrigger.compiler.Trigger(name='update_update', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "production_exclusionevent" ("decided_at", "decided_by_id", "decided_on", "decision_note", "evidence", "factory_id", "id", "lift_reason", "lifted_at", "lifted_by_id", "lifted_on", "line_id", "lot_id", "order_material_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "proposed_at", "proposed_by_id", "reason", "state", "withdrawn_at") SELECT new_values."decided_at", new_values."decided_by_id", new_values."decided_on", new_values."decision_note", new_values."evidence", new_values."factory_id", new_values."id", new_values."lift_reason", new_values."lifted_at", new_values."lifted_by_id", new_values."lifted_on", new_values."line_id", new_values."lot_id", new_values."order_material_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'update\', new_values."id", new_values."proposed_at", new_values."proposed_by_id", new_values."reason", new_values."state", new_values."withdrawn_at" FROM ( SELECT new_values.* FROM old_values JOIN new_values ON (old_values."id") = (new_values."id") WHERE (old_values.* IS DISTINCT FROM new_values.*) ) AS new_values, _pgh_attached_context; RETURN NULL;', hash='a6d5abee2f906630bfb0dda9ddfb2c7bfac4ffb9', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_update_update_0d3b4', referencing='REFERENCING OLD TABLE AS old_values  NEW TABLE AS new_values ', table='production_exclusion', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='exclusion',
            trigger=pgtrigger.compiler.Trigger(name='delete_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "production_exclusionevent" ("decided_at", "decided_by_id", "decided_on", "decision_note", "evidence", "factory_id", "id", "lift_reason", "lifted_at", "lifted_by_id", "lifted_on", "line_id", "lot_id", "order_material_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "proposed_at", "proposed_by_id", "reason", "state", "withdrawn_at") SELECT old_values."decided_at", old_values."decided_by_id", old_values."decided_on", old_values."decision_note", old_values."evidence", old_values."factory_id", old_values."id", old_values."lift_reason", old_values."lifted_at", old_values."lifted_by_id", old_values."lifted_on", old_values."line_id", old_values."lot_id", old_values."order_material_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'delete\', old_values."id", old_values."proposed_at", old_values."proposed_by_id", old_values."reason", old_values."state", old_values."withdrawn_at" FROM ( SELECT old_values.* FROM old_values  ) AS old_values, _pgh_attached_context; RETURN NULL;', hash='7d606eab317b8dec8d4b5b66209e903289e29539', level='STATEMENT', operation='DELETE', pgid='pgtrigger_delete_delete_a6765', referencing='REFERENCING OLD TABLE AS old_values ', table='production_exclusion', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='exclusionevent',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='0d8572faeb80a645657b86c987e6abb747601caa', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_09159', table='production_exclusionevent', when='BEFORE')),
        ),
        *(
            migrations.RunSQL(
                f"ALTER TABLE production_exclusion ADD CONSTRAINT {name} FOREIGN KEY ({column}, factory_id) "
                f"REFERENCES {parent} (id, factory_id) ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED",
                f"ALTER TABLE production_exclusion DROP CONSTRAINT {name}",
            )
            for name, column, parent in CARRIED
        ),
    ]
