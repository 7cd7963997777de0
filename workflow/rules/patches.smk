# Cubes -> samples: a store a tile, then one store a set.


rule patches:
    input:
        cube=f"{RESULTS}/cubes/{{area}}/{{tile}}.zarr",
        files=set_files,
    output:
        directory(f"{RESULTS}/patches/{{set}}/{{area}}/{{tile}}.zarr"),
    log:
        f"{RESULTS}/logs/patches/{{set}}/{{area}}/{{tile}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/patches/{{set}}/{{area}}/{{tile}}.tsv"
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=int(1000 * CONFIG.patches.memory_gb) + 1500,
        runtime=60,
        attempt=attempt_number,
    params:
        version=STAGES["patches"],
        patches=section("patches", "memory_gb", "scheduler"),
        sampling=lambda wildcards: section(f"sets.{wildcards.set}", "areas", "split"),
        # Of the split only what the cutting looks at; the merge gives samples to splits.
        split=lambda wildcards: [
            f"{key}={getattr(CONFIG.sets[wildcards.set].split, key)}"
            for key in ("by", "block")
        ]
        + survey_params(wildcards.set),
    message:
        "Samples of {wildcards.set} from {wildcards.area}, tile {wildcards.tile} (log: {log})"
    shell:
        "job {resources.attempt} {log:q} patches --config $SITSFORMER_CONFIG"
        " -- {wildcards.set} {wildcards.area} {wildcards.tile} {input.cube:q} {output:q}"


rule merge:
    input:
        stores=lambda wildcards: PATHS.tile_stores(wildcards.set),
        files=survey_files,
    output:
        directory(f"{RESULTS}/patches/{{set}}.zarr"),
    log:
        f"{RESULTS}/logs/merge/{{set}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/merge/{{set}}.tsv"
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
        attempt=attempt_number,
    params:
        version=STAGES["merge"],
        split=lambda wildcards: section(f"sets.{wildcards.set}.split")
        + survey_params(wildcards.set),
    message:
        "Sample store {wildcards.set} (log: {log})"
    shell:
        "job {resources.attempt} {log:q} merge --config $SITSFORMER_CONFIG"
        " -- {wildcards.set} {output:q} {input.stores:q}"
