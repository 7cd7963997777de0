# Predictions -> tables with intervals.


rule evaluate:
    input:
        samples=PATHS.samples(CONFIG.fewshot.set),
        pretrain=PATHS.samples(CONFIG.pretrain.set),
        cells=PATHS.cells(),
        given=[*given_store(CONFIG.fewshot.set), *given_store(CONFIG.pretrain.set)],
    output:
        [table(name) for name in tables.NAMES],
    log:
        f"{RESULTS}/logs/evaluate.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate.tsv"
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        **HANDED,
        **asked("evaluate"),
    params:
        version=stage("evaluate"),
        settings=decisive.leaves(decisive.evaluate(CONFIG)),
        folder=folder_of_output,
    message:
        "Tables of the few-shot sweep (log: {log})"
    shell:
        "SITSFORMER_THREADS={threads} {resources.job} {resources.attempt} {log:q} evaluate --config {resources.config:q}"
        " --samples {input.samples:q} --pretrain-samples {input.pretrain:q}"
        " --out {params.folder:q} -- {input.cells:q}"
