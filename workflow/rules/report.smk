# Everything -> one page.


rule report:
    input:
        tables=[f"{RESULTS}/tables/{name}" for name in tables.NAMES],
        cubes=PATHS.shown_cubes(),
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
        "../envs/report.yaml"
    threads: 1
    resources:
        **HANDED,
        **asked("report"),
    params:
        version=stage("report"),
        settings=decisive.leaves(decisive.report(CONFIG)),
        tables=folder_of_tables,
        figures=folder_of_figures,
        benchmarks=folder_of_benchmarks,
    message:
        "The report (log: {log})"
    shell:
        # By standard input: as words of a command they may be more than Linux takes.
        "SITSFORMER_THREADS={threads} {resources.job} {resources.attempt} {log:q} report --config {resources.config:q}"
        " --tables {params.tables:q} --benchmarks {params.benchmarks:q}"
        " --figures {params.figures:q} --out {output.page:q} -- @-"
        " < <(printf '%s\\0' {input.cubes:q} {input.samples:q} {input.models:q} {input.maps:q})"
