# Areas -> cubes: one Zarr store a tile.


def area_files(wildcards):
    """Files of the user that a cube is made from."""
    area = CONFIG.areas[wildcards.area]
    files = [geometry_file(area)]
    if area.rasters is not None:
        files.append(expand(area.rasters.path))
        for label in area.rasters.labels.values():
            files += [expand(label.path), legend_path(label.legend)]
    return [str(path) for path in files if path is not None]


rule cube:
    input:
        area_files,
    output:
        directory(f"{RESULTS}/cubes/{{area}}/{{tile}}.zarr"),
    log:
        f"{RESULTS}/logs/cube/{{area}}/{{tile}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/cube/{{area}}/{{tile}}.tsv"
    retries: 1
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=240,
    params:
        settings=lambda wildcards: leaves(export.settings(CONFIG, wildcards.area)),
    message:
        "Cube of {wildcards.area}, tile {wildcards.tile} (log: {log})"
    shell:
        "{RUN} cube --config {CONFIG_FILE} {wildcards.area} {wildcards.tile} {output}"
        " 2>&1 | tee {log}"
