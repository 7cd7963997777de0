# Predictions -> tables with intervals.


rule evaluate:
    input:
        samples=LAYOUT.samples(CONFIG.fewshot.set),
        pretrain=LAYOUT.samples(CONFIG.pretrain.set),
        cells=LAYOUT.cells(),
    output:
        [f"{RESULTS}/tables/{name}" for name in tables.NAMES],
    log:
        f"{RESULTS}/logs/evaluate.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate.tsv"
    retries: 0
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        evaluation=section("evaluation"),
    message:
        "Tables of the few-shot sweep (log: {log})"
    shell:
        "{RUN} evaluate --config {CONFIG_FILE} --samples {input.samples}"
        " --pretrain-samples {input.pretrain} --out {RESULTS}/tables {input.cells}"
        " 2>&1 | tee {log}"
