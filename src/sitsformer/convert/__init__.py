"""Other people's files into this project's: tables, one-file-a-sample folders, checkpoints.

    table.py       one .npz of pixel series     -> a sample store
    samples.py     a folder of one .npz a sample -> a sample store
    checkpoint.py  a checkpoint of SITS-Former   -> a model

What they share: npz.py reads arrays, bands.py, days.py, units.py and labels.py bring one kind of
array each to the project's own form or refuse it, series.py puts the steps of a sample in order,
store.py writes. Nothing is unpickled but tensors, and whatever could be read in two ways is
refused with how to say which.
"""
