"""SITS-Former's own commands, as its README writes them, with our program's name in front."""

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from reference_model import Reference
from sitsformer.cli import contents
from sitsformer.commands import training_options as options
from sitsformer.errors import SitsError
from sitsformer.modelstore import describe, load_model
from sitsformer.samples import load_samples

PRETRAINING = """
    --num_workers 8 --valid_rate 0.1 --max_length 50 --patch_size 5 --num_features 10
    --mask_rate 0.3 --epochs 1 --batch_size 8 --hidden_size 16 --layers 1 --attn_heads 4
    --learning_rate 1e-3 --warmup_epochs 10 --decay_gamma 0.98 --dropout 0.2
    --gradient_clipping 4.0
"""
FINETUNING = """
    --num_workers 8 --max_length 50 --patch_size 5 --num_features 10 --num_classes 15
    --epochs 1 --batch_size 8 --hidden_size 16 --layers 1 --attn_heads 4 --learning_rate 2e-4
    --weight_decay 1e-4 --dropout 0.2
"""


def sitsformer(*arguments):
    return CliRunner().invoke(contents, list(map(str, arguments)), catch_exceptions=False)


def write(path, label=None, seed=0):
    rng = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    length = 4 + seed % 3
    doy = np.sort(rng.choice(366, length, replace=False) + 1)
    more = {} if label is None else {"class_label": np.int64(label)}
    np.savez(path, ts=rng.integers(100, 5000, (length, 10, 5, 5), np.int16), doy=doy, **more)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("sets")
    for i in range(20):
        write(root / "unlabelled" / f"{i}.npz", seed=i)
    for part in ("TRAIN", "VALIDATE", "TEST"):
        for i in range(9):
            write(root / "labelled" / part / f"{i}.npz", label=i % 3, seed=i)
    return root


def test_pretraining_and_finetuning_as_written(folders, tmp_path):
    pre, fine = tmp_path / "pretrain", tmp_path / "finetune"
    where = ["--dataset_path", folders / "unlabelled", "--pretrain_path", pre]
    assert sitsformer("pretrain", *where, *PRETRAINING.split()).exit_code == 0
    found = describe(pre / "model")
    assert found["task"] == "ssl"
    assert [found["architecture"][k] for k in ("hidden", "layers", "heads", "dropout")] == [
        16,
        1,
        4,
        0.2,
    ]
    split = load_samples(pre / "unlabelled-converted.zarr").split.tolist()
    assert sorted(split) == [0] * 18 + [1] * 2

    where = ["--dataset_path", folders / "labelled", "--pretrain_path", pre]
    result = sitsformer("finetune", *where, "--finetune_path", fine, *FINETUNING.split())
    assert result.exit_code == 0 and "test_accuracy" in result.output
    model = load_model(fine / "model")
    assert model.class_names == ("class_0", "class_1", "class_2")
    assert model.architecture.hidden == 16


def test_none_is_no_pretrained_model_and_a_checkpoint_of_theirs_is_converted(folders, tmp_path):
    common = ["--dataset_path", folders / "labelled", "--epochs", 1]
    fine = tmp_path / "scratch"
    sizes = ["--hidden_size", 16, "--layers", 1, "--attn_heads", 4]
    assert (
        sitsformer(
            "finetune", *common, *sizes, "--pretrain_path", "None", "--finetune_path", fine
        ).exit_code
        == 0
    )
    torch.manual_seed(0)
    state = Reference(hidden=32, layers=1).state_dict()
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    torch.save(
        {k: v for k, v in state.items() if not k.startswith("reconstruction")},
        theirs / "checkpoint.bert.tar",
    )
    fine = tmp_path / "tuned"
    arguments = ["finetune", *common, "--pretrain_path", theirs, "--finetune_path", fine]
    assert sitsformer(*arguments, "--attn_heads", 4).exit_code == 0
    assert load_model(fine / "pretrained").architecture.heads == 4
    assert load_model(fine / "model").architecture.hidden == 32
    with pytest.raises(SitsError, match="pretrained with 32"):
        sitsformer(*arguments, "--attn_heads", 4, "--hidden_size", 256)


def test_a_folder_is_converted_once_and_anew_when_it_changes(folders, tmp_path):
    source = tmp_path / "set"
    for i in range(3):
        write(source / f"{i}.npz", seed=i)
    out = options.sample_store(source, tmp_path / "out")
    before = (out / "provenance.json").stat().st_mtime_ns
    assert options.sample_store(source, tmp_path / "out") == out
    assert (out / "provenance.json").stat().st_mtime_ns == before
    write(source / "3.npz", seed=3)
    options.sample_store(source, tmp_path / "out")
    assert len(load_samples(out)) == 4
    options.sample_store(source, tmp_path / "out", 0.25)
    assert sorted(load_samples(out).split.tolist()) == [0, 0, 0, 1]
    assert [item.name for item in (tmp_path / "out").iterdir()] == [out.name]


