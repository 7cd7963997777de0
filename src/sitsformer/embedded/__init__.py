"""Yearly embeddings of others, taken over tiles and at samples.

store.py   how they lie on disk
tiles.py   a stage: a layer over a tile of an area
rows.py    a stage: a layer at the samples of a set
"""
