from django.contrib.admin import AdminSite


class PlumblineAdminSite(AdminSite):
    """Django's admin, for the role admin only and through the same sign-in as every page."""

    site_header = site_title = "Plumbline administration"

    def has_permission(self, request):
        user = request.user
        return user.is_active and user.is_authenticated and user.role == "admin"
