"""The assessments in Django's admin: what was judged is only shown, a policy is only added."""

from django.contrib import admin

from assessments.models import Breach, BreachStep, Evaluation, JobSlot, Policy, Watch


class ForAdministrators:
    """The role decides, not Django's permissions: whoever may enter the administration may look."""

    def has_module_permission(self, request):
        return self.admin_site.has_permission(request)

    def has_view_permission(self, request, obj=None):
        return self.admin_site.has_permission(request)

    def has_add_permission(self, request):
        return self.admin_site.has_permission(request)

    def has_change_permission(self, request, obj=None):
        return self.admin_site.has_permission(request)

    def has_delete_permission(self, request, obj=None):
        return self.admin_site.has_permission(request)


class ShownOnly(ForAdministrators, admin.ModelAdmin):
    """Rows that jobs write: nobody adds, changes or deletes them by hand."""

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


@admin.register(Policy)
class PolicyAdmin(ForAdministrators, admin.ModelAdmin):
    """A change is a new version, so a saved one stays as it is."""

    list_display = ["scope_name", "effective_from", "defect_limit", "otif_floor", "loss_limit", "created_by"]
    list_filter = ["category"]
    list_select_related = ["factory", "category", "created_by"]
    date_hierarchy = "effective_from"

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False

    def save_model(self, request, obj, form, change):
        obj.created_by = request.user
        super().save_model(request, obj, form, change)


@admin.register(Evaluation)
class EvaluationAdmin(ShownOnly):
    list_display = ["factory", "category", "kind", "as_of", "revision", "score", "raw_grade", "published_grade"]
    list_filter = ["kind", "raw_grade"]
    list_select_related = ["factory", "category"]
    search_fields = ["factory__code", "factory__name"]
    show_full_result_count = False


class StepInline(ForAdministrators, admin.TabularInline):
    model = BreachStep
    extra = 0
    can_delete = False

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False


@admin.register(Breach)
class BreachAdmin(ShownOnly):
    list_display = ["code", "factory", "event", "measure", "severity", "state", "opened_on"]
    list_filter = ["state", "event", "measure"]
    list_select_related = ["factory"]
    search_fields = ["factory__code", "factory__name"]
    inlines = [StepInline]


@admin.register(Watch)
class WatchAdmin(ForAdministrators, admin.ModelAdmin):
    list_display = ["user", "factory"]
    list_select_related = ["user", "factory"]


@admin.register(JobSlot)
class JobSlotAdmin(ShownOnly):
    list_display = ["job", "slot", "started_at", "finished_at", "rows"]
    list_filter = ["job"]
