# Areas -> cubes: one Zarr store a tile.


rule cube:
    input:
        area_files,
    output:
        directory(f"{RESULTS}/cubes/{{area}}/{{tile}}.zarr"),
    log:
        f"{RESULTS}/logs/cube/{{area}}/{{tile}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/cube/{{area}}/{{tile}}.tsv"
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        **HANDED,
        **asked("cube"),
        earthengine_requests=earthengine_requests(),
    params:
        version=stage("cube"),
        settings=cube_settings,
    message:
        "Cube of {wildcards.area}, tile {wildcards.tile} (log: {log})"
    shell:
        "SITSFORMER_THREADS={threads} {resources.job} {resources.attempt} {log:q} cube --config {resources.config:q}"
        " --requests {resources.earthengine_requests}"
        " -- {wildcards.area} {wildcards.tile} {output:q}"
