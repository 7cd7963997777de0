# Maps of a model that was given -> one page.


rule report:
    input:
        model=PATHS.map_model(),
        maps=PATHS.maps("classes"),
        map_products=PATHS.maps(),
        given=given_map_model(),
    output:
        page=report(
            f"{RESULTS}/report.html",
            category="Report",
            caption="../report/mapreport.rst",
        ),
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
        benchmarks=folder_of_benchmarks,
    message:
        "The report (log: {log})"
    shell:
        # By standard input: as words of a command they may be more than Linux takes.
        "SITSFORMER_THREADS={threads} {resources.job} {resources.attempt} {log:q} report --config {resources.config:q}"
        " --benchmarks {params.benchmarks:q} --out {output.page:q} -- @-"
        " < <(printf '%s\\0' {input.maps:q})"
