"""What an image weighs, by who put it there: the base, Python, each package, our code, the bundles."""

from pathlib import Path

MB = 1e6
PACKAGES = Path("opt/promise/lib/python3.11/site-packages")
OURS = ("service", "models", "loadtest")
WIDEST = 12


def weigh(root: Path) -> int:
    """Bytes of all files below; a link weighs nothing."""
    files = (path for path in ([root] if root.is_file() else root.rglob("*")) if not path.is_symlink())
    return sum(path.stat().st_size for path in files if path.is_file())


def by_part(root: Path) -> dict[str, int]:
    """Bytes by part; together they are all of the image."""
    site = {path.name: weigh(path) for path in (root / PACKAGES).iterdir()}
    ours = sum(size for name, size in site.items() if name in OURS)
    return {
        "Debian and Python": weigh(root) - weigh(root / "opt") - weigh(root / "srv"),
        "packages": weigh(root / "opt") - ours,
        "our code": ours,
        "bundles": weigh(root / "srv"),
    }


def by_package(root: Path) -> dict[str, int]:
    """Bytes by folder of site-packages, the heaviest first; libraries beside a package count as its own."""
    sizes: dict[str, int] = {}
    for path in (root / PACKAGES).iterdir():
        if not path.name.endswith(".dist-info"):
            name = path.name.removesuffix(".libs")
            sizes[name] = sizes.get(name, 0) + weigh(path)
    return dict(sorted(sizes.items(), key=lambda item: -item[1]))


def table(title: str, root: Path) -> list[str]:
    """Lines to show."""
    parts = [f"  {name:<24}{size / MB:8.1f} MB" for name, size in by_part(root).items()]
    packages = [f"    {name:<22}{size / MB:8.1f} MB" for name, size in by_package(root).items()]
    return [f"{title}: {weigh(root) / MB:.0f} MB", *parts, *packages[:WIDEST]]
