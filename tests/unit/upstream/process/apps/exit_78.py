"""Says that its configuration is wrong (EX_CONFIG)."""

import sys

sys.exit(78)
