"""``python -m streams`` and the ``trucewatch`` command."""

import logging
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Load the command line and run it; Ctrl-C while it loads, which takes about a second, shows no traceback."""
    try:
        from streams.cli.app import main as run
    except KeyboardInterrupt:
        as_json = '{"error":{"code":"interrupted","message":"stopped"}}' if "--json" in sys.argv else None
        sys.stderr.write(f"{as_json or 'trucewatch: stopped'}\n")
        sys.exit(130)
    try:
        run()
    finally:
        # The last line is the command's: what a client logs as the interpreter takes it apart would stand in its place.
        logging.disable()


if __name__ == "__main__":
    main()
