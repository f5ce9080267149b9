"""Pictures of the portal for the documentation: ``python -m tests.portal.walk.pictures --out docs/images/portal``."""

import argparse
import io
import tempfile
from pathlib import Path

from PIL import Image

from striate.competition import Rules, Vault, simulated
from striate.simulate import Simulation
from tests.competition.examples import PASSPHRASE, modelled
from tests.fixtures.command import striate
from tests.portal.walk.stage import PASSWORD, Stage, stage
from tests.portal.walk.visitor import DESKTOP, PHONE, Visitor, browsing

TEAMS = {"Cortical Columns": 0.62, "Mouse Lab": 0.55, "Gabor & Friends": 0.54, "V1 or bust": 0.41, "First Try": 0.22}


MICE = {
    "neurons": 60,
    "train": 120,
    "validation": 20,
    "test_images": 40,
    "repeats": 8,
    "image_shape": (36, 64),
}


def fill_the_board(site: Stage, mouse: Simulation) -> None:
    """Let some teams submit, and have it scored."""
    vault = Vault.read(site.built.vault, PASSPHRASE)
    for number, (team, skill) in enumerate(TEAMS.items()):
        token = site.scratch / f"token-{number}"
        made = striate("serve", "account", site.built.folder, f"person{number}", "--email", f"p{number}@example.org",
                       "--team", team, "--token-file", token, "--data", site.data)  # fmt: skip
        assert made.status == 0, made.err
        file = site.scratch / f"model-{skill}.parquet"
        modelled(site.built, vault, mouse, "sensorium", skill, number).write(file)
        sent = striate("submit", file, "--to", site.address, "--token-file", token, "--note", "deeper core",
                       STRIATE_SETTINGS=str(site.scratch / f"settings-{number}"))  # fmt: skip
        assert sent.status == 0, sent.err
    site.run(
        "from striate.portal.models import User\nada = User.objects.get(username='person0')\n"
        f"ada.username, ada.name = 'ada', 'Ada'\nada.set_password({PASSWORD!r})\nada.save()"
    )


def picture(visitor: Visitor, path: str, file: Path) -> None:
    """Look at a page, and keep a picture of it, in few colours and so in few bytes."""
    visitor.open(path)
    raw = visitor.page.screenshot()
    drawn = Image.open(io.BytesIO(raw)).convert("RGB").quantize(128, dither=Image.Dither.NONE)
    drawn.save(file, optimize=True)
    print(f"{file}: {file.stat().st_size / 1e3:.0f} kB")


def main() -> None:
    """Draw all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    made: list[Simulation] = []

    def simulate(rules: Rules) -> list[Simulation]:
        made.extend(simulated(rules, MICE))
        return made

    with tempfile.TemporaryDirectory() as folder, stage(Path(folder), simulate) as site, browsing() as browser:
        fill_the_board(site, made[0])
        for end, size in (("", DESKTOP), ("-phone", PHONE)):
            visitor = Visitor(browser, site.address, size)
            picture(visitor, "/", out / f"home{end}.png")
            picture(visitor, "/boards/sensorium-image/", out / f"board{end}.png")
            visitor.open("/accounts/sign-in/")
            visitor.fill(User_name="ada", Password=PASSWORD)
            visitor.press("Sign in")
            picture(visitor, "/data/", out / f"data{end}.png")
            picture(visitor, "/team/", out / f"team{end}.png")
            visitor.page.locator("tbody th a:visible").first.click()
            visitor.page.wait_for_url("**/submissions/*/")
            picture(visitor, visitor.page.url, out / f"submission{end}.png")
            visitor.close()


if __name__ == "__main__":
    main()
