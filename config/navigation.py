"""What the top bar shows to whom. Wiring: it only names URLs."""

from django.urls import NoReverseMatch, reverse

ENTRIES = [
    # label, url name, roles that see it, shown on the phone bar
    ("Home", "home", "manager buyer inspector officer admin contact", True),
    ("Factories", "factory_list", "manager buyer inspector admin contact", True),
    ("Orders", "order_list", "manager buyer inspector admin contact", False),
    ("Deliveries", "delivery_list", "manager buyer inspector admin contact", False),
    ("Inspections", "inspection_list", "manager buyer inspector admin contact", False),
    ("Breaches", "breach_list", "manager buyer admin", True),
    ("Policies", "policy_list", "manager admin", False),
]


def navigation(request):
    """Context: `nav`, a list of {label, url, current, primary}; empty for those not signed in."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"nav": []}
    nav = []
    for label, name, roles, primary in ENTRIES:
        if user.role not in roles.split():
            continue
        try:
            url = reverse(name)
        except NoReverseMatch:
            continue
        current = request.path == url if url == "/" else request.path.startswith(url)
        nav.append({"label": label, "url": url, "current": current, "primary": primary})
    return {"nav": nav}
