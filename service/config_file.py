"""Files that people write for a running service: read whole or refused, strict YAML that holds plain data only."""

import errno
import os
import stat
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from service.errors import StartError

MAX_BYTES = 1 << 20  # a file this long is none of these
# What PyYAML lets out where dates and numbers are out of range, and where nesting is endless.
STUMBLES = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class _Loader(yaml.SafeLoader):
    """No alias (a few lines of them can stand for gigabytes), no key twice in one mapping."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]  # the stubs leave it out
            raise _at(mark, "aliases are not allowed")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        mapping = super().construct_mapping(node, deep)
        if len(mapping) < len(node.value):
            raise _at(node.start_mark, "a key stands twice in this mapping")
        return mapping


def read(path: Path) -> bytes:
    """The file's bytes, at most one more than it may have; links are followed, since mounts change by them.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    with open(path, "rb", opener=_opener) as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        return stream.read(MAX_BYTES + 1)


def parse(content: bytes, wrong: type[StartError]) -> Any:
    """The plain data of a YAML text; JSON is YAML too.

    Raises:
        StartError: as `wrong`; too long, not UTF-8, not YAML, an alias or a repeated key.
    """
    if len(content) > MAX_BYTES:
        raise wrong(f"The file is longer than {MAX_BYTES} bytes.")
    try:
        return _loaded(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise wrong("The file is not UTF-8 text.") from None
    except yaml.MarkedYAMLError as error:
        line = f"Line {error.problem_mark.line + 1}" if error.problem_mark else "The file"
        raise wrong(f"{line} is not YAML: {error.problem}.") from None
    except (yaml.YAMLError, *STUMBLES) as error:
        raise wrong(f"The file is not YAML ({type(error).__name__}).") from None


def _loaded(text: str) -> Any:
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a pipe would never open


def _at(mark: Any, problem: str) -> yaml.MarkedYAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, mark)