def test_a_folder_that_does_not_fit_leaves_nothing(tmp_path):
    write(tmp_path / "set" / "a.npz")
    np.savez(tmp_path / "set" / "b.npz", ts=np.zeros((3, 10)), doy=np.arange(3))
    with pytest.raises(SitsError, match=r"b\.npz"):
        sitsformer(
            "pretrain", "--dataset_path", tmp_path / "set", "--pretrain_path", tmp_path / "p"
        )
    assert not (tmp_path / "p").exists()


def test_several_processes_do_not_convert(folders, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SitsError, match="several processes"):
        options.sample_store(folders / "unlabelled", tmp_path)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--patch_size", 7, "--patch-size is 7, but .* has 5"),
        ("--num_features", 9, "--num-features is 9, but .* has 10"),
        ("--max_length", 3, "series of any length"),
        ("--num_classes", 2, "has 3 classes"),
        ("--learning_rate", 0, "learning_rate"),
        ("--attn_heads", 7, "multiple of heads"),
        ("--dropout", 1.5, "dropout"),
    ],
)
def test_options_that_do_not_fit_are_refused(folders, tmp_path, option, value, message):
    common = ["--dataset_path", folders / "labelled", "--finetune_path", tmp_path, option, value]
    with pytest.raises(SitsError, match=message):
        sitsformer("finetune", *common)


def test_the_recipe_of_the_original_options():
    given = {"epochs": 40, "warmup_epochs": 10, "decay_gamma": 0.9, "gradient_clipping": 2.0}
    more = {"hidden_size": 64, "attn_heads": 2}
    model, section = options.pretraining(None, "sits_former", {**given, **more})
    recipe = section.of("sits_former").recipe
    assert (recipe.optimiser, recipe.hold, recipe.decay, recipe.clip) == ("adam", 10, 0.9, 2.0)
    assert (recipe.warmup, recipe.learning_rate, section.augment.turn) == (0.0, 1e-3, True)
    assert (section.epochs, model.hidden, model.heads, model.layers) == (40, 64, 2, 3)
    tuned = options.recipe(1e-3, 1e-4)
    assert (tuned.optimiser, tuned.l2, tuned.learning_rate) == ("adam", 1e-4, 1e-3)
    assert (tuned.schedule, tuned.warmup, tuned.clip) == ("constant", 0.0, None)


def test_options_go_before_the_recipe_of_a_publication(tmp_path):
    """Also where a config is given, whose own recipe is of other objectives."""
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    _, section = options.pretraining(path, "sits_former", {"warmup_epochs": 3})
    assert (section.of("sits_former").recipe.hold, section.recipe.optimiser) == (3, "adam")
    _, section = options.pretraining(path, "ssl", {"warmup_epochs": 3})
    assert (section.recipe.hold, section.recipe.optimiser) == (0, "adamw")


def test_help_shows_hyphens_and_none_of_the_repeated_options():
    for command in ("pretrain", "finetune"):
        text = sitsformer(command, "--help").output
        assert "--batch-size" in text and "_size" not in text
        assert "--num-workers" not in text and "--max-length" not in text


CONFIG = """
results: results
areas:
  farm:
    source: synthetic
    bounds: [3.02, 50.81, 3.03, 50.82]
    start: 2021-01-01
    end: 2021-12-31
    labels: [worldcover]
sets: {crops: {areas: [farm], label: worldcover, per_tile: 10}}
patches: {size: 1}
model: {hidden: 16, layers: 1, heads: 2}
pretrain: {set: crops, epochs: 1, batch_size: 16}
fewshot: {set: crops, shots: [2], seeds: 1, steps: 2, batch_size: 4}
"""


def test_a_converted_table_serves_every_command(tmp_path):
    rng = np.random.default_rng(1)
    values = rng.integers(100, 5000, (60, 12, 10)).astype(np.float32)
    values[rng.random((60, 12)) < 0.2] = np.nan
    np.savez(
        tmp_path / "t.npz",
        x=values,
        label=np.array(["rye", "oats", "maize"])[np.arange(60) % 3],
        lon=rng.uniform(3, 9, 60),
        lat=rng.uniform(50, 54, 60),
        dates=np.array([f"2021-{month:02d}-11" for month in range(1, 13)]),
    )
    (tmp_path / "config.yaml").write_text(CONFIG)
    store, model = tmp_path / "t.zarr", tmp_path / "p" / "model"
    common = ["--config", tmp_path / "config.yaml", "--samples", store]
    cell = ["--shots", 2, "--seeds", 0, "--out", tmp_path / "cell.parquet"]
    for arguments in (
        ("convert", "table", tmp_path / "t.npz", store),
        ("check", store),
        ("inspect", store),
        ("pretrain", *common, "--pretrain-path", tmp_path / "p"),
        ("fewshot", *common, "--init", "dual", "--init-model", model, *cell),
        ("baseline", *common, "--method", "random_forest", *cell),
    ):
        assert sitsformer(*arguments).exit_code == 0, arguments
    assert describe(model)["classes"] == ["maize", "oats", "rye"]
