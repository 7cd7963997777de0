# The few-shot sweep: each cell is a learner, a number of shots and some seeds.
SWEEP_PARAMS = (
    "steps",
    "batch_size",
    "recipe",
    "learning_rates",
    "label_smoothing",
    "augment",
    "validation",
)


def sweep_params() -> list[str]:
    """Params of every learner that is trained by gradient descent."""
    values = CONFIG.fewshot.model_dump(mode="json")
    return leaves({key: values[key] for key in SWEEP_PARAMS})


def init_model(learner: str) -> list[str]:
    """The pretrained model that a learner starts from; none for `none`."""
    parsed = parse_learner(learner)
    return (
        []
        if parsed.init == "none"
        else [LAYOUT.model(parsed.init, parsed.pretrain_seed)]
    )


def init_options(learner: str) -> str:
    """How a learner is named on the command line."""
    parsed = parse_learner(learner)
    options = f"--init {parsed.init} --way {parsed.way}"
    for path in init_model(learner):
        options += f" --pretrain-seed {parsed.pretrain_seed} --init-model {path}"
    return options


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
        "{RUN} fewshot --config {CONFIG_FILE} --samples {input.samples} {params.init}"
        " --shots {wildcards.shots} --seeds {wildcards.seeds} --out {output} 2>&1 | tee {log}"


rule baseline:
    input:
        samples=LAYOUT.samples(CONFIG.fewshot.set),
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
        sweep=sweep_params(),
        options=lambda wildcards: leaves(
            CONFIG.fewshot.options.get(wildcards.learner, {})
        ),
    message:
        "Baseline {wildcards.learner}, {wildcards.shots} shots, seeds {wildcards.seeds} (log: {log})"
    shell:
        "{RUN} baseline --config {CONFIG_FILE} --samples {input.samples}"
        " --method {wildcards.learner} --shots {wildcards.shots} --seeds {wildcards.seeds}"
        " --out {output} 2>&1 | tee {log}"
