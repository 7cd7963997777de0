# Samples -> pretrained models: one per objective and seed.


rule pretrain:
    input:
        samples=lambda wildcards: learnable(CONFIG.pretrain.set),
    output:
        directory(f"{RESULTS}/models/{{objective}}-p{{run}}"),
    log:
        f"{RESULTS}/logs/pretrain/{{objective}}-p{{run}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/pretrain/{{objective}}-p{{run}}.tsv"
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=1440,
        attempt=attempt_number,
    params:
        version=STAGES["pretrain"],
        model=section("model"),
        pretrain=section(
            "pretrain", "objectives", "seeds", "loader", "checkpoint_every"
        ),
        # Outside the output, which is wiped before a retry: training goes on from here.
        checkpoint=f"{RESULTS}/checkpoints/{{objective}}-p{{run}}",
    message:
        "Pretraining {wildcards.objective}, seed {wildcards.run} (log: {log})"
    shell:
        "job {resources.attempt} {log:q} pretrain --config $SITSFORMER_CONFIG"
        " --objective {wildcards.objective} --seed {wildcards.run} --samples {input.samples:q}"
        " --checkpoint {params.checkpoint:q} --out {output:q}"
