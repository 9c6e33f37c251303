"""Who and what the rows speak of: factories, products, categories, sites and calendars, found or made, set by set."""

import difflib
import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.text import slugify

from factories.models import Category, Factory, WorkingCalendar, code_is_plain, zone_exists
from production.imports.mapping import Mapping
from production.imports.problems import Problems
from production.imports.rows import Row
from production.imports.values import same_name
from production.models import Product, Site

BATCH = 5_000
NEAR = 0.8


@dataclass
class References:
    """What has to be created before the orders, in this order."""

    categories: list[Category] = field(default_factory=list)
    sites: list[Site] = field(default_factory=list)
    factories: list[Factory] = field(default_factory=list)
    products: list[Product] = field(default_factory=list)

    def save(self, rows: Iterable[Row]) -> None:
        """Creates those that the given rows need, and leaves the lists holding only these."""
        used: set[int] = set()
        for row in rows:
            used.update((id(row.factory), id(row.product), id(row.receiving)))
        for name in ("sites", "factories", "products"):
            setattr(self, name, [made for made in getattr(self, name) if id(made) in used])
        needed = {id(made.category) for made in (*self.factories, *self.products)}
        self.categories = [made for made in self.categories if id(made) in needed]
        for objects in (self.categories, self.sites, self.factories, self.products):
            for made in objects:
                if isinstance(made, Factory | Product):
                    made.category = made.category  # takes over the key of a category that has just been saved
            if objects:
                type(objects[0]).objects.bulk_create(objects, batch_size=BATCH)


def resolve(rows: list[Row], mapping: Mapping, headers: dict[str, str], problems: Problems) -> References:
    """Gives each row its factory, product, receiving site and calendar; a row that lacks one is refused."""
    new = References()
    categories = _Categories(mapping, new)
    _sites(rows, mapping, headers, problems, new)
    _calendars(rows, headers, problems)
    _products(rows, mapping, headers, problems, new, categories)
    _factories(rows, mapping, headers, problems, new, categories)
    return new


def _said(row: Row, headers: dict[str, str], one: str, other: str) -> tuple[str, object]:
    name = one if getattr(row, one) is not None else other
    return headers.get(name, name), getattr(row, name)


class _Categories:
    def __init__(self, mapping: Mapping, new: References) -> None:
        self.may_create, self.new = "categories" in mapping.creates, new
        self.by_name: dict[str, Category] = {}
        self.by_key: dict[int, Category] = {}
        for category in Category.objects.all():
            self.by_key[category.pk] = category
            self.by_name[same_name(category.name)] = category
            self.by_name.setdefault(category.code, category)

    def get(self, name: str) -> Category | None:
        found = self.by_name.get(same_name(name))
        if found is None and self.may_create:
            code = slugify(name)[:40].strip("-_").replace("_", "-")
            if not code or code in self.by_name:
                code = f"{code[:29].rstrip('-') or 'c'}-{digest(name)}"
            found = Category(code=code, name=name)
            self.by_name[same_name(name)] = self.by_name[code] = found
            self.new.categories.append(found)
        return found


def digest(name: str) -> str:
    return hashlib.sha256(same_name(name).encode()).hexdigest()[:8]


def product_code(name: str) -> str:
    """The code of a product that the file knows by name only: the same for the same name, whenever it is met."""
    return f"{slugify(name)[:50].strip('-_')}-{digest(name)}".lstrip("-").upper()


def _sites(rows: list[Row], mapping: Mapping, headers: dict[str, str], problems: Problems, new: References) -> None:
    known = {site.code: site for site in Site.objects.all()}
    for row in rows:
        code = row.site.upper()
        if code not in known:
            if "sites" not in mapping.creates:
                problems.refuse(row.row, headers.get("site", "site"), row.site, "There is no site with this code.")
                continue
            said = mapping.site_names.get(code, {})
            known[code] = site = Site(code=code, name=said.get("name", code), time_zone=said.get("time_zone", "UTC"))
            try:
                code_is_plain(code)
                zone_exists(site.time_zone)
            except ValidationError as error:
                problems.refuse(row.row, headers.get("site", "site"), row.site, error.messages[0])
                del known[code]
                continue
            new.sites.append(site)
        row.receiving = known[code]


