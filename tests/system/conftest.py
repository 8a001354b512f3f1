import sys
from pathlib import Path

for folder in ("desk", "notify", "system"):  # paper as a scanner sees it, a mail server, the premises
    sys.path.insert(0, str(Path(__file__).parents[1] / folder))
