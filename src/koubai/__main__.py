"""``python -m koubai``: the command line."""

import sys

from koubai.cli import main

if __name__ == "__main__":
    sys.exit(main())
