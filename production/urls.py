"""URLs of production: orders, deliveries, inspections. The number of an order may hold slashes."""

from django.urls import path

from production.views import (
    calendars,
    deliveries,
    inspections,
    lines,
    order_changes,
    orders,
    plans,
    receiving,
    recording,
)

OF_ORDER = "orders/<str:factory>/<path:number>/"

urlpatterns = [
    path("orders/", orders.order_list, name="order_list"),
    path("orders/new/", orders.order_new, name="order_new"),
    path("orders/lines/", lines.line_list, name="line_list"),
    path("orders/<str:number>/", orders.order_by_number, name="order_by_number"),
    # Before "confirm/", which would take "plan" for a part of the number.
    path(OF_ORDER + "plan/", plans.plan_edit, name="plan_edit"),
    path(OF_ORDER + "plan/confirm/", plans.plan_confirm, name="plan_confirm"),
    path(OF_ORDER + "plan/move/", plans.plan_move, name="plan_move"),
    path(OF_ORDER + "plan/move/decide/", plans.plan_move_decide, name="plan_move_decide"),
    path(OF_ORDER + "milestones/<slug:code>/expected/", plans.milestone_forecast, name="milestone_forecast"),
    path(OF_ORDER + "milestones/<slug:code>/reached/", plans.milestone_reached, name="milestone_reached"),
    path(OF_ORDER + "milestones/<slug:code>/take-back/", plans.milestone_take_back, name="milestone_take_back"),
    path(OF_ORDER + "lines/new/", orders.line_new, name="line_new"),
    path(OF_ORDER + "confirm/", orders.order_confirm, name="order_confirm"),
    path(OF_ORDER + "revisions/new/", order_changes.revision_new, name="revision_new"),
    path(OF_ORDER + "revisions/<int:pk>/approve/", order_changes.revision_approve, name="revision_approve"),
    path(OF_ORDER + "cancellations/new/", order_changes.cancellation_new, name="cancellation_new"),
    path(OF_ORDER + "close-short/", order_changes.line_close_short, name="line_close_short"),
    path(OF_ORDER + "close/", order_changes.order_close, name="order_close"),
    path(OF_ORDER + "materials/new/", order_changes.movement_new, name="movement_new"),
    path(OF_ORDER, orders.order_detail, name="order_detail"),
    path("deliveries/", deliveries.delivery_list, name="delivery_list"),
    path("deliveries/new/", receiving.delivery_new, name="delivery_new"),
    path("deliveries/D-<int:pk>/", deliveries.delivery_detail, name="delivery_detail"),
    path("deliveries/D-<int:pk>/undo/", deliveries.delivery_undo, name="delivery_undo"),
    path("deliveries/D-<int:pk>/correct/", receiving.delivery_correct, name="delivery_correct"),
    path("deliveries/D-<int:pk>/take-back/", deliveries.delivery_take_back, name="delivery_take_back"),
    path("inspections/", inspections.inspection_list, name="inspection_list"),
    path("inspections/new/", recording.inspection_new, name="inspection_new"),
    path("inspections/I-<int:pk>/", inspections.inspection_detail, name="inspection_detail"),
    path("inspections/I-<int:pk>/approve/", inspections.inspection_approve, name="inspection_approve"),
    path("calendars/", calendars.calendar_list, name="calendar_list"),
    path("calendars/new/", calendars.calendar_new, name="calendar_new"),
    path("calendars/<str:code>/", calendars.calendar_detail, name="calendar_detail"),
    path("calendars/<str:code>/days/", calendars.calendar_day, name="calendar_day"),
    path("calendars/<str:code>/days/<int:pk>/remove/", calendars.calendar_day_remove, name="calendar_day_remove"),
    path("calendars/<str:code>/take-in/", calendars.calendar_take_in, name="calendar_take_in"),
    path("calendars/<str:code>/factory/", calendars.calendar_factory, name="calendar_factory"),
    path("r/<str:factory>/<path:number>/<str:line>", receiving.short_line, name="short_line"),
]
