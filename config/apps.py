from django.contrib.admin.apps import AdminConfig


class PlumblineAdminConfig(AdminConfig):
    default_site = "config.admin_site.PlumblineAdminSite"
