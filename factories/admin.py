"""Factories in the administration: who they are, whom to reach there, and which accounts belong to them."""

from django.contrib import admin
from django.db.models import Q

from accounts.models import User
from factories.models import Category, Contact, Factory, Membership


@admin.register(Category)
class CategoryAdmin(admin.ModelAdmin):
    list_display = ["code", "name", "is_soft"]
    search_fields = ["code", "name"]


class ContactInline(admin.TabularInline):
    model = Contact
    verbose_name_plural = "whom to reach there"
    extra = 0


class MembershipInline(admin.TabularInline):
    """Only a factory contact needs to belong somewhere: our own people see every factory."""

    model = Membership
    verbose_name = "account"
    verbose_name_plural = "accounts that see this factory"
    extra = 0

    def formfield_for_foreignkey(self, db_field, request, **kwargs):
        if db_field.name == "user":
            belongs = Q(role=User.Role.CONTACT) | Q(pk__in=Membership.objects.values("user"))
            kwargs["queryset"] = User.objects.filter(belongs)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


@admin.register(Factory)
class FactoryAdmin(admin.ModelAdmin):
    list_display = ["code", "name", "country", "category", "status"]
    list_filter = ["status", "category"]
    list_select_related = ["category"]
    search_fields = ["code", "name", "local_name"]
    inlines = [MembershipInline, ContactInline]

    def has_delete_permission(self, request, obj=None):
        """What it made and how it was judged stays: a factory is ended, not deleted."""
        return False
