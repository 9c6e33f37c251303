"""Every URL of the product."""

from django.contrib import admin
from django.urls import path

urlpatterns = [path("admin-area/", admin.site.urls)]
