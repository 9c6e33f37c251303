"""A rule that only its tests call is decoration: each one is reached from a page, a job, a command or a form."""

import ast
import tomllib
from pathlib import Path

BASE = Path(__file__).resolve().parent.parent
APPS = ("accounts", "assessments", "config", "factories", "notifications", "production")
RULES = tomllib.loads((BASE / "pyproject.toml").read_text())["tool"]["plumbline"]["typed"]

Thing = tuple[str, str]  # a module and the name of one of its functions or classes


def test_every_rule_is_reached_from_the_product():
    rules = {module_of(path) for pattern in RULES for path in BASE.glob(pattern)}
    known: dict[Thing, set[Thing]] = {}
    reached: set[Thing] = set()
    for path in (path for app in APPS for path in (BASE / app).rglob("*.py")):
        module, tree = module_of(path), ast.parse(path.read_text())
        names = imported(tree)
        if path.name == "__init__.py":
            known |= {(module, name): {thing} for name, thing in names.items()}
        names |= {node.name: (module, node.name) for node in tree.body if defines(node)}
        for node in tree.body:
            if defines(node):
                known[module, node.name] = mentioned(node, names)
            if module not in rules or not defines(node):
                reached |= mentioned(node, names)
    waiting = list(reached)
    while waiting:
        further = known.get(waiting.pop(), set()) - reached
        reached |= further
        waiting.extend(further)

    public = {thing for thing in known if thing[0] in rules and not thing[1].startswith("_")}
    assert len(public) > 150
    unused = sorted(".".join(thing) for thing in public - reached)
    assert unused == []


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(BASE).with_suffix("").parts).removesuffix(".__init__")


def defines(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef | ast.ClassDef)


def imported(tree: ast.Module) -> dict[str, Thing]:
    """What the names that a file imports stand for; a module stands for (module, "")."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                place = BASE / node.module.replace(".", "/") / alias.name
                whole = place.is_dir() or place.with_suffix(".py").exists()
                thing = (f"{node.module}.{alias.name}", "") if whole else (node.module, alias.name)
                found[alias.asname or alias.name] = thing
    return found


def mentioned(node: ast.AST, names: dict[str, Thing]) -> set[Thing]:
    """The functions and classes that a piece of code names, by itself or through their module."""
    found = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and part.id in names:
            found.add(names[part.id])
        elif isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
            module, name = names.get(part.value.id, ("", "?"))
            if name == "":
                found.add((module, part.attr))
    return found
