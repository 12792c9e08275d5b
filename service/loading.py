"""From a bundle folder to what serves: graphs on the device, the ladder, the budget over it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from models.manifest import Walk
from service.budget.controller import Controller
from service.budget.cost import Costs
from service.budget.difficulty import Gauge
from service.budget.ladder import AUTO, WALK, Ladder
from service.engine.bundle import Bundle, BundleError, load
from service.engine.catalogue import Catalogue
from service.engine.protocol import Engine, Extension
from service.engine.revision import Change, revise
from service.errors import StartError
from service.search.plan import Rule
from service.search.strategies.routed import Router
from service.search.trie import Trie
from service.searcher import Searcher
from service.served import Served
from service.settings import Settings
from service.tasks import Encodings

if TYPE_CHECKING:
    from service.engine.graphs import OnnxEngine

EVERY = Walk(tiers=WALK)  # for bundles that validated no walk of their own


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
    encoder: str = ""
    auto: Walk = EVERY
    bundle: Bundle | None = None
    extension: Extension | None = None


@dataclass(frozen=True)
class Loader:
    """Opens bundles for one deployment; their budgets follow its settings."""

    settings: Settings
    encodings: Encodings

    def open_all(self, folders: Sequence[Path]) -> dict[str, Served]:
        """What serves these bundles, by slot; to be called once, before any other.

        Raises:
            StartError: two folders of one name, or any reason of `open`.
        """
        from service.engine.sessions import share_arena

        share_arena()
        slots: dict[str, Served] = {}
        for folder in folders:
            served = self.open(folder)
            if served.slot in slots:
                raise StartError(f"PROMISE_BUNDLE names two folders called {served.slot!r}; the name tells them apart.")
            slots[served.slot] = served
        return slots

    def open(self, folder: Path) -> Served:
        """What serves the bundle in this folder.

        Raises:
            BundleError: a missing, damaged or foreign bundle, or one that does not answer as it must.
            DeviceError: CUDA was asked for and is absent.
            StartError: the deployment's tiers do not fit the bundle, or it does not fit into the memory.
        """
        try:
            return self.serve(folder.resolve().name, load_model(folder, self.settings))
        except MemoryError as error:
            raise StartError(f"{folder}: there is too little memory to open this bundle.") from error

    def serve(self, slot: str, model: Model) -> Served:
        """The model in its slot, with a budget of its own."""
        walk, thresholds = self._walk(model)
        tuned, pool = model.auto.widths, model.engine.pool
        ladder = Ladder(
            depth=model.trie.depth,
            rule=model.rule,
            exact=model.has_scan,
            walk=walk,
            widths=tuned,
            pool=pool,
            votes=model.engine.voters > 0,
            router=Router(_gauge(model.auto)),
            strategy=self.settings.default_strategy,
        )
        if self.settings.default_tier not in (AUTO, *ladder.names):
            offered = ", ".join((AUTO, *ladder.names))
            raise StartError(f"PROMISE_DEFAULT_TIER is {self.settings.default_tier!r}; {slot} offers {offered}.")
        if ladder.strategy not in ladder.strategies:
            offered = ", ".join(ladder.strategies)
            raise StartError(f"PROMISE_DEFAULT_STRATEGY is {ladder.strategy!r}; {slot} offers {offered}.")
        controller = Controller(ladder, Costs(), thresholds, self.settings.target_ms / 1000)
        return self._served(slot, model, ladder, controller)

    def revise(self, served: Served, change: Change) -> Served:
        """The same slot with its catalogue changed; the graphs are shared, and so is what was learned about costs.

        Raises:
            ConflictError, InvalidRequestError: the change does not fit the catalogue.
        """
        from service.engine.graphs import OnnxEngine

        engine = served.searcher.engine
        if served.bundle is None or not isinstance(engine, OnnxEngine):
            raise BundleError("What this slot serves did not come from a bundle, so its catalogue cannot change.")
        bundle = revise(served.bundle, change)
        model = _model(bundle, engine.over(bundle))
        return self._served(served.slot, model, served.ladder, served.controller)

    def _walk(self, model: Model) -> tuple[tuple[str, ...], tuple[float, ...]]:
        """The tiers of `auto` and their thresholds; an operator's choice keeps the thresholds of the tiers it keeps."""
        own = model.auto
        if not self.settings.auto_tiers:
            return own.tiers, own.thresholds
        known = dict(zip(own.tiers, own.thresholds, strict=False))
        chosen = self.settings.auto_tiers
        kept = tuple(known[tier] for tier in chosen[:-1] if tier in known)
        return chosen, kept if len(kept) == len(chosen) - 1 else ()

    def _served(self, slot: str, model: Model, ladder: Ladder, controller: Controller) -> Served:
        return Served(
            slot=slot,
            name=model.name,
            version=model.version,
            catalogue=model.catalogue,
            trie=model.trie,
            ladder=ladder,
            controller=controller,
            searcher=Searcher(
                engine=model.engine,
                trie=model.trie,
                catalogue=model.catalogue,
                ladder=ladder,
                controller=controller,
                encodings=self.encodings,
                encoder=model.encoder,
                gauge=_gauge(model.auto) if controller.has_thresholds else None,
                extension=model.extension,
            ),
            history_limit=model.history_limit,
            encoder=model.encoder,
            path=model.bundle.path if model.bundle else None,
            bundle=model.bundle,
        )


def _gauge(walk: Walk) -> Gauge:
    if walk.learned is None:
        return Gauge(walk.signal)
    return Gauge(walk.signal, walk.learned.bias, walk.learned.weights, walk.learned.codes)


def load_model(folder: Path, settings: Settings) -> Model:
    """The bundle and its graphs, tried out; see Loader.open for what it raises."""
    from service.engine.graphs import OnnxEngine  # costs 0.2 s that a fake engine need not pay
    from service.engine.trial import try_out

    bundle = load(folder)
    engine = OnnxEngine(bundle, settings.device, settings.threads)
    try_out(engine, bundle, settings.request_timeout_ms / 1000)
    return _model(bundle, engine)


def _model(bundle: Bundle, engine: "OnnxEngine") -> Model:
    manifest = bundle.manifest
    return Model(
        name=manifest.name,
        version=manifest.version,
        rule=Rule(**manifest.scoring.model_dump()),
        catalogue=bundle.catalogue,
        trie=bundle.trie,
        engine=engine,
        history_limit=manifest.dims.history,
        has_scan=manifest.exact,
        encoder=bundle.encoder_digest,
        auto=manifest.auto or EVERY,
        bundle=bundle,
        extension=engine.extension,
    )
