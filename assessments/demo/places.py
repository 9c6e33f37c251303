"""Where the goods are received, and how long they travel."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SiteSeed:
    """One receiving site."""

    code: str
    name: str
    zone: str
    calendar: str


SITES = {
    site.code: site
    for site in (
        SiteSeed("LAX", "Los Angeles, Compton warehouse", "America/Los_Angeles", "quillmoor-us"),
        SiteSeed("RTM", "Rotterdam, Maasvlakte hub", "Europe/Amsterdam", "quillmoor-nl"),
        SiteSeed("YOK", "Yokohama, Honmoku depot", "Asia/Tokyo", "quillmoor-jp"),
    )
}

# Days from the factory's gate to the receiving dock.
TRANSIT_DAYS = {
    ("CN", "LAX"): 17, ("CN", "RTM"): 31, ("CN", "YOK"): 6,
    ("VN", "LAX"): 20, ("VN", "RTM"): 29, ("VN", "YOK"): 8,
    ("IN", "LAX"): 28, ("IN", "RTM"): 24, ("IN", "YOK"): 18,
    ("BD", "LAX"): 29, ("BD", "RTM"): 26, ("BD", "YOK"): 17,
    ("TR", "LAX"): 24, ("TR", "RTM"): 7, ("TR", "YOK"): 30,
    ("ID", "LAX"): 23, ("ID", "RTM"): 27, ("ID", "YOK"): 10,
}  # fmt: skip
