# A fine-tuned model -> wall-to-wall crop maps.


if CONFIG.maps.model is None:
    MAP_LEARNER = PATHS.map_learner().name

    rule crop_model:
        input:
            samples=lambda wildcards: learnable(CONFIG.fewshot.set),
            init=init_model(MAP_LEARNER),
        output:
            directory(f"{RESULTS}/models/crop"),
        log:
            f"{RESULTS}/logs/crop_model.log",
        benchmark:
            f"{RESULTS}/benchmarks/crop_model.tsv"
        conda:
            "../../envs/train.yaml"
        threads: 1
        resources:
            mem_mb=6000,
            runtime=240,
            attempt=attempt_number,
        params:
            version=STAGES["crop_model"],
            model=section("model"),
            sweep=sweep_params(MAP_LEARNER),
            init=init_options(MAP_LEARNER),
            shots=CONFIG.maps.shots,
        message:
            "Fine-tuning the model of the maps (log: {log})"
        shell:
            "job {resources.attempt} {log:q} fewshot --config $SITSFORMER_CONFIG"
            " --samples {input.samples:q} {params.init:q}"
            " --shots {params.shots} --seeds 0-0 --save-model {output:q}"


rule map:
    input:
        model=PATHS.map_model(),
        cube=f"{RESULTS}/cubes/{{area}}/{{tile}}.zarr",
        neighbours=lambda wildcards: PATHS.neighbours(wildcards.area, wildcards.tile),
        mask=mask_files(),
    output:
        **map_products(),
    log:
        f"{RESULTS}/logs/map/{{area}}/{{tile}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/map/{{area}}/{{tile}}.tsv"
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=6000,
        runtime=240,
        attempt=attempt_number,
    params:
        version=STAGES["map"],
        maps=section("maps", "tiles", "model", "init", "adaptation", "shots"),
        patches=section("patches", "memory_gb", "scheduler"),
        neighbours=lambda wildcards, input: options("--neighbour", input.neighbours),
    message:
        "Crop map of {wildcards.area}, tile {wildcards.tile} (log: {log})"
    shell:
        "job {resources.attempt} {log:q} map --config $SITSFORMER_CONFIG --model {input.model:q}"
        " --cube {input.cube:q} {params.neighbours:q} --out {output.classes:q}"


rule mosaic:
    input:
        model=PATHS.map_model(),
        tiles=lambda wildcards: PATHS.tile_maps(wildcards.area, "classes"),
        layers=lambda wildcards: PATHS.tile_maps(wildcards.area),
        cubes=lambda wildcards: PATHS.mapped_cubes(wildcards.area),
        samples=PATHS.samples(CONFIG.fewshot.set) if CONFIG.learns else [],
    output:
        **area_products(),
    log:
        f"{RESULTS}/logs/mosaic/{{area}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/mosaic/{{area}}.tsv"
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=6000,
        runtime=60,
        attempt=attempt_number,
    params:
        version=STAGES["mosaic"],
        level=CONFIG.evaluation.level,
        cubes=lambda wildcards, input: options("--cube", input.cubes),
        samples=lambda wildcards, input: options("--samples", input.samples),
    message:
        "Map of the area {wildcards.area} (log: {log})"
    shell:
        "job {resources.attempt} {log:q} mosaic --config $SITSFORMER_CONFIG --model {input.model:q}"
        " {params.samples:q} {params.cubes:q} --out {output.classes:q} -- {input.tiles:q}"
