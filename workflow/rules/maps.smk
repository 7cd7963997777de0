# A fine-tuned model -> wall-to-wall crop maps.
MAP_LEARNER = PATHS.map_learner().name


rule crop_model:
    input:
        samples=fewshot_samples,
        init=model_of(MAP_LEARNER),
    output:
        directory(f"{RESULTS}/models/crop"),
    log:
        f"{RESULTS}/logs/crop_model.log",
    benchmark:
        f"{RESULTS}/benchmarks/crop_model.tsv"
    conda:
        "../envs/train.yaml"
    threads: 1
    resources:
        **HANDED,
        mem_mb=growing(6000),
        runtime=growing(240),
    params:
        version=stage("fewshot"),
        settings=decisive.leaves(decisive.finetune(CONFIG, PATHS.map_learner())),
        init=options_of(MAP_LEARNER),
        shots=CONFIG.maps.shots,
    message:
        "Fine-tuning the model of the maps (log: {log})"
    shell:
        "{resources.job} {resources.attempt} {log:q} fewshot --config {resources.config:q}"
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
        "../envs/train.yaml"
    threads: 1
    resources:
        **HANDED,
        mem_mb=growing(6000),
        runtime=growing(240),
    params:
        version=stage("map"),
        settings=decisive.leaves(decisive.mapping(CONFIG)),
    message:
        "Crop map of {wildcards.area}, tile {wildcards.tile} (log: {log})"
    shell:
        "{resources.job} {resources.attempt} {log:q} map --config {resources.config:q} --model {input.model:q}"
        " --cube {input.cube:q} --samples {input.samples:q} --out {output.classes:q}"
