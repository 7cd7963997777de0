# Everything -> one page.


rule report:
    input:
        tables=[f"{RESULTS}/tables/{name}" for name in tables.NAMES],
        cubes=LAYOUT.cubes(),
        samples=sorted({LAYOUT.samples(name) for name in CONFIG.sets}),
        models=LAYOUT.pretrained(),
        maps=LAYOUT.maps(),
        map_areas=LAYOUT.maps("_areas.csv"),
    output:
        page=report(
            f"{RESULTS}/report.html", category="Report", caption="../report/report.rst"
        ),
        figures=[figure(name) for name in plots.names(CONFIG)],
    log:
        f"{RESULTS}/logs/report.log",
    benchmark:
        f"{RESULTS}/benchmarks/report.tsv"
    retries: 0
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=6000,
        runtime=60,
    params:
        tables=lambda wildcards, input: Path(input.tables[0]).parent,
        figures=lambda wildcards, output: Path(output.figures[0]).parent,
        benchmarks=lambda wildcards, output: Path(output.page).parent / "benchmarks",
        evaluation=section("evaluation"),
    message:
        "The report (log: {log})"
    shell:
        "sitsformer report --config $SITSFORMER_CONFIG --tables {params.tables}"
        " --benchmarks {params.benchmarks} --figures {params.figures}"
        " --out {output.page} {input.cubes} {input.samples} {input.models} {input.maps}"
        " 2>&1 | tee {log}"
