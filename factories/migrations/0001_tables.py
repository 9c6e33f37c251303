"""The tables of factories, each with its laws and its triggers."""

import datetime
import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import factories.models
import pghistory.utils
import pgtrigger.compiler
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [('factories', '0001_initial'), ('factories', '0003_standing'), ('factories', '0004_category_history'), ('factories', '0005_standing_plan'), ('factories', '0006_public_holidays')]

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Category',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(max_length=40, unique=True, validators=[django.core.validators.RegexValidator('^[a-z0-9][a-z0-9-]*$')])),
                ('name', models.CharField(max_length=80)),
                ('is_soft', models.BooleanField(default=False, help_text='Soft goods have the wider defect ceiling.', verbose_name='soft goods')),
            ],
            options={
                'verbose_name_plural': 'categories',
                'ordering': ['name'],
                'triggers': [
                    pgtrigger.compiler.Trigger(name='insert_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "factories_categoryevent" ("code", "id", "is_soft", "name", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") SELECT new_values."code", new_values."id", new_values."is_soft", new_values."name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'insert\', new_values."id" FROM ( SELECT new_values.* FROM new_values  ) AS new_values, _pgh_attached_context; RETURN NULL;', hash='f785f84771eb51d7c7e8447e593beb57db80dee1', level='STATEMENT', operation='INSERT', pgid='pgtrigger_insert_insert_9446f', referencing='REFERENCING NEW TABLE AS new_values ', table='factories_category', when='AFTER')),
                    pgtrigger.compiler.Trigger(name='update_update', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "factories_categoryevent" ("code", "id", "is_soft", "name", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") SELECT new_values."code", new_values."id", new_values."is_soft", new_values."name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'update\', new_values."id" FROM ( SELECT new_values.* FROM old_values JOIN new_values ON (old_values."id") = (new_values."id") WHERE (old_values.* IS DISTINCT FROM new_values.*) ) AS new_values, _pgh_attached_context; RETURN NULL;', hash='ff5c336f93cd6f7fd55e23aca76da70dd7fa5fbd', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_update_update_b11d0', referencing='REFERENCING OLD TABLE AS old_values  NEW TABLE AS new_values ', table='factories_category', when='AFTER')),
                    pgtrigger.compiler.Trigger(name='delete_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "factories_categoryevent" ("code", "id", "is_soft", "name", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") SELECT old_values."code", old_values."id", old_values."is_soft", old_values."name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'delete\', old_values."id" FROM ( SELECT old_values.* FROM old_values  ) AS old_values, _pgh_attached_context; RETURN NULL;', hash='c5cfe3dff7c87735534133cdd9f1f37460c70534', level='STATEMENT', operation='DELETE', pgid='pgtrigger_delete_delete_69fa5', referencing='REFERENCING OLD TABLE AS old_values ', table='factories_category', when='AFTER'))],
            },
        ),
        migrations.CreateModel(
            name='CategoryEvent',
            fields=[
                ('pgh_id', models.AutoField(primary_key=True, serialize=False)),
                ('pgh_created_at', models.DateTimeField(auto_now_add=True)),
                ('pgh_label', models.TextField(help_text='The event label.')),
                ('pgh_obj', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='events', to='factories.category')),
                ('pgh_context', pghistory.utils.JSONField(null=True)),
                ('pgh_context_id', models.UUIDField(null=True)),
                ('id', models.BigIntegerField()),
                ('code', models.CharField(max_length=40, validators=[django.core.validators.RegexValidator('^[a-z0-9][a-z0-9-]*$')])),
                ('name', models.CharField(max_length=80)),
                ('is_soft', models.BooleanField(default=False, help_text='Soft goods have the wider defect ceiling.', verbose_name='soft goods')),
            ],
            options={
                'abstract': False,
                'triggers': [
                    pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='56e08decdcd46fe03f20d81a095786ddbf457a29', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_c02cc', table='factories_categoryevent', when='BEFORE'))],
            },
        ),
        migrations.CreateModel(
            name='WorkingCalendar',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(max_length=40, unique=True, validators=[django.core.validators.RegexValidator('^[A-Za-z0-9][A-Za-z0-9._-]*$', 'Use letters A to Z, digits, hyphen, dot or underscore.')])),
                ('name', models.CharField(max_length=80)),
                ('weekend', django.contrib.postgres.fields.ArrayField(base_field=models.PositiveSmallIntegerField(), blank=True, default=list, help_text='ISO days off: 6 = Saturday, 7 = Sunday.', size=None)),
                ('country', models.CharField(blank=True, help_text='ISO 3166 code of the country whose holidays it has.', max_length=2, verbose_name='public holidays of')),
                ('known_years', django.contrib.postgres.fields.ArrayField(base_field=models.PositiveSmallIntegerField(), blank=True, default=list, editable=False, help_text='Years whose public holidays were taken in whole.', size=None)),
                ('base', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='built_on_it', to='factories.workingcalendar', verbose_name='builds on')),
            ],
            options={
                'ordering': ['code'],
                'constraints': [
                    models.CheckConstraint(condition=models.Q(('code__regex', '^[A-Za-z0-9][A-Za-z0-9._-]*$')), name='calendar_code_is_plain', violation_error_message='Use letters A to Z, digits, hyphen, dot or underscore.'),
                    models.CheckConstraint(condition=models.Q(('country', ''), ('country__regex', '^[A-Z]{2}$'), _connector='OR'), name='calendar_country_is_iso', violation_error_message='Use the two-letter country code, for example VN.'),
                    models.CheckConstraint(condition=models.Q(('base', None), ('country', ''), _connector='OR'), name='holidays_come_from_the_base', violation_error_message='A calendar that builds on another has the holidays of that one.'),
                    models.CheckConstraint(condition=models.Q(('weekend__contained_by', [1, 2, 3, 4, 5, 6, 7])), name='weekend_days_are_iso', violation_error_message='Days off are numbers from 1 (Monday) to 7 (Sunday).'),
                    models.CheckConstraint(condition=models.Q(('weekend__contains', [1, 2, 3, 4, 5, 6, 7]), _negated=True), name='a_week_has_a_working_day', violation_error_message='At least one day of the week must be a working day.')],
                'triggers': [
                    pgtrigger.compiler.Trigger(name='a_working_days_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='PERFORM factories_rebuild_working_days(ids.id) FROM (SELECT DISTINCT id AS id FROM new_values) AS ids; RETURN NULL;', hash='74930ac2826ba9f55029df1008b9cba1a3c93e82', level='STATEMENT', operation='INSERT', pgid='pgtrigger_a_working_days_insert_378b8', referencing='REFERENCING NEW TABLE AS new_values ', table='factories_workingcalendar', when='AFTER')),
                    pgtrigger.compiler.Trigger(name='a_working_days_update', sql=pgtrigger.compiler.UpsertTriggerSql(func='PERFORM factories_rebuild_working_days(ids.id) FROM (SELECT DISTINCT id AS id FROM (SELECT * FROM old_values UNION ALL SELECT * FROM new_values) AS changed) AS ids; RETURN NULL;', hash='1a1fcef3a528a92e6bcb65b2a094b0da792f8d53', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_a_working_days_update_f8ab9', referencing='REFERENCING OLD TABLE AS old_values  NEW TABLE AS new_values ', table='factories_workingcalendar', when='AFTER')),
                    pgtrigger.compiler.Trigger(name='a_working_days_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func='PERFORM factories_rebuild_working_days(ids.id) FROM (SELECT DISTINCT id AS id FROM old_values) AS ids; RETURN NULL;', hash='769b4d4fce8c2e75e6fe334474b76e29559159cd', level='STATEMENT', operation='DELETE', pgid='pgtrigger_a_working_days_delete_484c7', referencing='REFERENCING OLD TABLE AS old_values ', table='factories_workingcalendar', when='AFTER')),
                    pgtrigger.compiler.Trigger(name='one_storey_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func="\n    IF NEW.base_id IS NOT NULL AND (\n        EXISTS (SELECT FROM factories_workingcalendar b WHERE b.id = NEW.base_id AND b.base_id IS NOT NULL)\n        OR EXISTS (SELECT FROM factories_workingcalendar o WHERE o.base_id = NEW.id)\n    ) THEN\n        RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'calendars_build_one_storey',\n            MESSAGE = 'A calendar builds on one that stands by itself.';\n    END IF;\n    RETURN NULL;\n", hash='7f63a834b436655fd7d31191a804523cd076252e', operation='INSERT', pgid='pgtrigger_one_storey_insert_7efe7', table='factories_workingcalendar', when='AFTER')),
                    pgtrigger.compiler.Trigger(name='one_storey_update', sql=pgtrigger.compiler.UpsertTriggerSql(func="\n    IF NEW.base_id IS NOT NULL AND (\n        EXISTS (SELECT FROM factories_workingcalendar b WHERE b.id = NEW.base_id AND b.base_id IS NOT NULL)\n        OR EXISTS (SELECT FROM factories_workingcalendar o WHERE o.base_id = NEW.id)\n    ) THEN\n        RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'calendars_build_one_storey',\n            MESSAGE = 'A calendar builds on one that stands by itself.';\n    END IF;\n    RETURN NULL;\n", hash='ad6761389d16d10112428904ba58ee4069cc8d4b', operation='UPDATE', pgid='pgtrigger_one_storey_update_c2b14', table='factories_workingcalendar', when='AFTER')),
                    pgtrigger.compiler.Trigger(name='insert_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "factories_workingcalendarevent" ("base_id", "code", "country", "id", "known_years", "name", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "weekend") SELECT new_values."base_id", new_values."code", new_values."country", new_values."id", new_values."known_years", new_values."name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'insert\', new_values."id", new_values."weekend" FROM ( SELECT new_values.* FROM new_values  ) AS new_values, _pgh_attached_context; RETURN NULL;', hash='510574663e90be50b71250fa397941cd77a5eeb1', level='STATEMENT', operation='INSERT', pgid='pgtrigger_insert_insert_1e9cf', referencing='REFERENCING NEW TABLE AS new_values ', table='factories_workingcalendar', when='AFTER')),
                    pgtrigger.compiler.Trigger(name='update_update', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "factories_workingcalendarevent" ("base_id", "code", "country", "id", "known_years", "name", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "weekend") SELECT new_values."base_id", new_values."code", new_values."country", new_values."id", new_values."known_years", new_values."name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'update\', new_values."id", new_values."weekend" FROM ( SELECT new_values.* FROM old_values JOIN new_values ON (old_values."id") = (new_values."id") WHERE (old_values.* IS DISTINCT FROM new_values.*) ) AS new_values, _pgh_attached_context; RETURN NULL;', hash='5b6f4cc4618c89d5413275b38bb81e4c5c0f646a', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_update_update_3eb1a', referencing='REFERENCING OLD TABLE AS old_values  NEW TABLE AS new_values ', table='factories_workingcalendar', when='AFTER')),
                    pgtrigger.compiler.Trigger(name='delete_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "factories_workingcalendarevent" ("base_id", "code", "country", "id", "known_years", "name", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "weekend") SELECT old_values."base_id", old_values."code", old_values."country", old_values."id", old_values."known_years", old_values."name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'delete\', old_values."id", old_values."weekend" FROM ( SELECT old_values.* FROM old_values  ) AS old_values, _pgh_attached_context; RETURN NULL;', hash='e6f4a237a358fb311bc3419e5103da29c04bf58a', level='STATEMENT', operation='DELETE', pgid='pgtrigger_delete_delete_d30a8', referencing='REFERENCING OLD TABLE AS old_values ', table='factories_workingcalendar', when='AFTER'))],
            },
        ),
        migrations.CreateModel(
            name='WorkingCalendarEvent',
            fields=[
                ('pgh_id', models.AutoField(primary_key=True, serialize=False)),
                ('pgh_created_at', models.DateTimeField(auto_now_add=True)),
                ('pgh_label', models.TextField(help_text='The event label.')),
                ('pgh_obj', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='events', to='factories.workingcalendar')),
                ('pgh_context', pghistory.utils.JSONField(null=True)),
                ('pgh_context_id', models.UUIDField(null=True)),
                ('id', models.BigIntegerField()),
                ('code', models.CharField(max_length=40, validators=[django.core.validators.RegexValidator('^[A-Za-z0-9][A-Za-z0-9._-]*$', 'Use letters A to Z, digits, hyphen, dot or underscore.')])),
                ('name', models.CharField(max_length=80)),
                ('weekend', django.contrib.postgres.fields.ArrayField(base_field=models.PositiveSmallIntegerField(), blank=True, default=list, help_text='ISO days off: 6 = Saturday, 7 = Sunday.', size=None)),
                ('country', models.CharField(blank=True, help_text='ISO 3166 code of the country whose holidays it has.', max_length=2, verbose_name='public holidays of')),
                ('known_years', django.contrib.postgres.fields.ArrayField(base_field=models.PositiveSmallIntegerField(), blank=True, default=list, editable=False, help_text='Years whose public holidays were taken in whole.', size=None)),
                ('base', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to='factories.workingcalendar', verbose_name='builds on')),
            ],
            options={
                'abstract': False,
                'triggers': [
                    pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='db9d0915a282bad63d04190e114028edffd70618', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_7a3e8', table='factories_workingcalendarevent', when='BEFORE'))],
            },
        ),
        migrations.CreateModel(
            name='CalendarException',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('calendar', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='exceptions', to='factories.workingcalendar')),
                ('day', models.DateField()),
                ('is_open', models.BooleanField(default=False, verbose_name='is a working day')),
                ('name', models.CharField(blank=True, max_length=120)),
                ('source', models.CharField(blank=True, editable=False, help_text='The package and its version; empty: set by hand.', max_length=40)),
            ],
            options={
                'ordering': ['calendar', 'day'],
                'constraints': [
                    models.UniqueConstraint(condition=models.Q(('source', '')), fields=('calendar', 'day'), name='one_exception_per_day', violation_error_message='This calendar already has an entry for that day.'),
                    models.UniqueConstraint(condition=models.Q(('source', ''), _negated=True), fields=('calendar', 'day'), name='one_public_holiday_per_day', violation_error_message='This calendar already has a public holiday on that day.'),
                    models.CheckConstraint(condition=models.Q(('day__gte', datetime.date(2000, 1, 1)), ('day__lte', datetime.date(2049, 12, 31))), name='exception_within_calendar', violation_error_message='The day must lie between 2000 and 2049.')],
                'triggers': [
                    pgtrigger.compiler.Trigger(name='a_working_days_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='PERFORM factories_rebuild_working_days(ids.id) FROM (SELECT DISTINCT calendar_id AS id FROM new_values) AS ids; RETURN NULL;', hash='3d427eb203947fd5f9495ed612773995b977baf6', level='STATEMENT', operation='INSERT', pgid='pgtrigger_a_working_days_insert_a92fd', referencing='REFERENCING NEW TABLE AS new_values ', table='factories_calendarexception', when='AFTER')),
                    pgtrigger.compiler.Trigger(name='a_working_days_update', sql=pgtrigger.compiler.UpsertTriggerSql(func='PERFORM factories_rebuild_working_days(ids.id) FROM (SELECT DISTINCT calendar_id AS id FROM (SELECT * FROM old_values UNION ALL SELECT * FROM new_values) AS changed) AS ids; RETURN NULL;', hash='2ba4ee347d051b465dcb0ca0798618df7b62cd65', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_a_working_days_update_b8968', referencing='REFERENCING OLD TABLE AS old_values  NEW TABLE AS new_values ', table='factories_calendarexception', when='AFTER')),
                    pgtrigger.compiler.Trigger(name='a_working_days_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func='PERFORM factories_rebuild_working_days(ids.id) FROM (SELECT DISTINCT calendar_id AS id FROM old_values) AS ids; RETURN NULL;', hash='2453b6e5b327f553e2375204dcbe01bdcc75c886', level='STATEMENT', operation='DELETE', pgid='pgtrigger_a_working_days_delete_27cc7', referencing='REFERENCING OLD TABLE AS old_values ', table='factories_calendarexception', when='AFTER')),
                    pgtrigger.compiler.Trigger(name='insert_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "factories_calendarexceptionevent" ("calendar_id", "day", "id", "is_open", "name", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "source") SELECT new_values."calendar_id", new_values."day", new_values."id", new_values."is_open", new_values."name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'insert\', new_values."id", new_values."source" FROM ( SELECT new_values.* FROM new_values  ) AS new_values, _pgh_attached_context; RETURN NULL;', hash='7318d58fcde5c4315d9aa222b0c3e49a61925db0', level='STATEMENT', operation='INSERT', pgid='pgtrigger_insert_insert_b048a', referencing='REFERENCING NEW TABLE AS new_values ', table='factories_calendarexception', when='AFTER')),
                    pgtrigger.compiler.Trigger(name='update_update', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "factories_calendarexceptionevent" ("calendar_id", "day", "id", "is_open", "name", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "source") SELECT new_values."calendar_id", new_values."day", new_values."id", new_values."is_open", new_values."name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'update\', new_values."id", new_values."source" FROM ( SELECT new_values.* FROM old_values JOIN new_values ON (old_values."id") = (new_values."id") WHERE (old_values.* IS DISTINCT FROM new_values.*) ) AS new_values, _pgh_attached_context; RETURN NULL;', hash='8474efd53ae953574c3459fb096350c2452d374e', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_update_update_37c67', referencing='REFERENCING OLD TABLE AS old_values  NEW TABLE AS new_values ', table='factories_calendarexception', when='AFTER')),
                    pgtrigger.compiler.Trigger(name='delete_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "factories_calendarexceptionevent" ("calendar_id", "day", "id", "is_open", "name", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "source") SELECT old_values."calendar_id", old_values."day", old_values."id", old_values."is_open", old_values."name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'delete\', old_values."id", old_values."source" FROM ( SELECT old_values.* FROM old_values  ) AS old_values, _pgh_attached_context; RETURN NULL;', hash='44ce5dc66cace4c11923337fcb8e276b48d0d7e0', level='STATEMENT', operation='DELETE', pgid='pgtrigger_delete_delete_e19cb', referencing='REFERENCING OLD TABLE AS old_values ', table='factories_calendarexception', when='AFTER'))],
            },
        ),
        migrations.CreateModel(
            name='CalendarExceptionEvent',
            fields=[
                ('pgh_id', models.AutoField(primary_key=True, serialize=False)),
                ('pgh_created_at', models.DateTimeField(auto_now_add=True)),
                ('pgh_label', models.TextField(help_text='The event label.')),
                ('pgh_obj', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='events', to='factories.calendarexception')),
                ('pgh_context', pghistory.utils.JSONField(null=True)),
                ('pgh_context_id', models.UUIDField(null=True)),
                ('id', models.BigIntegerField()),
                ('calendar', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to='factories.workingcalendar')),
                ('day', models.DateField()),
                ('is_open', models.BooleanField(default=False, verbose_name='is a working day')),
                ('name', models.CharField(blank=True, max_length=120)),
                ('source', models.CharField(blank=True, editable=False, help_text='The package and its version; empty: set by hand.', max_length=40)),
            ],
            options={
                'abstract': False,
                'triggers': [
                    pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='882586db0e5b618bb2b4949d9e967d87b3579679', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_73c1a', table='factories_calendarexceptionevent', when='BEFORE'))],
            },
        ),
        migrations.CreateModel(
            name='WorkingDay',
            fields=[
                ('pk', models.CompositePrimaryKey('calendar', 'day', blank=True, editable=False, primary_key=True, serialize=False)),
                ('calendar', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='working_days', to='factories.workingcalendar')),
                ('day', models.DateField()),
                ('ordinal', models.IntegerField()),
            ],
            options={
                'constraints': [
                    models.UniqueConstraint(fields=('calendar', 'ordinal'), name='one_working_ordinal')],
            },
        ),
        migrations.CreateModel(
            name='Factory',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(max_length=24, unique=True, validators=[django.core.validators.RegexValidator('^[A-Z0-9][A-Z0-9._-]*$', 'Use capital letters A to Z, digits, hyphen, dot or underscore; for example VN-014.')])),
                ('name', models.CharField(max_length=160)),
                ('local_name', models.CharField(blank=True, max_length=160, verbose_name='name in local script')),
                ('local_language', models.CharField(blank=True, help_text='Language of the local name, e.g. zh-Hans.', max_length=12)),
                ('country', models.CharField(help_text='ISO 3166 code, e.g. VN.', max_length=2)),
                ('city', models.CharField(blank=True, max_length=80)),
                ('time_zone', models.CharField(default='UTC', max_length=64, validators=[factories.models.zone_exists])),
                ('category', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='factories', to='factories.category', verbose_name='main category')),
                ('calendar', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='factories', to='factories.workingcalendar')),
                ('status', models.CharField(choices=[('trial', 'Trial'), ('active', 'Active'), ('paused', 'Paused'), ('ended', 'Ended')], default='active', max_length=8)),
                ('since_on', models.DateField(blank=True, null=True, verbose_name='works with us since')),
                ('is_demo', models.BooleanField(default=False, editable=False)),
            ],
            options={
                'verbose_name_plural': 'factories',
                'ordering': ['code'],
                'constraints': [
                    models.CheckConstraint(condition=models.Q(('code__regex', '^[A-Z0-9][A-Z0-9._-]*$')), name='factory_code_is_plain', violation_error_message='Use capital letters A to Z, digits, hyphen, dot or underscore.'),
                    models.CheckConstraint(condition=models.Q(('country__regex', '^[A-Z]{2}$')), name='country_is_iso', violation_error_message='Use the two-letter country code, for example VN.')],
                'triggers': [
                    pgtrigger.compiler.Trigger(name='insert_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "factories_factoryevent" ("calendar_id", "category_id", "city", "code", "country", "id", "is_demo", "local_language", "local_name", "name", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "since_on", "status", "time_zone") SELECT new_values."calendar_id", new_values."category_id", new_values."city", new_values."code", new_values."country", new_values."id", new_values."is_demo", new_values."local_language", new_values."local_name", new_values."name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'insert\', new_values."id", new_values."since_on", new_values."status", new_values."time_zone" FROM ( SELECT new_values.* FROM new_values  ) AS new_values, _pgh_attached_context; RETURN NULL;', hash='d18f4dae7d10d5fc053040ff25b3fced543367c7', level='STATEMENT', operation='INSERT', pgid='pgtrigger_insert_insert_695a8', referencing='REFERENCING NEW TABLE AS new_values ', table='factories_factory', when='AFTER')),
                    pgtrigger.compiler.Trigger(name='update_update', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "factories_factoryevent" ("calendar_id", "category_id", "city", "code", "country", "id", "is_demo", "local_language", "local_name", "name", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "since_on", "status", "time_zone") SELECT new_values."calendar_id", new_values."category_id", new_values."city", new_values."code", new_values."country", new_values."id", new_values."is_demo", new_values."local_language", new_values."local_name", new_values."name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'update\', new_values."id", new_values."since_on", new_values."status", new_values."time_zone" FROM ( SELECT new_values.* FROM old_values JOIN new_values ON (old_values."id") = (new_values."id") WHERE (old_values.* IS DISTINCT FROM new_values.*) ) AS new_values, _pgh_attached_context; RETURN NULL;', hash='42fc1d56811ed9f7fec0bd50242ec20cc0eb9c34', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_update_update_a655b', referencing='REFERENCING OLD TABLE AS old_values  NEW TABLE AS new_values ', table='factories_factory', when='AFTER')),
                    pgtrigger.compiler.Trigger(name='delete_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "factories_factoryevent" ("calendar_id", "category_id", "city", "code", "country", "id", "is_demo", "local_language", "local_name", "name", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "since_on", "status", "time_zone") SELECT old_values."calendar_id", old_values."category_id", old_values."city", old_values."code", old_values."country", old_values."id", old_values."is_demo", old_values."local_language", old_values."local_name", old_values."name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'delete\', old_values."id", old_values."since_on", old_values."status", old_values."time_zone" FROM ( SELECT old_values.* FROM old_values  ) AS old_values, _pgh_attached_context; RETURN NULL;', hash='37dac75f96bffde379da80d69faa98508c36f392', level='STATEMENT', operation='DELETE', pgid='pgtrigger_delete_delete_d399a', referencing='REFERENCING OLD TABLE AS old_values ', table='factories_factory', when='AFTER'))],
            },
        ),
        migrations.CreateModel(
            name='FactoryEvent',
            fields=[
                ('pgh_id', models.AutoField(primary_key=True, serialize=False)),
                ('pgh_created_at', models.DateTimeField(auto_now_add=True)),
                ('pgh_label', models.TextField(help_text='The event label.')),
                ('pgh_obj', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='events', to='factories.factory')),
                ('pgh_context', pghistory.utils.JSONField(null=True)),
                ('pgh_context_id', models.UUIDField(null=True)),
                ('id', models.BigIntegerField()),
                ('code', models.CharField(max_length=24, validators=[django.core.validators.RegexValidator('^[A-Z0-9][A-Z0-9._-]*$', 'Use capital letters A to Z, digits, hyphen, dot or underscore; for example VN-014.')])),
                ('name', models.CharField(max_length=160)),
                ('local_name', models.CharField(blank=True, max_length=160, verbose_name='name in local script')),
                ('local_language', models.CharField(blank=True, help_text='Language of the local name, e.g. zh-Hans.', max_length=12)),
                ('country', models.CharField(help_text='ISO 3166 code, e.g. VN.', max_length=2)),
                ('city', models.CharField(blank=True, max_length=80)),
                ('time_zone', models.CharField(default='UTC', max_length=64, validators=[factories.models.zone_exists])),
                ('category', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to='factories.category', verbose_name='main category')),
                ('calendar', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to='factories.workingcalendar')),
                ('status', models.CharField(choices=[('trial', 'Trial'), ('active', 'Active'), ('paused', 'Paused'), ('ended', 'Ended')], default='active', max_length=8)),
                ('since_on', models.DateField(blank=True, null=True, verbose_name='works with us since')),
                ('is_demo', models.BooleanField(default=False, editable=False)),
            ],
            options={
                'abstract': False,
                'triggers': [
                    pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='03480027de19e1b7411f27b3838be055c12cd24f', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_a71b9', table='factories_factoryevent', when='BEFORE'))],
            },
        ),
        migrations.CreateModel(
            name='Contact',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('factory', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='contacts', to='factories.factory')),
                ('name', models.CharField(max_length=120)),
                ('position', models.CharField(blank=True, max_length=80)),
                ('email', models.EmailField(blank=True, max_length=254)),
                ('phone', models.CharField(blank=True, max_length=40)),
            ],
            options={
                'ordering': ['factory', 'name'],
                'triggers': [
                    pgtrigger.compiler.Trigger(name='insert_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "factories_contactevent" ("email", "factory_id", "id", "name", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "phone", "position") SELECT new_values."email", new_values."factory_id", new_values."id", new_values."name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'insert\', new_values."id", new_values."phone", new_values."position" FROM ( SELECT new_values.* FROM new_values  ) AS new_values, _pgh_attached_context; RETURN NULL;', hash='cf94de2c145c0a9679b09e979324911af294de31', level='STATEMENT', operation='INSERT', pgid='pgtrigger_insert_insert_d92c2', referencing='REFERENCING NEW TABLE AS new_values ', table='factories_contact', when='AFTER')),
                    pgtrigger.compiler.Trigger(name='update_update', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "factories_contactevent" ("email", "factory_id", "id", "name", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "phone", "position") SELECT new_values."email", new_values."factory_id", new_values."id", new_values."name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'update\', new_values."id", new_values."phone", new_values."position" FROM ( SELECT new_values.* FROM old_values JOIN new_values ON (old_values."id") = (new_values."id") WHERE (old_values.* IS DISTINCT FROM new_values.*) ) AS new_values, _pgh_attached_context; RETURN NULL;', hash='78e1cd924bcb0ce19a8f8e148e5aa7f5e66a3c0f', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_update_update_079a6', referencing='REFERENCING OLD TABLE AS old_values  NEW TABLE AS new_values ', table='factories_contact', when='AFTER')),
                    pgtrigger.compiler.Trigger(name='delete_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "factories_contactevent" ("email", "factory_id", "id", "name", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "phone", "position") SELECT old_values."email", old_values."factory_id", old_values."id", old_values."name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'delete\', old_values."id", old_values."phone", old_values."position" FROM ( SELECT old_values.* FROM old_values  ) AS old_values, _pgh_attached_context; RETURN NULL;', hash='26532383d9b591df5a8508f9fbd2072b8ecccf2c', level='STATEMENT', operation='DELETE', pgid='pgtrigger_delete_delete_470b1', referencing='REFERENCING OLD TABLE AS old_values ', table='factories_contact', when='AFTER'))],
            },
        ),
        migrations.CreateModel(
            name='ContactEvent',
            fields=[
                ('pgh_id', models.AutoField(primary_key=True, serialize=False)),
                ('pgh_created_at', models.DateTimeField(auto_now_add=True)),
                ('pgh_label', models.TextField(help_text='The event label.')),
                ('pgh_obj', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='events', to='factories.contact')),
                ('pgh_context', pghistory.utils.JSONField(null=True)),
                ('pgh_context_id', models.UUIDField(null=True)),
                ('id', models.BigIntegerField()),
                ('factory', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to='factories.factory')),
                ('name', models.CharField(max_length=120)),
                ('position', models.CharField(blank=True, max_length=80)),
                ('email', models.EmailField(blank=True, max_length=254)),
                ('phone', models.CharField(blank=True, max_length=40)),
            ],
            options={
                'abstract': False,
                'triggers': [
                    pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='f35d05317eb959f5fd6a89ffdb90088d64f69065', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_f81bb', table='factories_contactevent', when='BEFORE'))],
            },
        ),
        migrations.CreateModel(
            name='Membership',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('factory', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to='factories.factory')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'constraints': [
                    models.UniqueConstraint(fields=('factory', 'user'), name='one_membership', violation_error_message='This person already belongs to this factory.')],
                'triggers': [
                    pgtrigger.compiler.Trigger(name='insert_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "factories_membershipevent" ("factory_id", "id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "user_id") SELECT new_values."factory_id", new_values."id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'insert\', new_values."id", new_values."user_id" FROM ( SELECT new_values.* FROM new_values  ) AS new_values, _pgh_attached_context; RETURN NULL;', hash='adb1375c611d947ff0df6283b65621095eea0c8d', level='STATEMENT', operation='INSERT', pgid='pgtrigger_insert_insert_6bac4', referencing='REFERENCING NEW TABLE AS new_values ', table='factories_membership', when='AFTER')),
                    pgtrigger.compiler.Trigger(name='update_update', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "factories_membershipevent" ("factory_id", "id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "user_id") SELECT new_values."factory_id", new_values."id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'update\', new_values."id", new_values."user_id" FROM ( SELECT new_values.* FROM old_values JOIN new_values ON (old_values."id") = (new_values."id") WHERE (old_values.* IS DISTINCT FROM new_values.*) ) AS new_values, _pgh_attached_context; RETURN NULL;', hash='7c50c7fd5eaed2f12ec4c54156e51133ad391a85', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_update_update_144f3', referencing='REFERENCING OLD TABLE AS old_values  NEW TABLE AS new_values ', table='factories_membership', when='AFTER')),
                    pgtrigger.compiler.Trigger(name='delete_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "factories_membershipevent" ("factory_id", "id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "user_id") SELECT old_values."factory_id", old_values."id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'delete\', old_values."id", old_values."user_id" FROM ( SELECT old_values.* FROM old_values  ) AS old_values, _pgh_attached_context; RETURN NULL;', hash='07780e68f919e502329e50b70b93a62cf4bed47b', level='STATEMENT', operation='DELETE', pgid='pgtrigger_delete_delete_1ce84', referencing='REFERENCING OLD TABLE AS old_values ', table='factories_membership', when='AFTER'))],
            },
        ),
        migrations.CreateModel(
            name='MembershipEvent',
            fields=[
                ('pgh_id', models.AutoField(primary_key=True, serialize=False)),
                ('pgh_created_at', models.DateTimeField(auto_now_add=True)),
                ('pgh_label', models.TextField(help_text='The event label.')),
                ('pgh_obj', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='events', to='factories.membership')),
                ('pgh_context', pghistory.utils.JSONField(null=True)),
                ('pgh_context_id', models.UUIDField(null=True)),
                ('id', models.BigIntegerField()),
                ('factory', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to='factories.factory')),
                ('user', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'abstract': False,
                'triggers': [
                    pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='1a9623def1d73422ad7d35a358526d1080b466f7', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_838c5', table='factories_membershipevent', when='BEFORE'))],
            },
        ),
        migrations.CreateModel(
            name='Standing',
            fields=[
                ('orders', models.CharField(choices=[('free', 'New orders as usual'), ('warn', 'A warning on every new order'), ('block', 'No new orders')], default='free', max_length=5, verbose_name='new orders')),
                ('max_open_value', models.DecimalField(blank=True, decimal_places=2, max_digits=18, null=True, verbose_name='cap on the value of open orders')),
                ('cap_currency', models.CharField(default='USD', max_length=3, verbose_name='currency of the cap')),
                ('inspection', models.CharField(choices=[('normal', 'Normal inspection'), ('tightened', 'Tightened inspection'), ('full', 'Every unit is inspected')], default='normal', max_length=9, verbose_name='inspection')),
                ('deposit_terms', models.CharField(blank=True, max_length=120, verbose_name='deposit and payment terms')),
                ('has_badge', models.BooleanField(default=False, verbose_name='bears the badge, first pick for new styles')),
                ('needs_plan', models.BooleanField(default=False, verbose_name='owes an improvement plan')),
                ('factory', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='standing', serialize=False, to='factories.factory')),
                ('grade', models.CharField(max_length=20)),
                ('since_on', models.DateField()),
                ('plan_due_on', models.DateField(help_text='When the improvement plan is due that it has not answered yet.', null=True)),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='StandingOverride',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('factory', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='overrides', to='factories.factory')),
                ('reason', models.CharField(max_length=300)),
                ('from_on', models.DateField()),
                ('until_on', models.DateField(verbose_name='last day')),
                ('granted_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('granted_at', models.DateTimeField(auto_now_add=True)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['-granted_at'],
                'constraints': [
                    models.CheckConstraint(condition=models.Q(('until_on__gte', models.F('from_on'))), name='override_ends_after_it_begins', violation_error_message='The last day cannot lie before the first.'),
                    models.CheckConstraint(condition=models.Q(('reason', ''), _negated=True), name='override_has_a_reason', violation_error_message='Say why.')],
                'triggers': [
                    pgtrigger.compiler.Trigger(name='insert_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "factories_standingoverrideevent" ("ended_at", "factory_id", "from_on", "granted_at", "granted_by_id", "id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "until_on") SELECT new_values."ended_at", new_values."factory_id", new_values."from_on", new_values."granted_at", new_values."granted_by_id", new_values."id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'insert\', new_values."id", new_values."reason", new_values."until_on" FROM ( SELECT new_values.* FROM new_values  ) AS new_values, _pgh_attached_context; RETURN NULL;', hash='354dd7fe1856ac0b63c495be76dd78d8e11ae7ad', level='STATEMENT', operation='INSERT', pgid='pgtrigger_insert_insert_66278', referencing='REFERENCING NEW TABLE AS new_values ', table='factories_standingoverride', when='AFTER')),
                    pgtrigger.compiler.Trigger(name='update_update', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "factories_standingoverrideevent" ("ended_at", "factory_id", "from_on", "granted_at", "granted_by_id", "id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "until_on") SELECT new_values."ended_at", new_values."factory_id", new_values."from_on", new_values."granted_at", new_values."granted_by_id", new_values."id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'update\', new_values."id", new_values."reason", new_values."until_on" FROM ( SELECT new_values.* FROM old_values JOIN new_values ON (old_values."id") = (new_values."id") WHERE (old_values.* IS DISTINCT FROM new_values.*) ) AS new_values, _pgh_attached_context; RETURN NULL;', hash='5a7ddba560b8b6f323d67056fdd6d5aec4605e01', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_update_update_1cca8', referencing='REFERENCING OLD TABLE AS old_values  NEW TABLE AS new_values ', table='factories_standingoverride', when='AFTER')),
                    pgtrigger.compiler.Trigger(name='delete_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "factories_standingoverrideevent" ("ended_at", "factory_id", "from_on", "granted_at", "granted_by_id", "id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "until_on") SELECT old_values."ended_at", old_values."factory_id", old_values."from_on", old_values."granted_at", old_values."granted_by_id", old_values."id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'delete\', old_values."id", old_values."reason", old_values."until_on" FROM ( SELECT old_values.* FROM old_values  ) AS old_values, _pgh_attached_context; RETURN NULL;', hash='e266e1258a23ffb166fbe00e0102c41c562de26f', level='STATEMENT', operation='DELETE', pgid='pgtrigger_delete_delete_fc4c3', referencing='REFERENCING OLD TABLE AS old_values ', table='factories_standingoverride', when='AFTER'))],
            },
        ),
        migrations.CreateModel(
            name='StandingOverrideEvent',
            fields=[
                ('pgh_id', models.AutoField(primary_key=True, serialize=False)),
                ('pgh_created_at', models.DateTimeField(auto_now_add=True)),
                ('pgh_label', models.TextField(help_text='The event label.')),
                ('pgh_obj', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='events', to='factories.standingoverride')),
                ('pgh_context', pghistory.utils.JSONField(null=True)),
                ('pgh_context_id', models.UUIDField(null=True)),
                ('id', models.BigIntegerField()),
                ('factory', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to='factories.factory')),
                ('reason', models.CharField(max_length=300)),
                ('from_on', models.DateField()),
                ('until_on', models.DateField(verbose_name='last day')),
                ('granted_by', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to=settings.AUTH_USER_MODEL)),
                ('granted_at', models.DateTimeField(auto_now_add=True)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'abstract': False,
                'triggers': [
                    pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='5226d36b7731216471bb70b502a896d5795c715e', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_76c9f', table='factories_standingoverrideevent', when='BEFORE'))],
            },
        ),
    ]
