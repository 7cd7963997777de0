"""Where pixels come from: a package a source, with its record (`sitsformer.sources`) in front."""
