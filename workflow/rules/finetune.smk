# The few-shot sweep: each cell is a learner, a number of shots and some seeds.
rule fewshot:
    input:
        samples=LAYOUT.samples(CONFIG.fewshot.set),
        init=lambda wildcards: init_model(wildcards.learner),
    output:
        f"{RESULTS}/fewshot/{{learner}}/{{shots}}/{{seeds}}.parquet",
    log:
        f"{RESULTS}/logs/fewshot/{{learner}}/{{shots}}/{{seeds}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/fewshot/{{learner}}/{{shots}}/{{seeds}}.tsv"
    wildcard_constraints:
        learner="(none|(ssl|sl|dual)-p[0-9]+)-(full|linear|bias)",
    retries: 1
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=6000,
        runtime=240,
    params:
        model=section("model"),
        sweep=sweep_params(),
        init=lambda wildcards: init_options(wildcards.learner),
    message:
        "Fine-tuning {wildcards.learner}, {wildcards.shots} shots, seeds {wildcards.seeds} (log: {log})"
    shell:
        "sitsformer fewshot --config $SITSFORMER_CONFIG --samples {input.samples} {params.init}"
        " --shots {wildcards.shots} --seeds {wildcards.seeds} --out {output} 2>&1 | tee {log}"


rule baseline:
    input:
        samples=LAYOUT.samples(CONFIG.fewshot.set),
        files=lambda wildcards: baseline_files(wildcards.learner),
    output:
        f"{RESULTS}/fewshot/{{learner}}/{{shots}}/{{seeds}}.parquet",
    log:
        f"{RESULTS}/logs/fewshot/{{learner}}/{{shots}}/{{seeds}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/baseline/{{learner}}/{{shots}}/{{seeds}}.tsv"
    wildcard_constraints:
        learner="[a-z0-9_]+",
    retries: 0
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        sweep=lambda wildcards: sweep_params(wildcards.learner),
        options=lambda wildcards: leaves(
            CONFIG.fewshot.options.get(wildcards.learner, {})
        ),
    message:
        "Baseline {wildcards.learner}, {wildcards.shots} shots, seeds {wildcards.seeds} (log: {log})"
    shell:
        "sitsformer baseline --config $SITSFORMER_CONFIG --samples {input.samples}"
        " --method {wildcards.learner} --shots {wildcards.shots} --seeds {wildcards.seeds}"
        " --out {output} 2>&1 | tee {log}"
