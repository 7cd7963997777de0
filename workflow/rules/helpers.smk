# What rules ask of the config: targets, inputs and params of a job.
from functools import cache

from sitsformer import decisive, plots
from sitsformer.baselines import file_options
from sitsformer.config import expand
from sitsformer.embeddings import members
from sitsformer.evaluation import tables
from sitsformer.fewshot import Learner, parse_learner
from sitsformer.userfiles import watched, watched_of, watched_of_survey

MEMBERS = members(CONFIG.embeddings)
ALONE = [name for name, member in MEMBERS.items() if not member.kind.encoder]


def targets() -> list[str]:
    """Everything that `snakemake` without a target makes.

    What is made on the way is named too, so that a deleted artefact is made again though nothing
    else misses it; `keep` names what may go.
    """
    mapped = [
        *PATHS.maps(),
        *(path for area in CONFIG.maps.tiles for path in PATHS.tile_maps(area)),
        *([PATHS.map_model()] if CONFIG.maps.tiles else []),
    ]
    if not CONFIG.learns:
        return [f"{RESULTS}/report.html", *mapped, *PATHS.kept()]
    return [
        f"{RESULTS}/report.html",
        *(f"{RESULTS}/figures/{name}.svg" for name in plots.names(CONFIG)),
        *(f"{RESULTS}/tables/{name}" for name in tables.NAMES),
        *mapped,
        *PATHS.cells(),
        *(PATHS.embedded(layer) for layer in CONFIG.embeddings),
        *PATHS.pretrained(),
        *(PATHS.samples(name) for name in CONFIG.sets if CONFIG.sets[name].areas),
        *PATHS.kept(),
    ]


def stage(name: str) -> str:
    """Version of a stage, as a param: a raised number runs the stage again."""
    return f"{name} version {STAGES[name]}"


@per_tile
def area_files(wildcards):
    """Files of the user that a cube is made from."""
    return files_of_area(wildcards.area)


@cache
def files_of_area(name: str) -> list[str]:
    """The same for all tiles of an area, looked for once."""
    return [str(path) for path in watched_of(CONFIG.areas[name])]


@per_tile
def embedding_files(wildcards):
    """The user's raster that the embeddings of a tile are taken from."""
    path = CONFIG.embeddings[wildcards.layer].rasters.get(wildcards.area)
    return [] if path is None else [str(expand(path))]


@per_tile
def embedding_settings(wildcards):
    """Values of the config that decide the embeddings of a tile."""
    return decisive.leaves(decisive.embeddings(CONFIG, wildcards.layer, wildcards.area))


@per_tile
def map_embeddings(wildcards):
    """Embeddings of others over a mapped tile, where the map may be drawn from them."""
    return PATHS.embeddings_of(wildcards.area, wildcards.tile)


def embedded_tiles(wildcards):
    """Embeddings of a layer over every tile that the sweep's samples are of."""
    return PATHS.embedded_tiles(wildcards.layer)


def embedded_of_learner(wildcards):
    """Embeddings that a learner learns from."""
    return PATHS.embedded(MEMBERS[parse_learner(wildcards.learner).method].layer)


def survey_files(wildcards):
    """Files of the user that a set has its labels from, where they are in no cube."""
    return files_of_survey(wildcards.set)


def files_of_survey(name: str) -> list[str]:
    """The same by the name of the set."""
    label = CONFIG.sets[name].label
    return [str(path) for path in watched_of_survey(CONFIG, str(label))]


@per_tile
def set_files(wildcards):
    """Files of the user that decide which samples are cut: polygons of splits, surveys."""
    return files_of_set(wildcards.set)


@cache
def files_of_set(name: str) -> list[str]:
    """The same for all tiles of a set, looked for once."""
    split = CONFIG.sets[name].split
    polygons = watched(expand(split.polygons)) if split.by == "polygons" else []
    return [*(str(path) for path in polygons), *files_of_survey(name)]


@per_tile
def cubes_of_samples(wildcards):
    """The cube that samples are cut from; of a survey also those that its patches reach into."""
    area, tile = wildcards.area, wildcards.tile
    survey = str(CONFIG.sets[wildcards.set].label) in CONFIG.labels
    around = PATHS.neighbours(area, tile) if survey and CONFIG.patches.size > 1 else []
    return [PATHS.cube(area, tile), *around]


def tile_stores(wildcards):
    """Tile stores that a set is merged from."""
    return PATHS.tile_stores(wildcards.set)


def learnable(name: str) -> str:
    """The samples of a set, once the whole config is known to allow learning from them.

    Asked as an input of what learns: who wants cubes and samples alone needs no polygons for
    every split.
    """
    if found := whole_problems():
        raise WorkflowError(unusable(found))
    return PATHS.samples(name)


@cache
def whole_problems() -> list[str]:
    """What is wrong with the config for whoever learns; looked at once."""
    return problems(CONFIG)


