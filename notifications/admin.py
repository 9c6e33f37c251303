from django.contrib import admin, messages
from django.utils.translation import ngettext

from notifications.models import Heartbeat, Message, SendAttempt


class ReadOnly:
    """Administrators look and requeue; what was said to whom is not edited."""

    def has_module_permission(self, request):
        return self.admin_site.has_permission(request)

    def has_view_permission(self, request, obj=None):
        return self.admin_site.has_permission(request)

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


class SendAttemptInline(ReadOnly, admin.TabularInline):
    model = SendAttempt
    fields = ["at", "ended_at", "outcome", "code", "text"]
    ordering = ["id"]


@admin.register(Message)
class MessageAdmin(ReadOnly, admin.ModelAdmin):
    """Without the bodies: they hold other people's links."""

    list_display = ["id", "kind", "subject", "address", "state", "attempts", "due_at", "try_at", "last_error"]
    list_filter = ["state", "kind"]
    search_fields = ["address", "subject"]
    exclude = ["text", "html"]
    ordering = ["-id"]
    show_full_result_count = False
    actions = ["requeue"]
    inlines = [SendAttemptInline]

    @admin.action(description="Send again, from now", permissions=["view"])
    def requeue(self, request, queryset):
        count = queryset.requeue()
        sentence = ngettext("%d message is owed again.", "%d messages are owed again.", count) % count
        self.message_user(request, sentence, messages.SUCCESS)


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["name", "at", "note"]
