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
        folder=lambda wildcards, output: Path(output[0]).parent,
    message:
        "Tables of the few-shot sweep (log: {log})"
    shell:
        "sitsformer evaluate --config $SITSFORMER_CONFIG --samples {input.samples}"
        " --pretrain-samples {input.pretrain} --out {params.folder} {input.cells}"
        " 2>&1 | tee {log}"
