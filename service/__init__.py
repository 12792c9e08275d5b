"""The online process; it never imports torch."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - a sentence instead of the stack trace that older ones would end in
    sys.stderr.write("Promise needs Python 3.11 or newer, and this is {}.{}.\n".format(*sys.version_info[:2]))
    sys.exit(2)
