"""What the top bar shows to whom. Wiring: it only names URLs."""

from django.urls import reverse

from notifications import health

BAR, PHONE, MORE = "bar", "phone", "more"  # in the bar; in the bar of a phone, too; only behind "More"
ENTRIES = [
    # label, url name, roles that see it, where
    ("Home", "home", "manager buyer inspector officer admin contact", PHONE),
    ("Factories", "factory_list", "manager buyer inspector admin contact", PHONE),
    ("Orders", "order_list", "manager buyer inspector admin contact", BAR),
    ("Deliveries", "delivery_list", "manager buyer inspector admin contact", BAR),
    ("Inspections", "inspection_list", "manager buyer inspector admin contact", BAR),
    ("Breaches", "breach_list", "manager buyer admin", PHONE),
    ("Compare", "compare", "manager buyer inspector admin", MORE),
    ("Restated", "restated", "manager buyer inspector admin contact", MORE),
    ("Claims", "claim_list", "manager buyer admin contact", MORE),
    ("Actions", "action_list", "manager buyer admin contact", MORE),
    ("Disputes", "dispute_list", "manager buyer inspector admin contact", MORE),
    ("Set aside", "exclusion_list", "manager buyer inspector admin contact", MORE),
    ("Grades", "grade_list", "manager buyer inspector admin contact", MORE),
    ("Calendars", "calendar_list", "manager buyer admin", MORE),
    ("Policies", "policy_list", "manager admin", MORE),
    ("Administration", "admin:index", "admin", MORE),
]


def navigation(request):
    """Context of every page: `nav` and `nav_more`, lists of {label, url, current, primary}, and what the frame says of the reader.

    Empty for those not signed in.
    """
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"nav": []}
    nav, more = [], []
    for label, name, roles, where in ENTRIES:
        if user.role not in roles.split():
            continue
        url = reverse(name)
        current = request.path == url if url == "/" else request.path.startswith(url)
        entry = {"label": label, "url": url, "current": current, "primary": where == PHONE}
        (more if where == MORE else nav).append(entry)
    action = {"label": "Log delivery", "url": reverse("delivery_new")} if user.writes_orders() else None
    if user.role == user.Role.INSPECTOR:
        action = {"label": "Record inspection", "url": reverse("inspection_new")}
    return {
        "nav": nav,
        "nav_more": more,
        "nav_action": action,
        "role_name": user.get_role_display(),
        "theme": user.theme or "auto",
        "findings": health.kept_sentences() if user.role in (user.Role.MANAGER, user.Role.ADMIN) else [],
    }
