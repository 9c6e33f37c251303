"""What the demo company sells and of what: categories, styles with their articles, materials and consumption."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class CategorySeed:
    """One kind of goods, and the sizes of its orders: smallest and largest line, and the step between."""

    code: str
    name: str
    is_soft: bool
    smallest: int
    largest: int
    step: int
    making_days: int
    per_carton: int


@dataclass(frozen=True, slots=True)
class MaterialSeed:
    """One material that is supplied: its base unit, price in USD, and how finely it is measured."""

    code: str
    name: str
    unit: str
    cost: str
    places: int = 0
    pack: int = 100
    entered: tuple[str, int, int] | None = None  # another unit of the documents, and base units per unit of it


@dataclass(frozen=True, slots=True)
class StyleSeed:
    """One style: its articles (variants), its price in USD, and what one unit consumes."""

    key: str
    category: str
    sku: str
    name: str
    price: str
    variants: tuple[tuple[str, str], ...]
    bill: tuple[tuple[str, str], ...] = ()


CATEGORIES = {
    category.code: category
    for category in (
        CategorySeed("apparel", "Apparel", True, 1200, 12000, 100, 34, 40),
        CategorySeed("home-textiles", "Home textiles", True, 800, 6000, 100, 30, 16),
        CategorySeed("bags", "Bags", True, 600, 4000, 50, 30, 20),
        CategorySeed("footwear", "Footwear", False, 600, 5000, 60, 33, 12),
        CategorySeed("toys", "Toys", False, 1000, 10000, 200, 28, 24),
        CategorySeed("kitchenware", "Kitchenware", False, 800, 8000, 100, 28, 12),
        CategorySeed("small-electronics", "Small electronics", False, 500, 5000, 100, 32, 20),
        CategorySeed("furniture", "Furniture", False, 300, 1200, 20, 36, 1),
    )
}

MATERIALS = {
    material.code: material
    for material in (
        MaterialSeed("QM-JER-180", "Cotton jersey 180 g/m², 160 cm", "m", "2.35", 1, 25, ("kg", 125, 36)),
        MaterialSeed("QM-LIN-150", "Linen, washed, 150 g/m²", "m", "5.10", 1, 50),
        MaterialSeed("QM-FLC-280", "Brushed fleece 280 g/m²", "m", "3.85", 1, 50),
        MaterialSeed("QM-TWL-210", "Cotton twill 210 g/m²", "m", "3.20", 1, 50, ("yd", 1143, 1250)),
        MaterialSeed("QM-PRC-200", "Percale 200 TC, 280 cm", "m", "3.60", 1, 100),
        MaterialSeed("QM-YRN-20", "Cotton yarn Ne 20/2", "kg", "4.15", 2, 25),
        MaterialSeed("QM-CNV-12", "Cotton canvas 12 oz", "m", "4.40", 1, 50, ("yd", 1143, 1250)),
        MaterialSeed("QM-LNG-PE", "Lining, recycled polyester", "m", "1.25", 1, 50),
        MaterialSeed("QM-NYL-420", "Nylon 420D, coated", "m", "3.05", 1, 50),
        MaterialSeed("QM-SUE-14", "Split suede 1.4 mm", "m²", "9.80", 2, 10),
        MaterialSeed("QM-SOL-EVA", "EVA sole unit, pair", "pc", "1.15"),
        MaterialSeed("QM-ZIP-20", "Metal zipper 20 cm, antique brass", "pc", "0.48", pack=500),
        MaterialSeed("QM-ZIP-65", "Two-way zipper 65 cm", "pc", "0.92", pack=500),
        MaterialSeed("QM-BTN-11", "Corozo button 11 mm", "pc", "0.045", pack=1000),
        MaterialSeed("QM-CRD-6", "Drawcord 6 mm", "m", "0.16", 1, 100),
        MaterialSeed("QM-BKL-25", "Side-release buckle 25 mm", "pc", "0.31", pack=500),
        MaterialSeed("QM-LBL-M", "Main label, woven", "pc", "0.035", pack=1000),
        MaterialSeed("QM-LBL-C", "Care label, printed", "pc", "0.012", pack=1000),
        MaterialSeed("QM-PCB-LMP", "Control board, bedside lamp", "pc", "3.40", pack=50),
        MaterialSeed("QM-PCB-SCL", "Control board, kitchen scale", "pc", "2.15", pack=50),
        MaterialSeed("QM-MOT-FR", "DC motor 3 V", "pc", "0.88", pack=100),
        MaterialSeed("QM-BAT-18", "Li-ion cell 2,600 mAh", "pc", "1.95", pack=50),
    )
}

COLOURS = (("SND", "sand"), ("NVY", "navy"), ("OLV", "olive"))
STYLES = {
    style.key: style
    for style in (
        StyleSeed("linen-shirt", "apparel", "QM-1043", "Linen shirt", "11.40",
                  (("SND-S", "sand, S"), ("SND-M", "sand, M"), ("SND-L", "sand, L"), ("WHT-M", "white, M")),
                  (("QM-LIN-150", "1.62"), ("QM-BTN-11", "9"), ("QM-LBL-M", "1"), ("QM-LBL-C", "1"))),
        StyleSeed("tee", "apparel", "QM-1007", "Heavy T-shirt", "4.35",
                  (("WHT-M", "white, M"), ("WHT-L", "white, L"), ("BLK-M", "black, M"), ("BLK-L", "black, L")),
                  (("QM-JER-180", "0.98"), ("QM-LBL-M", "1"), ("QM-LBL-C", "1"))),
        StyleSeed("hoodie", "apparel", "QM-1066", "Zip hoodie", "12.90",
                  (("GRY-M", "grey, M"), ("GRY-L", "grey, L"), ("GRN-M", "forest, M")),
                  (("QM-FLC-280", "1.58"), ("QM-ZIP-65", "1"), ("QM-CRD-6", "1.3"), ("QM-LBL-M", "1"))),
        StyleSeed("chino-shorts", "apparel", "QM-1081", "Chino shorts", "7.80",
                  (("KHA-32", "khaki, 32"), ("KHA-34", "khaki, 34"), ("NVY-32", "navy, 32")),
                  (("QM-TWL-210", "1.12"), ("QM-ZIP-20", "1"), ("QM-LBL-M", "1"), ("QM-LBL-C", "1"))),
        StyleSeed("duvet", "home-textiles", "QM-2015", "Percale duvet set", "19.60",
                  (("WHT-D", "white, double"), ("WHT-K", "white, king"), ("SGE-D", "sage, double")),
                  (("QM-PRC-200", "5.35"), ("QM-BTN-11", "6"), ("QM-LBL-C", "1"))),
        StyleSeed("towel", "home-textiles", "QM-2032", "Waffle bath towel", "5.70",
                  (("ECR", "ecru"), ("CLY", "clay"), ("SLT", "slate")),
                  (("QM-YRN-20", "0.47"), ("QM-LBL-C", "1"))),
        StyleSeed("cushion", "home-textiles", "QM-2048", "Canvas cushion cover 50 × 50", "3.95",
                  (("OCH", "ochre"), ("INK", "ink")),
                  (("QM-CNV-12", "0.58"), ("QM-ZIP-20", "1"), ("QM-LBL-C", "1"))),
        StyleSeed("tote", "bags", "QM-3011", "Canvas tote", "4.60", COLOURS[:2],
                  (("QM-CNV-12", "0.74"), ("QM-LBL-M", "1"))),
        StyleSeed("backpack", "bags", "QM-3027", "Roll-top backpack 18 l", "14.20", COLOURS,
                  (("QM-NYL-420", "1.05"), ("QM-LNG-PE", "0.82"), ("QM-BKL-25", "3"), ("QM-ZIP-20", "1"), ("QM-LBL-M",
                  "1"))),
        StyleSeed("weekender", "bags", "QM-3040", "Weekender bag", "18.70", COLOURS[1:],
                  (("QM-CNV-12", "1.46"), ("QM-LNG-PE", "1.20"), ("QM-ZIP-65", "1"), ("QM-ZIP-20", "2"), ("QM-LBL-M",
                  "1"))),
        StyleSeed("sneaker", "footwear", "QM-4009", "Canvas sneaker", "9.90",
                  (("WHT-38", "white, 38"), ("WHT-40", "white, 40"), ("WHT-42", "white, 42")),
                  (("QM-CNV-12", "0.34"), ("QM-SOL-EVA", "1"), ("QM-LBL-M", "2"))),
        StyleSeed("slipper", "footwear", "QM-4022", "Suede slipper", "8.40",
                  (("TAN-39", "tan, 39"), ("TAN-41", "tan, 41"), ("GRY-41", "grey, 41")),
                  (("QM-SUE-14", "0.19"), ("QM-SOL-EVA", "1"))),
        StyleSeed("rain-boot", "footwear", "QM-4035", "Garden rain boot", "10.60",
                  (("GRN-39", "green, 39"), ("GRN-41", "green, 41")), (("QM-LNG-PE", "0.40"), ("QM-LBL-M", "1"))),
        StyleSeed("blocks", "toys", "QM-5003", "Wooden blocks, 60 pieces", "7.25", (("NAT", "natural"), ("PST",
        "pastel"))),
        StyleSeed("plush", "toys", "QM-5018", "Plush fox 30 cm", "3.80", (("RST", "rust"), ("SNW", "snow"))),
        StyleSeed("bowl", "kitchenware", "QM-6012", "Stoneware bowl, set of 4", "8.90",
                  (("SPK", "speckled"), ("BLU", "blue"), ("SND", "sand"))),
        StyleSeed("colander", "kitchenware", "QM-6026", "Steel colander 24 cm", "4.15", (("STL", "steel"), ("CRM",
        "cream"))),
        StyleSeed("skillet", "kitchenware", "QM-6031", "Cast-iron skillet", "9.70", (("20", "20 cm"), ("26", "26 cm"))),
        StyleSeed("lamp", "small-electronics", "QM-7005", "Bedside lamp, rechargeable", "13.60",
                  (("BRS", "brass"), ("BLK", "black")), (("QM-PCB-LMP", "1"), ("QM-BAT-18", "2"))),
        StyleSeed("scale", "small-electronics", "QM-7014", "Kitchen scale", "7.10",
                  (("WHT", "white"), ("STL", "steel")), (("QM-PCB-SCL", "1"),)),
        StyleSeed("frother", "small-electronics", "QM-7020", "Milk frother", "4.90", (("BLK", "black"),),
                  (("QM-MOT-FR", "1"), ("QM-BAT-18", "1"))),
        StyleSeed("side-table", "furniture", "QM-8002", "Oak side table", "31.50", (("NAT", "natural"), ("SMK",
        "smoked"))),
        StyleSeed("chair", "furniture", "QM-8010", "Folding chair", "22.80", (("NAT", "natural"), ("BLK", "black"))),
        StyleSeed("shelf", "furniture", "QM-8017", "Wall shelf 90 cm", "17.40", (("NAT", "natural"), ("WHT", "white"))),
    )
}  # fmt: skip

# The consumption of one style was agreed anew: version 2 of its bills holds for later orders.
SECOND_BILL = ("tee", "QM-JER-180", Decimal("0.96"))
SECOND_BILL_DAYS_AGO = 210


def articles() -> Iterator[tuple[str, str, StyleSeed]]:
    """Every article: its code, its name and its style."""
    for style in STYLES.values():
        for suffix, words in style.variants:
            yield f"{style.sku}-{suffix}", f"{style.name}, {words}", style


def consumption(style: StyleSeed, version: int) -> dict[str, Decimal]:
    """What one unit consumes of each material, by the given version of the bill."""
    bill = {code: Decimal(quantity) for code, quantity in style.bill}
    if version == 2:
        bill[SECOND_BILL[1]] = SECOND_BILL[2]
    return bill
