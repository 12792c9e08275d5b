"""The trie of valid prefixes: its arrays, how it is built and changed, and what of it one request may not use."""

from service.search.building import build
from service.search.csr import Trie
from service.search.legality import Banned, banned
from service.search.merging import revised

__all__ = ["Banned", "Trie", "banned", "build", "revised"]
