"""The page in a real browser: what the script does to it, and that no width or colour scheme breaks it."""

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.report.runs import NASTY, parse
from tests.report.test_page import finetune_run, page_of, retrieval_run


@pytest.fixture(scope="session")
def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        if os.environ.get("SCE_REQUIRE_SHARED") == "1":
            pytest.fail("SCE_REQUIRE_SHARED=1, but there is no chromium here: apt-get install chromium")
        pytest.skip("there is no chromium here to open the page with")
    return found


def run_chromium(chromium: str, page: Path, *options: str) -> subprocess.CompletedProcess[str]:
    fixed = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--no-first-run",
        "--disable-extensions",
    ]
    profile = f"--user-data-dir={page.parent / 'profile'}"
    return subprocess.run(
        [chromium, *fixed, profile, "--virtual-time-budget=2000", *options, page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
    )


def opened(chromium: str, page: Path, *options: str):
    shown = run_chromium(chromium, page, "--dump-dom", *options)
    assert shown.returncode == 0, shown.stderr
    return parse(shown.stdout)


# Runs after the page's own script and writes its findings into the title, which --dump-dom shows.
def probing(page: str, script: str) -> str:
    return allowed(page, script).replace("</body>", f"<script>{script}</script></body>")


def allowed(page: str, script: str) -> str:
    """The page with one more script that its policy allows; everything else stays forbidden."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert page.count("script-src &#x27;sha256-") == 1
    return page.replace("script-src ", f"script-src &#x27;sha256-{digest}&#x27; ", 1)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("runs")
    return page_of(retrieval_run(folder / "retrieval", name=NASTY), finetune_run(folder / "finetune", name="finetune"))


def title_after(chromium: str, folder: Path, page: str, script: str, *options: str) -> str:
    file = folder / "page.html"
    file.write_text(probing(page, script), encoding="utf-8")
    return opened(chromium, file, *options).one("head").one("title").text


def test_the_script_runs_and_nasty_names_stay_text(chromium: str, tmp_path: Path, page: str) -> None:
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    read = opened(chromium, tmp_path / "page.html")
    assert read.one("html").attributes["data-playing"] == "yes"
    assert "hidden" not in read.one("button", id="play").attributes
    assert all("hidden" not in control.attributes for control in read.all("p", class_="control"))
    assert read.all("img") == []
    assert NASTY in [option.text.removesuffix(" (50.0 %)") for option in read.all("option")]


def test_without_the_script_everything_is_shown_but_its_controls(page: str) -> None:
    read = parse(page)
    assert all("hidden" in control.attributes for control in read.all("p", class_="control") + read.all("button"))
    others = [node for tag in ("section", "li", "figure", "table", "svg", "div") for node in read.all(tag)]
    assert not any("hidden" in node.attributes for node in others)


FILTERS = """
    const choice = document.getElementById("gallery-class");
    choice.value = "1"; choice.dispatchEvent(new Event("change"));
    const seen = () => [...document.querySelectorAll(".query")].filter((card) => card.offsetHeight).length;
    const first = seen() + " " + document.getElementById("gallery-count").textContent;
    choice.value = ""; choice.dispatchEvent(new Event("change"));
    document.title = first + ", then " + seen();
"""


def test_the_filter_leaves_one_class(done: dict[str, str]) -> None:
    assert done["filters"] == "2 2 queries shown, then 4"


HIGHLIGHTS = """
    const choice = document.getElementById("map-class");
    choice.value = "0"; choice.dispatchEvent(new Event("change"));
    const dots = (kind) => [...document.querySelectorAll(".map " + kind)];
    const labels = (kind) => dots(kind).map((dot) => dot.dataset.label).join("");
    const chosen = labels(".chosen") + "/" + labels(".dim");
    choice.value = ""; choice.dispatchEvent(new Event("change"));
    document.title = chosen + ", then " + labels(".chosen") + labels(".dim");
"""


def test_the_map_highlights_one_class(done: dict[str, str]) -> None:
    assert done["highlights"] == "00/11, then"  # a title ends with no space


NOTES_VIOLATIONS = """
    const blocked = [];
    document.addEventListener("securitypolicyviolation", (event) => blocked.push(event.effectiveDirective));
    addEventListener("load", () => setTimeout(() => { document.title = "blocked: " + blocked.join(" "); }, 500));
"""


def violations(chromium: str, folder: Path, page: str) -> str:
    """Of what a page does while it loads, and in the half second after."""
    noting = allowed(page, NOTES_VIOLATIONS).replace("<title>", f"<script>{NOTES_VIOLATIONS}</script><title>", 1)
    (folder / "page.html").write_text(noting, encoding="utf-8")
    return opened(chromium, folder / "page.html").one("head").one("title").text


def test_the_policy_allows_the_page(chromium: str, tmp_path: Path, page: str) -> None:
    assert violations(chromium, tmp_path, page) == "blocked: "


SMUGGLED = [
    ("<script>document.title = 'owned'</script>", "script-src-elem"),
    ("<b onclick='1' id='x'></b><script>1</script>", "script-src-elem"),
    ("<img src='x' onerror='document.title=1'>", "img-src"),
    ("<img src='data:,x' onerror='document.title=1'>", "script-src-attr"),
    ("<p style='color: red'>red</p>", "style-src-attr"),
    ("<style>p { color: red }</style>", "style-src-elem"),
    ("<link rel='stylesheet' href='other.css'>", "style-src-elem"),
    ("<iframe src='other.html'></iframe>", "frame-src"),
    ("<object data='other.html'></object>", "object-src"),
    ("<base href='https://example.invalid/'>", "base-uri"),
    ("<video src='other.mp4'></video>", "media-src"),
]


def test_the_policy_allows_nothing_else(chromium: str, tmp_path: Path, page: str) -> None:
    """As if names had got through the escaping; each is blocked, the onerror of both pictures too."""
    smuggled = "".join(element for element, _ in SMUGGLED)
    first, *told = violations(chromium, tmp_path, page.replace("<main>", f"<main>{smuggled}", 1)).split()
    assert first == "blocked:"
    expected = Counter(directive for _, directive in SMUGGLED) + Counter({"script-src-attr": 2})
    assert Counter(told) == expected


PLAYING = """
    const clip = document.querySelector(".clip:not(.still)"), button = document.getElementById("play");
    const state = () => getComputedStyle(clip).animationPlayState + " (" + button.textContent + ")";
    const states = [state()];
    button.focus(); button.click(); states.push(state());
    button.click(); states.push(state());
    document.title = states.join(", ");
"""


def test_pictures_move_and_a_button_stops_them(done: dict[str, str]) -> None:
    running, paused = "running (Pause pictures)", "paused (Play pictures)"
    assert done["playing"] == f"{running}, {paused}, {running}"


def test_pictures_rest_if_reduced_motion_is_preferred(chromium: str, tmp_path: Path, page: str) -> None:
    running, paused = "running (Pause pictures)", "paused (Play pictures)"
    options = "--force-prefers-reduced-motion"
    assert title_after(chromium, tmp_path, page, PLAYING, options) == f"{paused}, {running}, {paused}"


STEPS = """
    const clip = document.querySelector(".clip:not(.still)"), [animation] = clip.getAnimations();
    animation.pause();
    const place = () => getComputedStyle(clip).backgroundPositionX;
    const at = (share) => { animation.currentTime = 500 * share; return place(); };
    document.title = [0.1, 0.4, 0.6, 0.9].map(at).join(" ");
"""


@pytest.fixture(scope="module")
def done(chromium: str, tmp_path_factory: pytest.TempPathFactory, page: str) -> dict[str, str]:
    """The findings of all scripts on one page: each leaves it as it was, the last excepted."""
    scripts = {"filters": FILTERS, "highlights": HIGHLIGHTS, "playing": PLAYING, "steps": STEPS}
    blocks = [f"{{ {script} found.{name} = document.title; }}" for name, script in scripts.items()]
    script = "\n".join(["const found = {};", *blocks, "document.title = JSON.stringify(found);"])
    return json.loads(title_after(chromium, tmp_path_factory.mktemp("page"), page, script))


def test_a_moving_picture_steps_through_its_frames(done: dict[str, str]) -> None:
    assert done["steps"] == "0% 0% 100% 100%"  # two frames in half a second


def test_the_page_does_not_scroll_sideways(chromium: str, tmp_path: Path, page: str) -> None:
    """In frames of two widths: a headless window is never narrower than 500 pixels."""
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    frames = [
        f"""<iframe src="page.html" width="{width}" height="800" style="border:0" onload="
        const root = this.contentDocument.documentElement;
        document.title += root.clientWidth + ' ' + root.scrollWidth + ';'"></iframe>"""
        for width in (360, 1280)
    ]
    (tmp_path / "frame.html").write_text("<!DOCTYPE html><title></title>" + "".join(frames), encoding="utf-8")
    shown = run_chromium(chromium, tmp_path / "frame.html", "--dump-dom", "--allow-file-access-from-files")
    found = re.search(r"<title>(.*?)</title>", shown.stdout).group(1)
    assert sorted(found.split(";")) == ["", "1280 1280", "360 360"]


