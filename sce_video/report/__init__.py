"""Reports of runs: terminal tables, charts and one self-contained HTML page."""
