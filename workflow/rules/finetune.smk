# The few-shot sweep: each cell is a learner, a number of shots and some seeds.
rule fewshot:
    input:
        samples=fewshot_samples,
        init=init_model,
        given=given_to,
    output:
        f"{RESULTS}/fewshot/{{learner}}/{{shots}}/{{seeds}}.parquet",
    log:
        f"{RESULTS}/logs/fewshot/{{learner}}/{{shots}}/{{seeds}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/fewshot/{{learner}}/{{shots}}/{{seeds}}.tsv"
    wildcard_constraints:
        learner=f"({SCRATCH.name}|({'|'.join(objectives())})-p[0-9]+)-({'|'.join(adaptations())})",
    conda:
        "../envs/train.yaml"
    threads: 1
    resources:
        **HANDED,
        **asked_of_network("fewshot"),
    params:
        version=stage("fewshot"),
        settings=fewshot_settings,
        init=init_options,
        # Outside the output, which is wiped before a retry: the job goes on from here.
        checkpoint=f"{RESULTS}/checkpoints/fewshot/{{learner}}-{{shots}}-{{seeds}}",
    message:
        "Fine-tuning {wildcards.learner}, {wildcards.shots} shots, seeds {wildcards.seeds} (log: {log})"
    shell:
        "SITSFORMER_THREADS={threads} {resources.job} {resources.attempt} {log:q} fewshot --config {resources.config:q}"
        " --device {resources.device}"
        " --samples {input.samples:q} {params.init:q} --checkpoint {params.checkpoint:q}"
        " --shots {wildcards.shots} --seeds {wildcards.seeds} --out {output:q}"


# A baseline that has controls: fitted once for all of them, which differ in what is done afterwards.
rule fit:
    input:
        samples=fewshot_samples,
        files=method_files,
        given=given_to_fit,
    output:
        directory(f"{RESULTS}/fits/{{method}}/{{shots}}/{{seeds}}"),
    log:
        f"{RESULTS}/logs/fits/{{method}}/{{shots}}/{{seeds}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/fit/{{method}}/{{shots}}/{{seeds}}.tsv"
    wildcard_constraints:
        method=BASELINE,
    conda:
        "../envs/train.yaml"
    threads: 1
    resources:
        **HANDED,
        **asked_of_network("fit", of="baseline"),
    params:
        version=stage("baseline"),
        settings=fit_settings,
        checkpoint=f"{RESULTS}/checkpoints/fits/{{method}}-{{shots}}-{{seeds}}",
    message:
        "Fitting {wildcards.method}, {wildcards.shots} shots, seeds {wildcards.seeds} (log: {log})"
    shell:
        "SITSFORMER_THREADS={threads} {resources.job} {resources.attempt} {log:q} fit --config {resources.config:q}"
        " --device {resources.device}"
        " --samples {input.samples:q} --method {wildcards.method} --checkpoint {params.checkpoint:q}"
        " --shots {wildcards.shots} --seeds {wildcards.seeds} --out {output:q}"


rule baseline:
    input:
        samples=fewshot_samples,
        files=baseline_files,
        land_cover=init_model,
        given=given_to,
        fits=fits_of_learner,
    output:
        f"{RESULTS}/fewshot/{{learner}}/{{shots}}/{{seeds}}.parquet",
    log:
        f"{RESULTS}/logs/fewshot/{{learner}}/{{shots}}/{{seeds}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/baseline/{{learner}}/{{shots}}/{{seeds}}.tsv"
    wildcard_constraints:
        learner=f"{BASELINE}(-({'|'.join(objectives())})-p[0-9]+)?",
    conda:
        "../envs/train.yaml"
    threads: 1
    resources:
        **HANDED,
        **asked_of_network("baseline"),
    params:
        version=stage("baseline"),
        settings=baseline_settings,
        options=baseline_options,
        checkpoint=f"{RESULTS}/checkpoints/fewshot/{{learner}}-{{shots}}-{{seeds}}",
    message:
        "Baseline {wildcards.learner}, {wildcards.shots} shots, seeds {wildcards.seeds} (log: {log})"
    shell:
        "SITSFORMER_THREADS={threads} {resources.job} {resources.attempt} {log:q} baseline --config {resources.config:q}"
        " --device {resources.device}"
        " --samples {input.samples:q} --method {wildcards.learner} {params.options:q}"
        " --checkpoint {params.checkpoint:q}"
        " --shots {wildcards.shots} --seeds {wildcards.seeds} --out {output:q}"
