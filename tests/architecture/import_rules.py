"""Which room may import which, and which packages have one room that wraps them for everyone else."""

# What each part may import from this repository; the longest matching prefix decides. A new part needs a line here.
LEAVES = (
    "service.errors",
    "service.config_file",
    "service.engine.protocol",
    "service.engine.ticket",
    "models.contract",
)
BUNDLE = ("service.engine.bundle", "service.engine.catalogue")
TOOLS = ("service.search", "service.budget", "service.experiments", "service.cache", *BUNDLE)
STORES = ("service.histories", "service.experiments", "service.cache", "service.engine.batcher")
SERVED = ("service.served", "service.bundles", "service.filters", "service.engine.revision", "service.lookup")
TASKS = ("service.engine.padding", *BUNDLE, "service.tasks", "service.items", "service.explain")
DEVICE = (*TASKS, "service.searcher", "service.encoding", "service.outcomes")
USE_CASE = (*SERVED, *DEVICE, "service.recommender")
OPEN = ("service.observability", "service.settings", "service.stores", "service.loading", "service.warmup")
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("service", "service.errors", "service.web", "service.ops", "service.memory", "models.contract"), ()
    ),
    **dict.fromkeys(("service.settings", "service.config_file"), ("service.errors",)),
    "service.engine.protocol": ("models.contract", "service.search.legality", "service.search.csr"),
    "service.search": (*LEAVES, "service.search"),
    "service.budget": (*LEAVES, "service.budget", "service.search.plan", "service.search.strategies"),
    "service.experiments": (*LEAVES, "service.experiments", "service.cache.remote"),
    "service.cache": (*LEAVES, "service.cache"),
    "service.histories": (*LEAVES, "service.histories", "service.cache.remote"),
    "service.engine": (*LEAVES, "service.engine", "service.search", "models.manifest"),
    "service.engine.batcher": (*LEAVES, "service.engine.pace", "service.search.guided"),  # the deadline
    "service.engine.ticket": ("service.search.guided",),
    "service.observability": ("service.errors", "service.observability"),
    "service.explain": (*LEAVES, "service.search"),
    "service.items": ("service.engine.catalogue",),
    "service.filters": (*LEAVES, "service.search.trie", "service.engine.catalogue"),
    "service.lookup": ("service.lookup", "service.search.trie", "service.engine.catalogue"),
    "service.encoding": (*LEAVES, *TASKS),
    "service.outcomes": (*LEAVES, *TASKS, "service.search"),
    "service.tasks": (*LEAVES, "service.search", "service.budget", "service.explain"),
    "service.searcher": (*LEAVES, "service.search", "service.budget", *DEVICE),
    "service.served": (*LEAVES, *TOOLS, "service.searcher"),
    "service.bundles": (*LEAVES, *TOOLS, "service.served", "service.engine.revision", "service.memory"),
    "service.warmup": (*LEAVES, *TOOLS, *DEVICE, "service.served"),
    "service.recommender": (*LEAVES, *TOOLS, *STORES, *USE_CASE),
    "service.api": (*LEAVES, *TOOLS, *STORES, *USE_CASE, "service.api"),
    "service.stores": (*STORES, "service.settings"),
    "service.loading": (*LEAVES, *TOOLS, *USE_CASE, "service.settings", "service.engine", "models.manifest"),
    "service.runtime": (*LEAVES, *TOOLS, *STORES, *USE_CASE, *OPEN, "service.engine"),
    "service.app": (*LEAVES, "service.api", "service.runtime"),
    "service.greeting": ("service.settings",),
    "service.server": (
        *LEAVES,
        *OPEN,
        "service.memory",
        "service.api",
        "service.app",
        "service.greeting",
        "service.runtime",
    ),
    "service.ray_serve": (
        *LEAVES,
        *OPEN,
        "service.api",
        "service.app",
        "service.greeting",
        "service.runtime",
        "service.server",
    ),
    **dict.fromkeys(("service.__main__", "service.cli"), ("service",)),
    "service.commands": ("service", "models", "loadtest.bench"),
    "models": ("models",),
    "models.manifest": ("models.contract",),
    "models.evaluation": ("models", "service.search", "service.engine", "service.budget", "service.errors"),
    "loadtest": ("loadtest",),
    "loadtest.bench": ("loadtest", "service", "models"),
}
COMMAND_LINE = ("service.cli", "service.commands")  # the second composition root
SERVING = ("service", "models.contract", "models.manifest")
WITH_RAY = "service.ray_serve"  # the one module of the service that needs an extra
ONLY_IN = {  # packages that one room wraps for everyone else
    "onnxruntime": ("service.engine", "models", "loadtest.bench"),
    "ray": ("service.ray_serve", "loadtest.bench"),
    "redis": ("service.cache",),
    "prometheus_client": ("service.observability", "service.runtime"),
    "pydantic_settings": ("service.settings",),
}
