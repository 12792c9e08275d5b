"""Forgetting a user: the stored history, and what experiments know under the user's digest."""

from collections.abc import Collection

from service.api.reports import Reports
from service.experiments.erasure import Erasure
from service.experiments.events import EventLog
from service.experiments.exposures import Exposures
from service.experiments.tokens import Tokens
from service.histories.protocol import HistoryStore


class Forgetting:
    """What is shared is gone for all replicas; what other processes remember goes with them.

    Encodings stay: they are named by items alone, any user may have the same, and they expire. So do the marks that
    keep feedback from counting twice, which are named by a request.
    """

    def __init__(
        self, histories: HistoryStore, tokens: Tokens, log: EventLog, exposures: Exposures, reports: Reports
    ) -> None:
        self._histories, self._tokens = histories, tokens
        self._exposures, self._reports = exposures, reports
        self._erasure = Erasure(log, self._remembered)

    async def forget(self, user_id: str) -> None:
        """Twice is no error.

        Raises:
            StoreUnavailableError: something may be left; asking once more is safe.
        """
        await self._histories.forget(user_id)
        if (unit := self._tokens.unit(user_id)) is not None:
            await self._erasure.erase(unit)

    async def _remembered(self, units: Collection[str]) -> None:
        self._exposures.forget(units)
        await self._reports.forget(units)
