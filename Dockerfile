# The package, its workflow and everything that both need, pinned by constraints.txt.
#
#     docker build --tag sitsformer .
#     docker run --rm --user "$(id -u):$(id -g)" --volume "$PWD:/work" sitsformer \
#         sh -c "sitsformer init . && snakemake --cores 2"
#
# For jobs of a workflow in Apptainer, and what was tried of all this: docs/cluster.md. The same
# steps without Docker: apptainer.def (a test compares the two).
ARG BASE=docker.io/library/python:3.11-slim-bookworm
FROM ${BASE}

# GDAL in the wheel of rasterio wants it, and slim images have none.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libexpat1 \
    && rm -rf /var/lib/apt/lists/*

COPY . /opt/sitsformer
RUN python -m pip install --no-cache-dir --constraint /opt/sitsformer/constraints.txt \
    "/opt/sitsformer[cluster]"

# Whoever runs it may have no home here, and no name: matplotlib and others want to write somewhere,
# and Snakemake asks who runs it.
ENV HOME=/tmp USER=sitsformer
WORKDIR /work
CMD ["sitsformer", "--help"]