def _calendars(rows: list[Row], headers: dict[str, str], problems: Problems) -> None:
    wanted = {row.calendar for row in rows if row.calendar is not None}
    known = {calendar.code: calendar for calendar in WorkingCalendar.objects.filter(code__in=wanted)} if wanted else {}
    for row in rows:
        row.working_calendar = known.get(row.calendar)
        if row.calendar is not None and row.working_calendar is None:
            problems.refuse(row.row, headers.get("calendar", "calendar"), row.calendar, "There is no such calendar.")


def _products(
    rows: list[Row],
    mapping: Mapping,
    headers: dict[str, str],
    problems: Problems,
    new: References,
    categories: _Categories,
) -> None:
    by_code: dict[str, Product] = {}
    by_name: dict[str, Product] = {}
    names = {row.product_name for row in rows if row.product_code is None}
    codes = {row.product_code for row in rows if row.product_code is not None} | {product_code(name) for name in names}
    for wanted, lookup in ((sorted(codes), "code__in"), (sorted(names), "name__in")):
        for start in range(0, len(wanted), BATCH):
            for product in Product.objects.filter(Q(**{lookup: wanted[start : start + BATCH]})).order_by("-id"):
                product.category = categories.by_key[product.category_id]
                by_code[product.code] = product
                by_name[same_name(product.name)] = product
    # A new product has the first category that any of its rows names.
    told: dict[str, str] = {}
    for row in rows:
        if row.category and categories.get(row.category):
            told.setdefault(row.product_code or product_code(row.product_name), row.category)
    for row in rows:
        code = row.product_code or product_code(row.product_name)
        product = (
            by_code.get(code) if row.product_code else by_name.get(same_name(row.product_name)) or by_code.get(code)
        )
        said = row.category or (told.get(code) if product is None else None)
        category = categories.get(said) if said else None
        if product is None:
            where, value = _said(row, headers, "product_code", "product_name")
            if "products" not in mapping.creates:
                problems.refuse(row.row, where, value, "There is no such product.")
                continue
            if category is None:
                reason = (
                    "This product is new and has no category." if not row.category else "There is no such category."
                )
                problems.refuse(row.row, headers.get("category", "category"), row.category, reason)
                continue
            product = Product(
                code=code, name=row.product_name or code, category=category, unit=row.product_unit or "pcs"
            )
            by_code[code] = by_name[same_name(product.name)] = product
            new.products.append(product)
        else:
            _keep_product(row, product, category, headers, problems)
        row.product = product


def _keep_product(
    row: Row, product: Product, category: Category | None, headers: dict[str, str], problems: Problems
) -> None:
    """Warns of what a row says otherwise of a product that is known."""
    if category is not None and product.category is not category:
        problems.warn(row.row, headers.get("category", "category"), row.category,
                      "The product is known in another category, which was kept.")  # fmt: skip
    if row.product_name and row.product_code and same_name(row.product_name) != same_name(product.name):
        problems.warn(row.row, headers.get("product_name", "product_name"), row.product_name,
                      f"The product {product.code} is known as “{product.name}”, which was kept.")  # fmt: skip
    if row.product_unit and row.product_unit != product.unit:
        problems.warn(row.row, headers.get("product_unit", "product_unit"), row.product_unit,
                      f"The product {product.code} is counted in {product.unit}, which was kept.")  # fmt: skip


