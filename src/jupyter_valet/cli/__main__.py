"""`python -m jupyter_valet.cli`, for environments whose scripts are not on the path."""

import sys

from . import main

sys.exit(main())
