"""Labelled points and polygons of the user's own (`labels` of a config) -> labels of pixels.

reading.py    a file -> features with class, date, weight, group; what cannot be used is counted
tables.py     CSV tables of points
entries.py    cells of columns -> classes, seasons, weights, groups
claims.py     the pixels that features ask for
points.py, polygons.py   what each kind asks for
placing.py    claims -> labels of one tile, each pixel with one feature
account.py    what became of each feature, as a table and in words
grouping.py   features that no split may part
foresight.py  what a survey says against a config before the first job
"""
