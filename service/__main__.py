"""`python -m service`. What a person can mend is one sentence on standard error and exit code 2; Ctrl-C is 130."""

import sys

from service.commands.mistakes import INTERRUPTED, sentence


def main() -> int:
    """Serve until a signal; the exit code."""
    try:
        from service.server import run  # here, so that a package that is missing is told as a sentence too

        run()
    except KeyboardInterrupt:  # before the server listened for it
        sys.stderr.write("Interrupted.\n")
        return INTERRUPTED
    except Exception as error:
        told = sentence(error)
        if told is None:
            raise
        sys.stderr.write(f"{told}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
