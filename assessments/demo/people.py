"""Who can sign in to the demo: one person per role and two factory contacts, with one passphrase per installation."""

import hashlib
import hmac
from dataclasses import dataclass

from django.conf import settings

WORDS = (
    "amber anchor apron arch barley basil beacon birch bobbin brick bridge brook canvas cargo cedar chalk "
    "cinder clover cobalt copper coral cotton crane daisy dune ember fable falcon fennel fern flint forge "
    "garnet ginger granite grove harbor hazel heron indigo iris ivory jasper juniper kettle lagoon lantern "
    "larch lemon linen loom lotus maple marble meadow mint moss needle oak olive onyx orchard otter oyster "
    "paper pearl pebble pepper pier pine plum poplar prairie quarry quartz quill raven reed ribbon ridge river "
    "rowan saddle saffron sage satin shore silver slate sparrow spool spruce summit tallow thimble thistle "
    "timber topaz tulip valley velvet walnut willow"
).split()
WORD_COUNT = 5


@dataclass(frozen=True, slots=True)
class PersonSeed:
    """One account; `factories`: those a contact belongs to, `watches`: those a person is told about (None: all)."""

    role: str
    name: str
    email: str
    zone: str
    look_first: str
    factories: tuple[str, ...] = ()
    watches: tuple[str | None, ...] = ()


PEOPLE = [
    PersonSeed(
        "manager", "Marian Hale", "marian.hale@plumbline.example", "America/Los_Angeles",
        "Home: what broke; then Factories, worst first: Dong Lua (VN-012)", watches=(None,),
    ),
    PersonSeed(
        "buyer", "Tomás Rivas", "tomas.rivas@plumbline.example", "America/Los_Angeles",
        "Orders due today and overdue; log a delivery", watches=("VN-012", "CN-022", "ID-007", "IN-013"),
    ),
    PersonSeed(
        "inspector", "Lê Thu Hà", "le.thu.ha@plumbline.example", "Asia/Ho_Chi_Minh",
        "Lots to inspect; record an inspection",
    ),
    PersonSeed(
        "officer", "Ingrid Solberg", "ingrid.solberg@plumbline.example", "Europe/Amsterdam",
        "People and their sign-ins",
    ),
    PersonSeed(
        "admin", "Ravi Menon", "ravi.menon@plumbline.example", "UTC", "Everything, and the admin pages",
    ),
    PersonSeed(
        "contact", "Trần Quốc Bảo", "bao.tran@plumbline.example", "Asia/Ho_Chi_Minh",
        "Dong Lua's own scorecard: failing, and why", factories=("VN-012",),
    ),
    PersonSeed(
        "contact", "Li Wenjing", "wenjing.li@plumbline.example", "Asia/Shanghai",
        "Qiyan's own scorecard: excellent; no other factory is visible", factories=("CN-011",),
    ),
]  # fmt: skip


def passphrase() -> str:
    """The passphrase of every demo account: the same here each time, another one in every other installation."""
    digest = hmac.new(settings.SECRET_KEY.encode(), b"demo accounts", hashlib.sha256).digest()
    number = int.from_bytes(digest, "big")
    chosen = []
    for _ in range(WORD_COUNT):
        number, place = divmod(number, len(WORDS))
        chosen.append(WORDS[place])
    return "-".join(chosen)