def _factories(
    rows: list[Row],
    mapping: Mapping,
    headers: dict[str, str],
    problems: Problems,
    new: References,
    categories: _Categories,
) -> None:
    by_code: dict[str, Factory] = {}
    by_name: dict[str, list[Factory]] = {}
    for factory in Factory.objects.only("code", "name", "local_name"):
        by_code[factory.code] = factory
        for name in {same_name(factory.name), same_name(factory.local_name)} - {""}:
            by_name.setdefault(name, []).append(factory)
    running = _Running(by_code)
    made: dict[int, Counter[int]] = {}
    refused: dict[tuple[str | None, str | None], tuple[str, object, str]] = {}
    for row in rows:
        said = (row.factory_code, row.factory_name)
        code = row.factory_code.upper() if row.factory_code else None
        same = by_name.get(same_name(row.factory_name), []) if row.factory_name and code is None else []
        factory = by_code.get(code) if code else same[0] if len(same) == 1 else None
        if factory is None and said not in refused:
            where, value = _said(row, headers, "factory_code", "factory_name")
            if len(same) > 1:
                refused[said] = where, value, f"Several factories bear this name: {', '.join(f.code for f in same)}."
            elif "factories" not in mapping.creates:
                refused[said] = where, value, "There is no such factory." + _near(row, by_code, by_name)
            else:
                factory = _made(row, code, mapping, running)
                try:
                    code_is_plain(factory.code)
                    zone_exists(factory.time_zone)
                except ValidationError as error:
                    refused[said] = where, value, error.messages[0]
                    factory = None
                else:
                    by_code[factory.code] = factory
                    by_name.setdefault(same_name(factory.name), []).append(factory)
                    new.factories.append(factory)
        if factory is None:
            problems.refuse(row.row, *refused[said])
            continue
        if code and row.factory_name and same_name(row.factory_name) != same_name(factory.name):
            problems.warn(row.row, headers.get("factory_name", "factory_name"), row.factory_name,
                          f"The factory {factory.code} is known as “{factory.name}”, which was kept.")  # fmt: skip
        if row.factory_country and row.factory_country != factory.country:
            problems.warn(row.row, headers.get("factory_country", "factory_country"), row.factory_country,
                          f"The factory {factory.code} lies in {factory.country}, which was kept.")  # fmt: skip
        row.factory = factory
        if factory.pk is None and getattr(row, "product", None) is not None:
            made.setdefault(id(factory), Counter())[id(row.product.category)] += 1
    _main_categories(new, rows, made)


def _made(row: Row, code: str | None, mapping: Mapping, running: "_Running") -> Factory:
    country = row.factory_country or mapping.country
    code = code or running.next(country)
    return Factory(code=code, name=row.factory_name or code, country=country, time_zone=mapping.factory_zone)


def _main_categories(new: References, rows: Iterable[Row], counts: dict[int, Counter[int]]) -> None:
    """A new factory's main category is the one most of its rows are in; of equal ones, the first by code."""
    known = {
        id(row.product.category): row.product.category for row in rows if getattr(row, "product", None) is not None
    }
    for factory in new.factories:
        found = counts.get(id(factory))
        if found:
            factory.category = known[min(found, key=lambda one: (-found[one], known[one].code))]
    new.factories = [factory for factory in new.factories if factory.category_id or counts.get(id(factory))]


class _Running:
    """Codes such as ZZ-001: the country and the number after the highest one in use."""

    def __init__(self, codes: Iterable[str]) -> None:
        self.highest: Counter[str] = Counter()
        for code in codes:
            if found := re.fullmatch(r"([A-Z]{2})-([0-9]{1,9})", code):
                self.highest[found[1]] = max(self.highest[found[1]], int(found[2]))

    def next(self, country: str) -> str:
        self.highest[country] += 1
        return f"{country}-{self.highest[country]:03}"


def _near(row: Row, by_code: dict[str, Factory], by_name: dict[str, list[Factory]]) -> str:
    if row.factory_code:
        found = difflib.get_close_matches(row.factory_code.upper(), by_code, 1, NEAR)
    else:
        found = difflib.get_close_matches(same_name(row.factory_name), by_name, 1, NEAR)
    return (
        f" Did you mean “{by_code[found[0]].code if row.factory_code else by_name[found[0]][0].name}”?" if found else ""
    )
