# Samples -> pretrained models: one per objective and seed.


rule pretrain:
    input:
        samples=pretrain_samples,
        given=given_store(CONFIG.pretrain.set),
    output:
        directory(f"{RESULTS}/models/{{objective}}-p{{run}}"),
    log:
        f"{RESULTS}/logs/pretrain/{{objective}}-p{{run}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/pretrain/{{objective}}-p{{run}}.tsv"
    # The longest jobs, and what most others wait for.
    priority: 10
    conda:
        "../envs/train.yaml"
    threads: 1
    resources:
        **HANDED,
        **asked_of_network("pretrain"),
    params:
        version=stage("pretrain"),
        settings=pretrain_settings,
        # Outside the output, which is wiped before a retry: training goes on from here.
        checkpoint=f"{RESULTS}/checkpoints/{{objective}}-p{{run}}",
    message:
        "Pretraining {wildcards.objective}, seed {wildcards.run} (log: {log})"
    shell:
        "SITSFORMER_THREADS={threads} {resources.job} {resources.attempt} {log:q} pretrain --config {resources.config:q}"
        " --device {resources.device}"
        " --objective {wildcards.objective} --seed {wildcards.run} --samples {input.samples:q}"
        " --checkpoint {params.checkpoint:q} --out {output:q}"
