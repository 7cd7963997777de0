"""Crop maps from Sentinel-2 time series with few labels: Dual SITS-Former."""