def luminance(color: str) -> float:
    """Relative luminance as WCAG 2 defines it, of "rgb(r, g, b)"."""
    channels = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


CONTRAST = """
    const behind = (node) => {
      for (; node; node = node.parentElement) {
        const color = getComputedStyle(node).backgroundColor;
        if (!/, 0\\)$/.test(color)) return color;
      }
    };
    const pairs = new Set();
    for (const node of document.querySelectorAll("body *")) {
      const texts = [...node.childNodes].filter((child) => child.nodeType === 3 && child.data.trim());
      if (!texts.length || node.closest("svg, script, .only-read")) continue;
      pairs.add(getComputedStyle(node).color + " on " + behind(node));
    }
    for (const text of document.querySelectorAll("svg text")) {
      pairs.add(getComputedStyle(text).fill + " on " + behind(text));
    }
    document.title = [...pairs].join("; ");
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read(chromium: str, tmp_path: Path, page: str, scheme: str) -> None:
    """WCAG 2 AA: a contrast of 4.5 to 1."""
    options = f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}"
    pairs = title_after(chromium, tmp_path, page, CONTRAST, options).split("; ")
    assert len(pairs) >= 8
    for pair in pairs:
        brighter, darker = sorted(map(luminance, pair.split(" on ")), reverse=True)
        assert (brighter + 0.05) / (darker + 0.05) >= 4.5, pair
    assert any(pair.endswith("rgb(20, 23, 26)") for pair in pairs) == (scheme == "dark")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_drawn(chromium: str, tmp_path: Path, page: str, scheme: str) -> None:
    """A screenshot is neither empty nor in the other scheme, and the moving pictures are in it."""
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    options = f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}"
    pixels, num_tries = screenshot(chromium, tmp_path / "page.html", options), 1
    while num_tries < 5 and not (num_of("red", pixels) and num_of("blue", pixels)):  # a busy machine decodes late
        pixels, num_tries = screenshot(chromium, tmp_path / "page.html", options), num_tries + 1
    assert (np.median(pixels) < 60) == (scheme == "dark")
    assert num_of("red", pixels) > 2000  # the pictures of the bank, see `reported`
    assert num_of("blue", pixels) > 2000  # those of the queries


def screenshot(chromium: str, page: Path, *options: str) -> np.ndarray:
    """(H, W, 3)"""
    picture = page.with_suffix(".png")
    run_chromium(chromium, page, f"--screenshot={picture}", "--window-size=1280,4000", *options)
    with Image.open(picture) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def num_of(color: str, pixels: np.ndarray) -> int:
    channels = pixels.transpose(2, 0, 1)
    own = {"red": 0, "blue": 2}[color]
    return int(((channels[own] > 230) & (np.delete(channels, own, axis=0) < 30).all(axis=0)).sum())
