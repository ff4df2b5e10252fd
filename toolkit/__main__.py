"""`python -m toolkit COMMAND`."""

import sys

if not (3, 11) <= sys.version_info < (3, 14):  # said before any import that another version may lack
    sys.stderr.write(
        f"error: Python 3.11, 3.12 or 3.13 is needed, and {sys.executable} is {sys.version.split()[0]}.\n"
        "  -> Name another one, as in: make setup PYTHON=python3.12\n"
    )
    sys.exit(2)

from toolkit.cli import main

sys.exit(main())
