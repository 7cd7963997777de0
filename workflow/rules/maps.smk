# A fine-tuned model -> wall-to-wall crop maps.


if CONFIG.maps.model is None:

    rule crop_model:
        input:
            samples=fewshot_samples,
            init=map_starts(),
            embeddings=PATHS.map_embedded(),
            cells=PATHS.map_cells(),
            given=given_to_maps(),
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
            **asked_of_network("crop_model"),
        params:
            version=stage("crop_model"),
            settings=decisive.leaves(decisive.crop_model(CONFIG)),
            init=map_start_options(),
            # Outside the output, which is wiped before a retry: the job goes on from here.
            checkpoint=f"{RESULTS}/checkpoints/crop_model",
        message:
            "The model of the maps (log: {log})"
        shell:
            "SITSFORMER_THREADS={threads} {resources.job} {resources.attempt} {log:q} crop-model --config {resources.config:q}"
            " --device {resources.device}"
            " --samples {input.samples:q} {params.init:q} --checkpoint {params.checkpoint:q}"
            " --out {output:q} -- {input.cells:q}"


rule map:
    input:
        model=PATHS.map_model(),
        cube=f"{RESULTS}/cubes/{{area}}/{{tile}}.zarr",
        neighbours=neighbours,
        embeddings=map_embeddings,
        mask=mask_files,
        given=given_map_model(),
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
        **asked_of_network("map"),
    params:
        version=stage("map"),
        settings=decisive.leaves(decisive.mapping(CONFIG)),
        neighbours=neighbour_options,
    message:
        "Crop map of {wildcards.area}, tile {wildcards.tile} (log: {log})"
    shell:
        "SITSFORMER_THREADS={threads} {resources.job} {resources.attempt} {log:q} map --config {resources.config:q}"
        " --device {resources.device}"
        " --model {input.model:q} --cube {input.cube:q} {params.neighbours:q}"
        " --out {output.classes:q}"


rule mosaic:
    input:
        model=PATHS.map_model(),
        tiles=mapped_tiles,
        layers=mapped_layers,
        cubes=mapped_cubes,
        samples=PATHS.samples(CONFIG.fewshot.set) if CONFIG.learns else [],
        embeddings=PATHS.map_embedded() if CONFIG.learns else [],
        parcels=parcel_files(),
        given=given_to_mosaic(),
    output:
        **area_products(),
    log:
        f"{RESULTS}/logs/mosaic/{{area}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/mosaic/{{area}}.tsv"
    conda:
        "../envs/train.yaml"
    threads: 1
    resources:
        **HANDED,
        **asked("mosaic"),
    params:
        version=stage("mosaic"),
        settings=decisive.leaves(decisive.mosaic(CONFIG)),
        cubes=cube_options,
        samples=samples_options,
    message:
        "Map of the area {wildcards.area} (log: {log})"
    shell:
        # By standard input: as words of a command a large area's files are more than Linux takes.
        "SITSFORMER_THREADS={threads} {resources.job} {resources.attempt} {log:q} mosaic --config {resources.config:q}"
        " --model {input.model:q} --out {output.classes:q} @-"
        " < <(printf '%s\\0' {params.samples:q} {params.cubes:q} -- {input.tiles:q})"
