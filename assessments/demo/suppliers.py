"""The factories of the demo company. The firms and the people are invented; towns and trades are not."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ContactSeed:
    """One person at a factory."""

    name: str
    position: str
    phone: str


@dataclass(frozen=True, slots=True)
class FactorySeed:
    """One factory: `profile` names its behaviour, `sites` where its goods go, the first one most often."""

    code: str
    name: str
    local_name: str
    language: str
    city: str
    category: str
    profile: str
    domain: str
    sites: tuple[str, ...]
    styles: tuple[str, ...]
    contacts: tuple[ContactSeed, ...]
    years: int = 4
    status: str = "active"
    currencies: tuple[str, ...] = ("USD",)

    @property
    def country(self) -> str:
        return self.code[:2]

    @property
    def calendar(self) -> str:
        return f"quillmoor-{self.country.lower()}"

    @property
    def zone(self) -> str:
        return ZONES[self.country]


ZONES = {
    "CN": "Asia/Shanghai", "VN": "Asia/Ho_Chi_Minh", "IN": "Asia/Kolkata", "BD": "Asia/Dhaka", "TR": "Europe/Istanbul",
    "ID": "Asia/Jakarta",
}  # fmt: skip

FACTORIES = [
    FactorySeed(
        "CN-011", "Ningbo Qiyan Kitchenware", "宁波栖砚厨具有限公司", "zh-Hans", "Ningbo", "kitchenware", "excellent",
        "qiyan-kitchen.example", ("LAX", "RTM"), ("bowl", "colander"),
        (ContactSeed("Li Wenjing 李文静", "Export manager", "+86 574 5550 0142"),
         ContactSeed("Zhou Kai 周凯", "Quality", "+86 574 5550 0147")), years=6,
    ),
    FactorySeed(
        "CN-014", "Yongkang Shuofu Cookware", "永康烁釜炊具有限公司", "zh-Hans", "Yongkang", "kitchenware",
        "fresh_critical", "shuofu.example", ("LAX",), ("skillet", "colander"),
        (ContactSeed("Hu Jianping 胡建平", "Owner", "+86 579 5550 0113"),), years=3,
    ),
    FactorySeed(
        "CN-017", "Dongguan Langbai Electronics", "东莞朗柏电子有限公司", "zh-Hans", "Dongguan", "small-electronics",
        "clustered", "langbai.example", ("LAX", "RTM"), ("lamp", "scale", "frother"),
        (ContactSeed("Chen Yifan 陈一凡", "Account manager", "+86 769 5550 0168"),
         ContactSeed("Deng Min 邓敏", "Planning", "+86 769 5550 0161")), years=5,
    ),
    FactorySeed(
        "CN-019", "Shantou Chengqu Toys", "汕头澄趣玩具有限公司", "zh-Hans", "Shantou", "toys", "critical",
        "chengqu-toys.example", ("LAX", "RTM"), ("blocks", "plush"),
        (ContactSeed("Lin Xiaoyan 林晓燕", "Merchandiser", "+86 754 5550 0120"),), years=4,
    ),
    FactorySeed(
        "CN-022", "Foshan Tanyu Furniture", "佛山檀屿家具有限公司", "zh-Hans", "Foshan", "furniture", "worsening",
        "tanyu.example", ("LAX", "YOK"), ("side-table", "chair"),
        (ContactSeed("Huang Zhiqiang 黄志强", "Sales director", "+86 757 5550 0185"),), years=5,
    ),
    FactorySeed(
        "CN-024", "Jinjiang Talan Footwear", "晋江踏澜鞋业有限公司", "zh-Hans", "Jinjiang", "footwear", "improving",
        "talan-shoes.example", ("LAX", "RTM"), ("sneaker", "rain-boot"),
        (ContactSeed("Wu Lihua 吴丽华", "Export manager", "+86 595 5550 0176"),), years=2,
    ),
    FactorySeed(
        "CN-027", "Guangzhou Xianghe Leather Goods", "广州缃禾皮具有限公司", "zh-Hans", "Guangzhou", "bags",
        "one_chargeable", "xianghe-bags.example", ("LAX", "YOK", "RTM"), ("backpack", "weekender"),
        (ContactSeed("Liang Jiaxin 梁嘉欣", "Merchandiser", "+86 20 5550 0191"),), years=4,
    ),
    FactorySeed(
        "CN-031", "Shaoxing Yunzhi Home Textiles", "绍兴纭织家纺有限公司", "zh-Hans", "Shaoxing", "home-textiles",
        "excellent", "yunzhi.example", ("RTM", "LAX", "YOK"), ("duvet", "cushion"),
        (ContactSeed("Xu Mei 徐梅", "Export manager", "+86 575 5550 0134"),), years=7, currencies=("CNY",),
    ),
    FactorySeed(
        "VN-012", "Dong Lua Garment", "Công ty TNHH May Đồng Lúa", "vi", "Nam Định", "apparel", "chronic_late",
        "donglua.example", ("LAX", "RTM"), ("linen-shirt", "chino-shorts"),
        (ContactSeed("Trần Quốc Bảo", "Director", "+84 228 555 0102"),
         ContactSeed("Vũ Thị Hạnh", "Planning", "+84 228 555 0109")), years=3,
    ),
    FactorySeed(
        "VN-015", "Buoc Nang Footwear", "Công ty TNHH Giày Bước Nắng", "vi", "Hải Dương", "footwear", "good",
        "buocnang.example", ("LAX", "RTM"), ("sneaker", "slipper"),
        (ContactSeed("Phạm Minh Châu", "Sales", "+84 220 555 0131"),), years=4,
    ),
    FactorySeed(
        "VN-018", "May Ngan Bags", "Công ty TNHH Túi xách Mây Ngàn", "vi", "Thái Bình", "bags", "late_watch",
        "mayngan.example", ("LAX", "YOK"), ("tote", "backpack"),
        (ContactSeed("Đỗ Thu Trang", "Merchandiser", "+84 227 555 0118"),), years=3,
    ),
    FactorySeed(
        "VN-021", "Doi Thong Wood", "Công ty Cổ phần Gỗ Đồi Thông", "vi", "Quy Nhơn", "furniture", "low_coverage",
        "doithong.example", ("LAX", "RTM"), ("shelf", "chair"),
        (ContactSeed("Nguyễn Hữu Phước", "Director", "+84 256 555 0144"),), years=5,
    ),
    FactorySeed(
        "VN-026", "Suoi Bac Garment", "Công ty TNHH May Suối Bạc", "vi", "Đà Nẵng", "apparel", "excellent_with_grace",
        "suoibac.example", ("LAX", "YOK"), ("tee", "linen-shirt"),
        (ContactSeed("Lê Ngọc Diệp", "Account manager", "+84 236 555 0157"),), years=6,
    ),
    FactorySeed(
        "IN-008", "Sutradhara Home Furnishings", "सूत्रधारा होम फर्निशिंग्स", "hi", "Panipat", "home-textiles",
        "defect_watch", "sutradhara.example", ("RTM", "LAX"), ("towel", "cushion"),
        (ContactSeed("Anil Bhardwaj", "Partner", "+91 180 555 0126"),), years=4,
    ),
    FactorySeed(
        "IN-011", "Tamrapatra Metalcraft", "ताम्रपत्र मेटलक्राफ्ट", "hi", "Moradabad", "kitchenware", "dominance",
        "tamrapatra.example", ("RTM", "LAX"), ("colander", "bowl"),
        (ContactSeed("Sana Qureshi", "Export manager", "+91 591 555 0133"),), years=3,
    ),
    FactorySeed(
        "IN-013", "Kapasvan Apparels", "कपासवन अपैरल्स", "hi", "Noida", "apparel", "lossy",
        "kapasvan.example", ("RTM", "LAX"), ("linen-shirt", "tee"),
        (ContactSeed("Meera Saxena", "Merchandiser", "+91 120 555 0171"),
         ContactSeed("Rohit Tyagi", "Stores", "+91 120 555 0179")), years=4,
    ),
    FactorySeed(
        "IN-016", "Padchap Footwear", "पदछाप फुटवियर", "hi", "Agra", "footwear", "trial",
        "padchap.example", ("RTM",), ("slipper",),
        (ContactSeed("Vikram Chauhan", "Owner", "+91 562 555 0115"),), years=0, status="trial",
    ),
    FactorySeed(
        "BD-005", "Meghdoot Knit", "মেঘদূত নিট লিমিটেড", "bn", "Gazipur", "apparel", "negative_loss",
        "meghdoot.example", ("RTM", "LAX"), ("tee", "hoodie"),
        (ContactSeed("Farhana Akter", "Merchandiser", "+880 2 5555 0128"),), years=5,
    ),
    FactorySeed(
        "BD-007", "Jolchhaya Garments", "জলছায়া গার্মেন্টস লিমিটেড", "bn", "Narayanganj", "apparel", "failing_quality",
        "jolchhaya.example", ("RTM", "LAX"), ("hoodie", "chino-shorts"),
        (ContactSeed("Mahbub Rahman", "General manager", "+880 2 5555 0163"),), years=2,
    ),
    FactorySeed(
        "BD-009", "Shuktara Bags", "শুকতারা ব্যাগস লিমিটেড", "bn", "Chattogram", "bags", "small",
        "shuktara.example", ("RTM",), ("tote",),
        (ContactSeed("Nusrat Jahan", "Sales", "+880 31 555 0149"),), years=2,
    ),
    FactorySeed(
        "TR-003", "Akdere Ev Tekstili", "Akdere Ev Tekstili Sanayi ve Ticaret A.Ş.", "tr", "Denizli", "home-textiles",
        "two_currencies", "akdere.example", ("RTM", "LAX"), ("towel", "duvet"),
        (ContactSeed("Elif Şahin", "Export manager", "+90 258 555 0137"),), years=6, currencies=("EUR", "USD"),
    ),
    FactorySeed(
        "TR-006", "Çınaraltı Konfeksiyon", "Çınaraltı Konfeksiyon San. ve Tic. Ltd. Şti.", "tr", "Bursa", "apparel",
        "good_single", "cinaralti.example", ("RTM",), ("chino-shorts", "hoodie"),
        (ContactSeed("Gökhan Yıldız", "Sales", "+90 224 555 0152"),), years=3, currencies=("EUR",),
    ),
    FactorySeed(
        "ID-004", "Lembayung Weaving", "PT Tenun Lembayung", "id", "Bandung", "home-textiles", "paused",
        "lembayung.example", ("RTM", "LAX"), ("towel", "cushion"),
        (ContactSeed("Bambang Wiryawan", "Director", "+62 22 5550 0106"),), years=4, status="paused",
    ),
    FactorySeed(
        "ID-007", "Langkah Rimba Footwear", "PT Langkah Rimba", "id", "Tangerang", "footwear", "never_arrived",
        "langkahrimba.example", ("LAX", "YOK"), ("slipper", "rain-boot"),
        (ContactSeed("Ratna Kusumawardani", "Account manager", "+62 21 5550 0181"),), years=3,
    ),
]  # fmt: skip
