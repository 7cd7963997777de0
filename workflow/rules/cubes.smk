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
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=240,
        attempt=attempt_number,
    params:
        version=STAGES["cube"],
        settings=lambda wildcards: leaves(export.settings(CONFIG, wildcards.area)),
    message:
        "Cube of {wildcards.area}, tile {wildcards.tile} (log: {log})"
    shell:
        "job {resources.attempt} {log:q} cube --config $SITSFORMER_CONFIG"
        " -- {wildcards.area} {wildcards.tile} {output:q}"
