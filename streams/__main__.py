"""``python -m streams`` and the ``trucewatch`` command."""

from streams.cli.app import main

if __name__ == "__main__":
    main()
