"""Tables for the administrator: repairs of what no page offers. Every change leaves history, like any other."""

from django.contrib import admin

from production import models


class ReadOnly(admin.ModelAdmin):
    """What is worked out is looked at, never written."""

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


@admin.register(models.Site)
class SiteAdmin(admin.ModelAdmin):
    list_display = ["code", "name", "time_zone", "calendar"]
    search_fields = ["code", "name"]


@admin.register(models.Product)
class ProductAdmin(admin.ModelAdmin):
    list_display = ["code", "name", "category", "unit"]
    list_filter = ["category"]
    search_fields = ["code", "name"]


@admin.register(models.Material)
class MaterialAdmin(admin.ModelAdmin):
    list_display = ["code", "name", "unit"]
    search_fields = ["code", "name"]


class BillLineInline(admin.TabularInline):
    model = models.BillLine
    autocomplete_fields = ["material"]
    extra = 0


@admin.register(models.BillOfMaterials)
class BillAdmin(admin.ModelAdmin):
    list_display = ["product", "version", "effective_on"]
    autocomplete_fields = ["product"]
    search_fields = ["product__code"]
    inlines = [BillLineInline]


@admin.register(models.MilestoneTemplate)
class MilestoneTemplateAdmin(admin.ModelAdmin):
    """What a new plan begins with. A category with rows of its own begins with those alone."""

    list_display = ["title", "category", "position", "code", "predecessors", "gap_days", "responsible"]
    list_editable = ["position", "gap_days", "responsible"]
    list_filter = ["category"]
    list_select_related = ["category"]


@admin.register(models.PurchaseOrder)
class OrderAdmin(admin.ModelAdmin):
    list_display = ["number", "factory", "ordered_on", "confirmed_on", "closed_on"]
    list_select_related = ["factory"]
    list_filter = ["factory"]
    search_fields = ["number"]
    show_full_result_count = False


@admin.register(models.OrderLine)
class LineAdmin(admin.ModelAdmin):
    list_display = ["order", "number", "product", "quantity", "committed_on"]
    list_select_related = ["order", "product"]
    search_fields = ["order__number"]
    autocomplete_fields = ["order", "product", "site", "bill"]
    show_full_result_count = False


@admin.register(models.Cancellation)
class CancellationAdmin(admin.ModelAdmin):
    list_display = ["line", "quantity", "by", "cancelled_on"]
    list_select_related = ["line__order"]
    autocomplete_fields = ["line"]


@admin.register(models.DateRevision)
class RevisionAdmin(admin.ModelAdmin):
    list_display = ["line", "new_on", "cause", "approved_on"]
    list_select_related = ["line__order"]
    autocomplete_fields = ["line"]
    raw_id_fields = ["approved_by"]


@admin.register(models.Lot)
class LotAdmin(admin.ModelAdmin):
    list_display = ["code", "factory", "line", "quantity"]
    list_select_related = ["factory", "line__order"]
    search_fields = ["code"]
    autocomplete_fields = ["line"]
    show_full_result_count = False


@admin.register(models.Delivery)
class DeliveryAdmin(admin.ModelAdmin):
    list_display = ["code", "line", "kind", "quantity", "received_on", "site"]
    list_select_related = ["line__order", "site"]
    search_fields = ["line__order__number", "document"]
    autocomplete_fields = ["line", "lot"]
    raw_id_fields = ["reverses"]
    show_full_result_count = False


@admin.register(models.Inspection)
class InspectionAdmin(admin.ModelAdmin):
    list_display = ["code", "lot", "inspected_on", "stage", "source", "verdict"]
    list_select_related = ["lot"]
    search_fields = ["lot__code"]
    autocomplete_fields = ["lot"]
    show_full_result_count = False


@admin.register(models.OrderMaterial)
class OrderMaterialAdmin(admin.ModelAdmin):
    list_display = ["order", "material", "currency", "allowance"]
    list_select_related = ["order", "material"]
    search_fields = ["order__number", "material__code"]
    autocomplete_fields = ["order", "material"]


@admin.register(models.MaterialMovement)
class MovementAdmin(admin.ModelAdmin):
    list_display = ["order_material", "kind", "quantity_entered", "unit_entered", "moved_on"]
    list_select_related = ["order_material__order", "order_material__material"]
    autocomplete_fields = ["order_material"]
    show_full_result_count = False


@admin.register(models.LineOutcome)
class LineOutcomeAdmin(ReadOnly):
    list_display = ["line_id", "state", "due_on", "limit_on", "is_otif", "is_open", "days_late"]
    show_full_result_count = False