def pretrain_samples(wildcards):
    """Samples that pretraining learns from."""
    return learnable(CONFIG.pretrain.set)


def fewshot_samples(wildcards):
    """Samples with crop labels."""
    return learnable(CONFIG.fewshot.set)


@cache
def given_store(name: str) -> list[str]:
    """Files that change when a sample store of the user is copied over; its folder does not."""
    given = CONFIG.sets[name].store
    return [] if given is None else within(expand(given))


def within(path: Path) -> list[str]:
    """What tells that an artefact is another one, where its folder is still the same."""
    return [str(file) for file in watched(path)[1:]]


@cache
def given_model(objective: str) -> list[str]:
    """The same of a pretrained model of the user."""
    given = CONFIG.pretrain.models.get(objective)
    return [] if given is None else within(expand(given))


def given_to(wildcards):
    """The same of what a learner of the sweep reads."""
    return [
        *given_store(CONFIG.fewshot.set),
        *given_model(parse_learner(wildcards.learner).init),
    ]


def given_to_fit(wildcards):
    """The same of what a baseline is fitted to."""
    return given_store(CONFIG.fewshot.set)


def given_to_maps() -> list[str]:
    """The same of what the model of the maps is made of."""
    inits = dict.fromkeys(learner.init for learner in PATHS.map_learners())
    return [
        *given_store(CONFIG.fewshot.set),
        *(file for init in inits for file in given_model(init)),
    ]


def given_map_model() -> list[str]:
    """The same of a model of the user that draws the maps."""
    given = CONFIG.maps.model
    return [] if given is None else within(expand(given))


def given_to_mosaic() -> list[str]:
    """The same of what the map of an area is made of."""
    samples = given_store(CONFIG.fewshot.set) if CONFIG.learns else []
    return [*samples, *given_map_model()]


def init_model(wildcards):
    """The pretrained model that a learner starts from; none for `none`."""
    return model_of(wildcards.learner)


def model_of(learner: str) -> list[str]:
    """The pretrained model that a learner starts from; none for `none`."""
    return PATHS.starts(parse_learner(learner))


def map_starts() -> list[str]:
    """The pretrained models that those who may draw the maps start from."""
    found = [path for learner in PATHS.map_learners() for path in PATHS.starts(learner)]
    return list(dict.fromkeys(found))


def map_start_options() -> list[str]:
    """How these, and embeddings of the samples, are named on the command line."""
    found = {
        f"{one.init}-p{one.pretrain_seed}": path
        for one in PATHS.map_learners()
        for path in PATHS.starts(one)
    }
    return [
        *(w for name, path in found.items() for w in ("--pretrained", name, path)),
        *options("--embeddings", PATHS.map_embedded()),
    ]


def init_options(wildcards):
    """How a learner is named on the command line."""
    return options_of(wildcards.learner)


def options_of(learner: str) -> list[str]:
    """How a learner is named on the command line."""
    parsed = parse_learner(learner)
    options = ["--init", parsed.init, "--adaptation", parsed.adaptation]
    for path in model_of(learner):
        options += ["--pretrain-seed", str(parsed.pretrain_seed), "--init-model", path]
    return options


def baseline_files(wildcards):
    """Files of the user that a baseline is made of: its module, features of a peer, weights."""
    return files_of_method(parse_learner(wildcards.learner).method)


def method_files(wildcards):
    """The same for its fits."""
    return files_of_method(wildcards.method)


def files_of_method(name: str) -> list[str]:
    """Files of the user that a method is made of."""
    options = CONFIG.fewshot.options.get(name, {})
    return [str(expand(path)) for path in file_options(name, options).values()]


def fits_of_learner(wildcards):
    """Fits that the cells of a baseline or control are made of; none where it is fitted there."""
    learner = parse_learner(wildcards.learner)
    return PATHS.fits(learner, wildcards.shots, wildcards.seeds)


def baseline_options(wildcards, input):
    """How the land cover and the fits of a baseline are named on the command line."""
    return [*land_cover_options(wildcards), *options("--fits", input.fits)]


def land_cover_options(wildcards):
    """The pretrained model whose land cover a control is given; nothing for a plain baseline.

    Of embeddings joined with an encoder it is the encoder.
    """
    joins = parse_learner(wildcards.learner).joins
    option = "--init-model" if joins else "--land-cover"
    return [part for path in model_of(wildcards.learner) for part in (option, path)]


@cache
def settings_of(stage: str, name: str) -> list[str]:
    """Values of the config that decide the jobs of an area or a set, which all tiles share."""
    decided = {"cube": decisive.cube, "patches": decisive.patches}[stage]
    return decisive.leaves(decided(CONFIG, name))


@per_tile
def cube_settings(wildcards):
    """Values of the config that decide a cube."""
    return settings_of("cube", wildcards.area)


