from django.urls import path

from notifications import views

urlpatterns = [
    path("account/notifications/", views.my_notifications, name="my_notifications"),
    path("healthz", views.healthz, name="healthz"),
]
