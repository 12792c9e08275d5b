"""From an exception to the sentence that says what a person can do about it."""

import errno
from importlib.util import find_spec

from service.commands.extras import extra_of, installing
from service.errors import PromiseError

INTERRUPTED = 130  # exit code after Ctrl-C, as shells have it
OURS = ("service", "models", "loadtest")
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)
NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG)
MENDABLE = frozenset((*NO_ROOM, *NOT_ALLOWED, *NOT_THERE, errno.EMFILE))


def sentence(error: BaseException, command: str = "") -> str | None:
    """What to tell a person who ran `promise COMMAND …`; None for a bug, which keeps its stack trace."""
    if isinstance(error, PromiseError):
        return error.detail
    if isinstance(error, ModuleNotFoundError):
        return _missing((error.name or "").partition(".")[0], command)
    # The offline rooms raise their own types for what a person can mend; anything else is a bug and says so.
    if type(error).__module__.partition(".")[0] in ("models", "loadtest"):
        return str(error)
    if isinstance(error, OSError) and error.errno in MENDABLE:
        what = error.strerror or str(error)
        return f"{error.filename}: {what}." if error.filename else f"{what}."
    return None


def _missing(package: str, command: str) -> str | None:
    """How to get what an import did not find: the extra of this command, or the base installation."""
    who = f"promise {command}" if command else "This command"
    if package in OURS:
        # An image of the service holds no load tests; a module missing inside a package that is there is a bug.
        return f"{who} needs the whole repository, and {package}/ is not there." if not find_spec(package) else None
    if not package:
        return None
    extra = extra_of(package, command)
    if extra is None:
        return f"{who} needs the package {package}, which is not installed: {installing('')}."
    return f"{who} needs the package {package}, which the extra '{extra}' installs: {installing(extra)}."
