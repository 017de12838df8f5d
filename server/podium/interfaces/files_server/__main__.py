"""Serve a folder: `python -m podium.interfaces.files_server DIR`."""

import sys

from podium.interfaces.files_server import main

sys.exit(main())
