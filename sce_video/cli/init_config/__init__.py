"""`init_config.py`: look at a folder of videos or images and write a commented config for it.

`layout` finds the files, `look` decodes a sample, `facts` sums up what was seen, `settings` chooses (pure), `timing`
takes a few real steps, `document` writes the YAML.
"""
