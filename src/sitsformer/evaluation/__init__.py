"""Predictions -> tables with intervals, and crop areas."""
