"""Runs a plugin: `borg_run.py PATH`, or `borg_run.py --check NAME` with the source on standard input."""

import sys
from pathlib import Path

# An isolated Python (-I) looks for modules in the system's folders only.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from borg._main import main

if __name__ == "__main__":
    main()
