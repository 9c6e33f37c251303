"""People in the administration: who may sign in, in which role. Nobody is deleted, and nobody sets another's password."""

import zoneinfo

from django import forms
from django.contrib import admin

from accounts.models import User


class PersonForm(forms.ModelForm):
    class Meta:
        model = User
        fields = ["email", "name", "role", "time_zone", "is_active"]
        help_texts = {
            "email": "The person sets a password under “Forgot your password?” of the sign-in.",
            "role": "A factory contact sees the factories that it belongs to: add it on the page of the factory.",
            "time_zone": "For example Asia/Shanghai.",
            "is_active": "Switched off, the person is signed out at the next click. Nobody is deleted.",
        }

    def clean_time_zone(self):
        name = self.cleaned_data["time_zone"]
        try:
            zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise forms.ValidationError(f"“{name}” is not a time zone. Example: Asia/Shanghai.") from None
        return name


@admin.register(User)
class PersonAdmin(admin.ModelAdmin):
    form = PersonForm
    list_display = ["email", "name", "role", "is_active", "last_login"]
    list_filter = ["role", "is_active"]
    search_fields = ["email", "name"]

    def has_delete_permission(self, request, obj=None):
        return False

    def get_readonly_fields(self, request, obj=None):
        """Whoever takes the administration from oneself may be the last who had it."""
        return ["role", "is_active"] if obj and obj.pk == request.user.pk else []

    def save_model(self, request, obj, form, change):
        if not change:
            obj.set_unusable_password()
        super().save_model(request, obj, form, change)
