# A fine-tuned model -> wall-to-wall crop maps.
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
        version=STAGES["fewshot"],
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
        model=f"{RESULTS}/models/crop",
        cube=f"{RESULTS}/cubes/{{area}}/{{tile}}.zarr",
        samples=PATHS.samples(CONFIG.fewshot.set),
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
        maps=section("maps", "tiles", "init", "adaptation", "shots"),
        patches=section("patches", "memory_gb", "scheduler"),
    message:
        "Crop map of {wildcards.area}, tile {wildcards.tile} (log: {log})"
    shell:
        "job {resources.attempt} {log:q} map --config $SITSFORMER_CONFIG --model {input.model:q}"
        " --cube {input.cube:q} --samples {input.samples:q} --out {output.classes:q}"
