"""Preparation of videos before training: verify every frame, re-encode or extract frames, write a manifest.

`listing` finds the sources, `naming` names the outputs, `one_video` processes one in a process of its own
(`engine/pool/isolated`), `journal` records what is done, `summary` makes the reports; `run` ties these together.
"""
