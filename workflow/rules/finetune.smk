# The few-shot sweep: each cell is a learner, a number of shots and some seeds.
rule fewshot:
    input:
        samples=lambda wildcards: learnable(CONFIG.fewshot.set),
        init=lambda wildcards: init_model(wildcards.learner),
    output:
        f"{RESULTS}/fewshot/{{learner}}/{{shots}}/{{seeds}}.parquet",
    log:
        f"{RESULTS}/logs/fewshot/{{learner}}/{{shots}}/{{seeds}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/fewshot/{{learner}}/{{shots}}/{{seeds}}.tsv"
    wildcard_constraints:
        learner=f"({SCRATCH.name}|({OBJECTIVES})-p[0-9]+)-({'|'.join(adaptations())})",
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
        sweep=lambda wildcards: sweep_params(wildcards.learner),
        init=lambda wildcards: init_options(wildcards.learner),
    message:
        "Fine-tuning {wildcards.learner}, {wildcards.shots} shots, seeds {wildcards.seeds} (log: {log})"
    shell:
        "job {resources.attempt} {log:q} fewshot --config $SITSFORMER_CONFIG"
        " --samples {input.samples:q} {params.init:q}"
        " --shots {wildcards.shots} --seeds {wildcards.seeds} --out {output:q}"


rule baseline:
    input:
        samples=lambda wildcards: learnable(CONFIG.fewshot.set),
        files=lambda wildcards: baseline_files(wildcards.learner),
        land_cover=lambda wildcards: init_model(wildcards.learner),
    output:
        f"{RESULTS}/fewshot/{{learner}}/{{shots}}/{{seeds}}.parquet",
    log:
        f"{RESULTS}/logs/fewshot/{{learner}}/{{shots}}/{{seeds}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/baseline/{{learner}}/{{shots}}/{{seeds}}.tsv"
    wildcard_constraints:
        learner=f"[a-z0-9_]+(-({OBJECTIVES})-p[0-9]+)?",
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
        attempt=attempt_number,
    params:
        version=STAGES["baseline"],
        sweep=lambda wildcards: sweep_params(wildcards.learner),
        options=lambda wildcards: leaves(
            CONFIG.fewshot.options.get(parse_learner(wildcards.learner).method, {})
        ),
        land_cover=lambda wildcards: land_cover_option(wildcards.learner),
    message:
        "Baseline {wildcards.learner}, {wildcards.shots} shots, seeds {wildcards.seeds} (log: {log})"
    shell:
        "job {resources.attempt} {log:q} baseline --config $SITSFORMER_CONFIG"
        " --samples {input.samples:q} --method {wildcards.learner} {params.land_cover:q}"
        " --shots {wildcards.shots} --seeds {wildcards.seeds} --out {output:q}"
