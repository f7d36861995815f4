"""Corpora in, datasets out: reading texts of any layout, staging them, and writing what a run leaves.

Nothing here knows models, tokens or scores. Import the modules by name (`elusive.data.corpus`); this one is
empty on purpose, so that importing the room costs nothing.
"""
