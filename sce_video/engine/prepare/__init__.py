"""Preparation of videos before training: verify every frame, re-encode or extract frames, write a manifest.

`listing` finds the sources, `naming` names the outputs, `one_video` prepares one in a worker process
(`engine/pool/isolated`), `journal` records what is done, `summary` makes the reports; `all_videos` runs the whole.
"""
