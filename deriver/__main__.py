"""``python -m deriver``: the command line."""

import sys

from deriver.cli import main

sys.exit(main())
