"""The report of a run: figures as files, and one self-contained page.

sitsformer report --config C --tables T --figures F --out report.html ARTEFACTS...
"""