@per_tile
def patches_settings(wildcards):
    """Values of the config that decide a tile store."""
    return settings_of("patches", wildcards.set)


def merge_settings(wildcards):
    """Values of the config that decide how samples are split."""
    return decisive.leaves(decisive.merge(CONFIG, wildcards.set))


def pretrain_settings(wildcards):
    """Values of the config that decide a pretrained model."""
    return decisive.leaves(decisive.pretrain(CONFIG, wildcards.objective))


def fewshot_settings(wildcards):
    """Values of the config that decide the cells of a network."""
    return decisive.leaves(decisive.finetune(CONFIG, parse_learner(wildcards.learner)))


def baseline_settings(wildcards):
    """Values of the config that decide the cells of a baseline."""
    return decisive.leaves(decisive.baseline(CONFIG, parse_learner(wildcards.learner)))


def fit_settings(wildcards):
    """Values of the config that decide the fits of a baseline."""
    return decisive.leaves(decisive.baseline(CONFIG, Learner(wildcards.method)))


def folder_of_output(wildcards, output):
    """Folder of the first output."""
    return str(Path(output[0]).parent)


def folder_of_tables(wildcards, input):
    """Folder of the tables."""
    return str(Path(input.tables[0]).parent)


def folder_of_figures(wildcards, output):
    """Folder of the figures."""
    return str(Path(output.figures[0]).parent)


def folder_of_benchmarks(wildcards, output):
    """Folder of Snakemake's benchmark files."""
    return str(Path(output.page).parent / "benchmarks")


def figure(name: str):
    """A figure of the Snakemake report, with its caption and category."""
    return report(
        f"{RESULTS}/figures/{name}.svg",
        category=plots.FIGURES[name].category,
        labels={"figure": plots.FIGURES[name].title},
        caption="../report/figure.rst",
    )


def table(name: str):
    """A table of the evaluation; those that a browser shows are in the Snakemake report."""
    path = f"{RESULTS}/tables/{name}"
    if not name.endswith(".csv"):
        return path
    return report(
        path,
        category="Tables",
        labels={"table": name.removesuffix(".csv").replace("_", " ")},
        caption="../report/table.rst",
    )


def options(name: str, paths) -> list[str]:
    """Files as a command takes them that are given one by one."""
    given = [paths] if isinstance(paths, str) else paths
    return [word for path in given for word in (name, path)]


@per_tile
def neighbours(wildcards):
    """Cubes of the tiles around a mapped one."""
    return PATHS.neighbours(wildcards.area, wildcards.tile)


@per_tile
def neighbour_options(wildcards, input):
    """How the cubes around a tile, and embeddings over it, are named on the command line."""
    return [
        *options("--neighbour", input.neighbours),
        *options("--embeddings", input.embeddings),
    ]


def mask_files(wildcards):
    """The user's files that say which pixels are mapped: a raster, the outline of the area."""
    outline = (
        CONFIG.areas[wildcards.area].geometry if CONFIG.maps.within == "area" else None
    )
    files = (getattr(CONFIG.maps.mask, "path", None), outline)
    return [str(expand(path)) for path in files if path is not None]


def parcel_files() -> list[str]:
    """The user's parcels, which get the class of most of their pixels."""
    parcels = CONFIG.maps.parcels
    return [] if parcels is None else [str(path) for path in watched(expand(parcels))]


def mapped_tiles(wildcards):
    """Maps of classes of the tiles of an area."""
    return PATHS.tile_maps(wildcards.area, "classes")


def mapped_layers(wildcards):
    """Every file of the maps of the tiles of an area."""
    return PATHS.tile_maps(wildcards.area)


def mapped_cubes(wildcards):
    """Cubes of the mapped tiles of an area."""
    return PATHS.mapped_cubes(wildcards.area)


def cube_options(wildcards, input):
    """How the cubes of mapped tiles are named on the command line."""
    return options("--cube", input.cubes)


def samples_options(wildcards, input):
    """How the samples that tell how good a map is are named on the command line, if there are.

    And their embeddings, for a model that reads these.
    """
    return [
        *options("--samples", input.samples),
        *options("--embeddings", input.embeddings),
    ]


def map_products() -> dict:
    """Files of the map of a tile."""
    known = mapproducts.products(CONFIG.maps.layers)
    return {name: PATHS.map("{area}", "{tile}", name) for name in known}


def area_products() -> dict:
    """Files of the map of an area; pictures are shown in the Snakemake report."""
    found = {}
    for name, ending in mapproducts.area_endings(CONFIG.maps.products).items():
        path = PATHS.area_map("{area}", name)
        if ending.endswith(".png"):
            path = report(
                path,
                category="Maps",
                caption="../report/map.rst",
                labels={"area": "{area}", "product": name},
            )
        found[name] = path
    return found
