"""The composition root: opens everything in order, closes it in reverse."""

import sys
from contextlib import ExitStack
from dataclasses import dataclass, field

from service.budget.ladder import Ladder
from service.cache.encodings import EncodingCache
from service.cache.memory import MemoryCache
from service.engine.bundle import Catalogue, load
from service.engine.device import Device
from service.engine.protocol import Engine
from service.observability.logging import Logger, open_logger
from service.observability.metrics import Metrics
from service.recommender import Recommender
from service.search.plan import Rule
from service.search.trie import Trie
from service.searcher import Searcher
from service.settings import Settings


@dataclass(frozen=True)
class Model:
    """A model ready to serve: its engine over its trie and catalogue, and what the engine can do."""

    name: str
    version: str
    rule: Rule
    catalogue: Catalogue
    trie: Trie
    engine: Engine
    history_limit: int
    has_scan: bool

    @property
    def tag(self) -> str:
        return f"{self.name}@{self.version}"


@dataclass
class Lifecycle:
    """Draining: still serving, but no longer ready for new traffic."""

    draining: bool = False


@dataclass(frozen=True)
class Runtime:
    """Everything the application needs, open."""

    settings: Settings
    model: Model
    recommender: Recommender
    device: Device
    metrics: Metrics
    logger: Logger
    lifecycle: Lifecycle = field(default_factory=Lifecycle)
    _opened: ExitStack = field(default_factory=ExitStack)

    def close(self) -> None:
        """Close what was opened, last first."""
        self._opened.close()


def load_model(settings: Settings) -> Model:
    """The bundle and its graphs.

    Raises:
        BundleError: a missing, damaged or foreign bundle.
        DeviceError: CUDA was asked for and is absent.
    """
    from service.engine.graphs import OnnxEngine  # costs 0.2 s that a fake engine need not pay

    loaded = load(settings.bundle)
    engine = OnnxEngine(loaded, settings.device, settings.threads)
    return Model(
        name=loaded.manifest.name,
        version=loaded.manifest.version,
        rule=Rule(**loaded.manifest.scoring.model_dump()),
        catalogue=loaded.catalogue,
        trie=loaded.trie,
        engine=engine,
        history_limit=engine.history_limit,
        has_scan=engine.has_scan,
    )


def open_runtime(settings: Settings, model: Model, logger: Logger | None = None) -> Runtime:
    """Open what serving `model` takes and warm it up; without a `logger`, lines go to standard output.

    Raises:
        StartError: the settings and the model do not fit together.
    """
    ladder = Ladder(model.trie.depth, model.rule, model.has_scan, settings.default_tier)
    with ExitStack() as opened:
        device = Device()
        opened.callback(device.close)
        recommender = Recommender(
            catalogue=model.catalogue,
            trie=model.trie,
            ladder=ladder,
            cache=_cache(settings, model),
            device=device,
            searcher=Searcher(model.engine, model.trie, model.catalogue),
            history_limit=model.history_limit,
        )
        recommender.warm_up()
        return Runtime(
            settings=settings,
            model=model,
            recommender=recommender,
            device=device,
            metrics=_metrics(model),
            logger=logger or open_logger(settings.log_format, sys.stdout),
            _opened=opened.pop_all(),
        )


def _cache(settings: Settings, model: Model) -> EncodingCache:
    return EncodingCache(model.tag, MemoryCache(settings.cache_mb << 20) if settings.cache_mb else None)


def _metrics(model: Model) -> Metrics:
    metrics = Metrics.open()
    metrics.model(model.name, model.version, len(model.catalogue.ids))
    return metrics
