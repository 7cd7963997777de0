# Cubes -> samples: a store a tile, then one store a set.


rule patches:
    input:
        cube=cubes_of_samples,
        files=set_files,
    output:
        directory(f"{RESULTS}/patches/{{set}}/{{area}}/{{tile}}.zarr"),
    log:
        f"{RESULTS}/logs/patches/{{set}}/{{area}}/{{tile}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/patches/{{set}}/{{area}}/{{tile}}.tsv"
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        **HANDED,
        **asked("patches"),
    params:
        version=stage("patches"),
        settings=patches_settings,
    message:
        "Samples of {wildcards.set} from {wildcards.area}, tile {wildcards.tile} (log: {log})"
    shell:
        "SITSFORMER_THREADS={threads} {resources.job} {resources.attempt} {log:q} patches --config {resources.config:q}"
        " -- {wildcards.set} {wildcards.area} {wildcards.tile} {input.cube:q} {output:q}"


rule merge:
    input:
        stores=tile_stores,
        files=survey_files,
    output:
        directory(f"{RESULTS}/patches/{{set}}.zarr"),
    log:
        f"{RESULTS}/logs/merge/{{set}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/merge/{{set}}.tsv"
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        **HANDED,
        **asked("merge"),
    params:
        version=stage("merge"),
        settings=merge_settings,
    message:
        "Sample store {wildcards.set} (log: {log})"
    shell:
        "SITSFORMER_THREADS={threads} {resources.job} {resources.attempt} {log:q} merge --config {resources.config:q}"
        " -- {wildcards.set} {output:q} {input.stores:q}"
