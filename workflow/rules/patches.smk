# Cubes -> samples: a store a tile, then one store a set.


rule patches:
    input:
        f"{RESULTS}/cubes/{{area}}/{{tile}}.zarr",
    output:
        directory(f"{RESULTS}/patches/{{set}}/{{area}}/{{tile}}.zarr"),
    log:
        f"{RESULTS}/logs/patches/{{set}}/{{area}}/{{tile}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/patches/{{set}}/{{area}}/{{tile}}.tsv"
    retries: 0
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=int(1000 * CONFIG.patches.memory_gb) + 1500,
        runtime=60,
    params:
        patches=section("patches", "memory_gb", "scheduler"),
        sampling=lambda wildcards: section(f"sets.{wildcards.set}", "areas", "split"),
        block=lambda wildcards: CONFIG.sets[wildcards.set].split.block,
    message:
        "Samples of {wildcards.set} from {wildcards.area}, tile {wildcards.tile} (log: {log})"
    shell:
        "sitsformer patches --config $SITSFORMER_CONFIG {wildcards.set} {wildcards.area} {wildcards.tile}"
        " {input} {output} 2>&1 | tee {log}"


rule merge:
    input:
        lambda wildcards: LAYOUT.tile_stores(wildcards.set),
    output:
        directory(f"{RESULTS}/patches/{{set}}.zarr"),
    log:
        f"{RESULTS}/logs/merge/{{set}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/merge/{{set}}.tsv"
    retries: 0
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        split=lambda wildcards: section(f"sets.{wildcards.set}.split"),
    message:
        "Sample store {wildcards.set} (log: {log})"
    shell:
        "sitsformer merge --config $SITSFORMER_CONFIG {wildcards.set} {output} {input} 2>&1 | tee {log}"
