# Predictions -> tables with intervals.


rule evaluate:
    input:
        samples=PATHS.samples(CONFIG.fewshot.set),
        pretrain=PATHS.samples(CONFIG.pretrain.set),
        cells=PATHS.cells(),
    output:
        [f"{RESULTS}/tables/{name}" for name in tables.NAMES],
    log:
        f"{RESULTS}/logs/evaluate.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
        attempt=attempt_number,
    params:
        version=STAGES["evaluate"],
        evaluation=section("evaluation"),
        folder=lambda wildcards, output: str(Path(output[0]).parent),
    message:
        "Tables of the few-shot sweep (log: {log})"
    shell:
        "job {resources.attempt} {log:q} evaluate --config $SITSFORMER_CONFIG"
        " --samples {input.samples:q} --pretrain-samples {input.pretrain:q}"
        " --out {params.folder:q} -- {input.cells:q}"
