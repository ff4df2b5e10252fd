"""`python -m toolkit COMMAND`."""

import sys

from toolkit.cli import main

sys.exit(main())
