"""``python -m dvtool``"""

from __future__ import annotations

import sys

from dvtool.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
