"""A local Earth Engine: the REST protocol on loopback over simulated scenes, for the real client.

landscape.py   what is on the ground: parcels, crops, their reflectance and clouds by date
catalogue.py   the assets: Sentinel-2 granules, Cloud Score+, WorldCover, CDL
images.py      grids, pixel types, masks, nearest-neighbour sampling
graph.py       the expression graph: value nodes, functions, arguments
functions.py   the algorithms that the graph may call; any other one fails
server.py      HTTP: discovery, value:compute, image:computePixels, image:export, ...
faults.py      errors on demand
reference.py   cubes computed from the scenes without any of the above but landscape.py
"""
