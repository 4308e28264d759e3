"""Videos made ready once: every frame verified, then re-encoded or taken apart, listed in a manifest.

`listing` finds the sources and names the outputs, `one_video` does one of them in a process that may die
(`engine/pool/isolated`), `journal` remembers what is done, `report` writes it down; `run` is the order in which that
happens.
"""
