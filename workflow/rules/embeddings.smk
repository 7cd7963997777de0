# Yearly embeddings of others: over tiles, at the samples of the sweep, and who learns from them.
if CONFIG.embeddings:

    rule embedded_tile:
        input:
            embedding_files,
        output:
            directory(f"{RESULTS}/embeddings/{{layer}}/{{area}}/{{tile}}.zarr"),
        log:
            f"{RESULTS}/logs/embeddings/{{layer}}/{{area}}/{{tile}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/embeddings/{{layer}}/{{area}}/{{tile}}.tsv"
        wildcard_constraints:
            layer="|".join(CONFIG.embeddings),
        conda:
            "../envs/data.yaml"
        threads: 1
        resources:
            **HANDED,
            **asked("embeddings"),
            earthengine_requests=requests_of_layer,
        params:
            version=stage("embeddings"),
            settings=embedding_settings,
        message:
            "Embeddings {wildcards.layer} of {wildcards.area}, tile {wildcards.tile} (log: {log})"
        shell:
            "SITSFORMER_THREADS={threads} {resources.job} {resources.attempt} {log:q} embeddings tile"
            " --config {resources.config:q} --requests {resources.earthengine_requests}"
            " -- {wildcards.layer} {wildcards.area} {wildcards.tile} {output:q}"


if CONFIG.embeddings and CONFIG.learns:

    rule embedded_samples:
        input:
            samples=PATHS.samples(CONFIG.fewshot.set),
            given=given_store(CONFIG.fewshot.set),
            tiles=embedded_tiles,
        output:
            directory(f"{RESULTS}/embeddings/{{layer}}/{CONFIG.fewshot.set}.zarr"),
        log:
            f"{RESULTS}/logs/embeddings/{{layer}}/{CONFIG.fewshot.set}.log",
        benchmark:
            f"{RESULTS}/benchmarks/embeddings/{{layer}}/{CONFIG.fewshot.set}.tsv"
        wildcard_constraints:
            layer="|".join(CONFIG.embeddings),
        conda:
            "../envs/data.yaml"
        threads: 1
        resources:
            **HANDED,
            **asked("embedded_samples"),
        params:
            version=stage("embeddings"),
        message:
            "Embeddings {wildcards.layer} of the samples (log: {log})"
        shell:
            "SITSFORMER_THREADS={threads} {resources.job} {resources.attempt} {log:q} embeddings samples"
            " --samples {input.samples:q} -- {wildcards.layer} {output:q} {input.tiles:q}"

    rule embedded_baseline:
        input:
            samples=fewshot_samples,
            embeddings=embedded_of_learner,
            land_cover=init_model,
            given=given_to,
        output:
            f"{RESULTS}/fewshot/{{learner}}/{{shots}}/{{seeds}}.parquet",
        log:
            f"{RESULTS}/logs/fewshot/{{learner}}/{{shots}}/{{seeds}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/embedded_baseline/{{learner}}/{{shots}}/{{seeds}}.tsv"
        wildcard_constraints:
            learner=f"({'|'.join(ALONE)})(-({'|'.join(objectives())})-p[0-9]+)?"
            f"|({'|'.join(objectives())})-p[0-9]+[+]({'|'.join(CONFIG.embeddings)})",
        conda:
            "../envs/train.yaml"
        threads: 1
        resources:
            **HANDED,
            **asked_of_network("baseline"),
        params:
            version=stage("baseline"),
            settings=baseline_settings,
            land_cover=land_cover_options,
            checkpoint=f"{RESULTS}/checkpoints/fewshot/{{learner}}-{{shots}}-{{seeds}}",
        message:
            "Learner {wildcards.learner}, {wildcards.shots} shots, seeds {wildcards.seeds} (log: {log})"
        shell:
            "SITSFORMER_THREADS={threads} {resources.job} {resources.attempt} {log:q} baseline --config {resources.config:q}"
            " --samples {input.samples:q} --method {wildcards.learner} {params.land_cover:q}"
            " --device {resources.device} --checkpoint {params.checkpoint:q}"
            " --embeddings {input.embeddings:q}"
            " --shots {wildcards.shots} --seeds {wildcards.seeds} --out {output:q}"

    # Its learners have names as baselines have.
    ruleorder: embedded_baseline > baseline
