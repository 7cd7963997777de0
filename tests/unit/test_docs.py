"""The documentation: a site without a broken link, and commands that exist."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml

from sitsformer.cli import contents

ROOT = Path(__file__).parents[2]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
COMMAND = re.compile(
    r"^(?:    )?(?:\$ )?(?:[A-Z_]+=\S+ )*(?:\.?\S*/)?sitsformer ([a-z].*)$", re.MULTILINE
)


def blocks(path: Path) -> str:
    """What stands in code blocks of a page, lines that go on joined."""
    text = path.read_text()
    fenced = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    indented = re.findall(r"^    .*$", text, re.MULTILINE)
    return re.sub(r"\\\n\s*", "", "\n".join([*fenced, *indented]))


def commands() -> list[tuple[str, str]]:
    return [(p.name, line) for p in PAGES for line in dict.fromkeys(COMMAND.findall(blocks(p)))]


@pytest.mark.parametrize(("page", "line"), commands())
def test_every_command_of_the_docs_exists_with_its_options(page: str, line: str) -> None:
    words = shlex.split(line.split("  #")[0].split("&&")[0].split("|")[0], comments=True)
    command: click.Command = contents
    context = click.Context(contents)
    while words and isinstance(command, click.Group) and not words[0].startswith("-"):
        found = command.get_command(context, words[0].replace("_", "-")) or command.get_command(
            context, words[0]
        )
        assert found is not None, f"{page}: there is no command {words[0]!r} in: {line}"
        command, words = found, words[1:]
    known = {option for p in command.get_params(context) for option in [*p.opts, *p.secondary_opts]}
    for word in words:
        if word.startswith("--"):
            name = word.split("=")[0].replace("_", "-")
            assert name in known, f"{page}: {command.name} has no option {name}: {line}"


def test_examples_of_configs_are_yaml() -> None:
    for path in PAGES:
        for block in re.findall(r"```yaml\n(.*?)```", path.read_text(), re.DOTALL):
            yaml.safe_load(block)


ROOTS = ("src", "tests", "docs", "config", "workflow", "scripts", "benchmarks", "profiles", "envs")


def test_files_that_pages_name_are_there() -> None:
    name = re.compile(rf"(?<![\w/.{{}}-])(?:{'|'.join(ROOTS)})/[\w/.*-]*\w")
    for page in PAGES:
        if page.name == "extending.md":  # it names files that its recipes make
            continue
        for path in set(name.findall(page.read_text())) - {"config/examples/scale/NAME.yaml"}:
            there = [*ROOT.glob(path), *(ROOT / "src" / "sitsformer").glob(path)]
            assert there, f"{page.name}: {path}"


def test_keys_that_pages_name_are_keys_of_the_config() -> None:
    rows = re.findall(r"^\| `([^`]+)`", (ROOT / "config" / "README.md").read_text(), re.MULTILINE)
    keys = [key.replace(".<name>", "").split(".") for key in rows]
    known = {".".join(key[:n]) for key in keys for n in range(1, len(key) + 1)}
    sections, named = {key[0] for key in keys}, 0
    for page in PAGES:
        if page.name == "extending.md":
            continue
        for text in re.findall(
            r"`([a-z_]+(?:\.(?:<name>|[a-z_]+))+)(?:: [^`]*)?`", page.read_text()
        ):
            key = text.replace(".<name>", "")
            if key.split(".")[0] in sections and key != "model.safetensors":
                named += 1
                assert key in known, f"{page.name}: {text}"
    assert named > 50


def test_every_page_is_on_the_site() -> None:
    class Loader(yaml.SafeLoader):
        pass

    navigation = yaml.load((ROOT / "mkdocs.yml").read_text(), Loader)["nav"]

    def pages(entry: object) -> list[str]:
        if isinstance(entry, str):
            return [entry]
        parts = entry.values() if isinstance(entry, dict) else entry
        return [page for part in parts for page in pages(part)]  # type: ignore[union-attr]

    there = {str(p.relative_to(ROOT / "docs")) for p in (ROOT / "docs").rglob("*.md")}
    assert set(pages(navigation)) == there


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"])
def test_links_of_pages_outside_the_site_lead_somewhere(page: str) -> None:
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    assert links or page in ("SECURITY.md", "CHANGELOG.md")
    for link in links:
        path, _, anchor = link.partition("#")
        assert path.startswith("https://") or (ROOT / path).exists(), f"{page}: {link}"
        if anchor and path.endswith(".md"):
            heads = re.findall(r"^#+ (.*)$", (ROOT / path).read_text(), re.MULTILINE)
            known = {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}
            assert anchor in known, f"{page}: {link}"


def test_the_readme_keeps_to_one_screen() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 50


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "site" / "cli.html").read_text()
    assert "sitsformer pretrain" in page
    assert "load_model" in (tmp_path / "site" / "api.html").read_text()
    assert "pretrain.objectives" in (tmp_path / "site" / "config.html").read_text()
    # Opened from a folder, without a server and without the internet.
    assert "fonts.googleapis.com" not in (tmp_path / "site" / "index.html").read_text()
