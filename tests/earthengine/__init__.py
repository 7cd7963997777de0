"""A local Earth Engine: the REST protocol on loopback over simulated scenes, for the real client.

landscape.py        what is on the ground: parcels, crops, reflectance and clouds by date
catalogue.py        the assets: Sentinel-2 granules, Cloud Score+, WorldCover, CDL
images.py           grids, pixel types, masks, nearest-neighbour sampling
graph.py            the expression graph: value nodes, functions, arguments
values.py           what it is about besides images, and the table of algorithms
functions.py        algorithms on collections, lists, dates, filters; any other one fails
image_functions.py  algorithms on images
server.py           the methods: value:compute, image:computePixels, image:export, ...
handler.py          HTTP around them
faults.py           errors on demand
reference.py        cubes computed from the scenes without any of the above but landscape.py
"""
