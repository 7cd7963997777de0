# Everything -> one page.


def figure(name: str):
    """A figure of the Snakemake report, with its caption and category."""
    return report(
        f"{RESULTS}/figures/{name}.svg",
        category=plots.FIGURES[name].category,
        labels={"figure": plots.FIGURES[name].title},
        caption="../report/figure.rst",
    )


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
        results=RESULTS,
        evaluation=section("evaluation"),
    message:
        "The report (log: {log})"
    shell:
        "{RUN} report --config {CONFIG_FILE} --tables {params.results}/tables"
        " --benchmarks {params.results}/benchmarks --figures {params.results}/figures"
        " --out {output.page} {input.cubes} {input.samples} {input.models} {input.maps}"
        " 2>&1 | tee {log}"
