# Everything -> one page.


rule report:
    input:
        tables=[f"{RESULTS}/tables/{name}" for name in tables.NAMES],
        cubes=PATHS.cubes(),
        samples=sorted({PATHS.samples(name) for name in CONFIG.sets}),
        models=PATHS.pretrained(),
        maps=PATHS.maps("classes"),
        map_products=PATHS.maps(),
    output:
        page=report(
            f"{RESULTS}/report.html", category="Report", caption="../report/report.rst"
        ),
        figures=[figure(name) for name in plots.names(CONFIG)],
    log:
        f"{RESULTS}/logs/report.log",
    benchmark:
        f"{RESULTS}/benchmarks/report.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=6000,
        runtime=60,
        attempt=attempt_number,
    params:
        version=STAGES["report"],
        tables=lambda wildcards, input: str(Path(input.tables[0]).parent),
        figures=lambda wildcards, output: str(Path(output.figures[0]).parent),
        benchmarks=lambda wildcards, output: str(
            Path(output.page).parent / "benchmarks"
        ),
        evaluation=section("evaluation"),
    message:
        "The report (log: {log})"
    shell:
        "job {resources.attempt} {log:q} report --config $SITSFORMER_CONFIG"
        " --tables {params.tables:q} --benchmarks {params.benchmarks:q}"
        " --figures {params.figures:q} --out {output.page:q}"
        " -- {input.cubes:q} {input.samples:q} {input.models:q} {input.maps:q}"
