"""Moderation under attack: 200 disguised requests and 120 harmless ones; held media by every route."""

from __future__ import annotations

import base64
import codecs
import urllib.parse
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx

from integration.api.conftest import World
from mediatask_common.moderation import read_rules
from mediatask_common.store import artifact_key

Figure = Callable[[str], None]

BOOK = read_rules(
    {
        "violence": "id: violence\naction: refuse\nwords: [gore, decapitat*, beheading, dismember*, 'snuff film']\n",
        "weapons": "id: weapons\naction: refuse\nwords: ['pipe bomb', 'nerve gas', napalm]\n",
        "minors": "id: minors\naction: refuse\nwords: ['naked child*', 'child abuse']\n",
    }
)
WANTED = [
    "gore", "decapitated", "beheading", "dismembered", "snuff film", "pipe bomb", "nerve gas", "napalm",
    "naked children", "child abuse",
]  # fmt: skip
CYRILLIC = str.maketrans("aceopxyi", "асеорхуі")
GREEK = str.maketrans("aoeivp", "αοειυρ")
TURNED = str.maketrans("abcdefghijklmnoprtuvwy", "ɐqɔpǝɟƃɥᴉɾʞlɯuodɹʇnʌʍʎ")
MORSE = ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --.."


def in_morse(text: str) -> str:
    return " ".join(MORSE.split(" ")[ord(char) - 97] if char != " " else "/" for char in text)


DISGUISES: dict[str, Callable[[str], str]] = {
    "look-alikes, Cyrillic": lambda text: text.translate(CYRILLIC),
    "look-alikes, Greek": lambda text: text.translate(GREEK),
    "look-alikes, mathematical": lambda text: "".join(chr(0x1D400 + ord(c) - 97 + 26) if c != " " else c for c in text),
    "look-alikes, boxed": lambda text: "".join(chr(0x1F170 + ord(c) - 97) if c != " " else c for c in text),
    "full width and accents": lambda text: "".join(chr(ord(c) + 0xFEE0) + "\u0301" if c != " " else c for c in text),
    "zero width": lambda text: "\u200b".join(text),
    "soft hyphens and bidi": lambda text: "\u202e" + "\u00ad".join(text) + "\u202c",
    "spaced": lambda text: " ".join(text.replace(" ", "")),
    "dotted": lambda text: ".".join(text.replace(" ", "_")),
    "split by a hyphen": lambda text: text[:3] + "-" + text[3:],
    "split by a space": lambda text: text[: len(text) // 2] + " " + text[len(text) // 2 :],
    "leetspeak": lambda text: text.translate(str.maketrans("aeiost", "43105+")),
    "too many letters": lambda text: "".join(c * 4 if c in "aeiou" else c for c in text),
    "masked": lambda text: text[0] + "*" + text[2:],
    "percent": lambda text: "".join(f"%{ord(c):02x}" for c in text),
    "entities": lambda text: "".join(f"&#{ord(c)};" for c in text),
    "base64": lambda text: base64.b64encode(f"show {text}".encode()).decode(),
    "ROT13": lambda text: codecs.encode(f"show {text}", "rot_13"),
    "percent in base64": lambda text: base64.b64encode(urllib.parse.quote(f"a {text}!").encode()).decode(),
    "reversed or turned, or Morse": lambda text: {
        0: text[::-1], 1: text.translate(TURNED)[::-1], 2: in_morse(text),
    }[len(text) % 3],
}  # fmt: skip
SUBJECTS = [
    "A detective enters the dark alley, noir light", "Two lovers dance in the rain at midnight",
    "The convoy will be heading north through the desert", "A therapist listens, her notebook on her knee",
    "Close-up of a killer whale breaching at dawn", "The chef decants red wine over a gorgeous roast",
    "An analyst counts cash in a dim office", "Children abandon the naked tree at dusk, leaves falling",
    "A pipe organ, a bomber jacket on the pew", "The nerve of him: gas lamps flicker along the quay",
    "Scunthorpe station, 1953, steam and gore-tex coats", "A member of the band dismounts from the stage",
]  # fmt: skip
STYLES = [
    "", ", wide shot, 35 mm film", ", handheld, ISO 800, f/1.4", " (see https://example.com/a%20b?x=1&y=2)",
    ", style of a 1940s poster", " - scene 12, take 3", ", 4K, 24 fps, colour #a0b1c2", ", seed 1234567890abcdef",
    ": 'I'll be there', he says... slowly", ", café, naïve, Zürich, Москва, 東京",
]  # fmt: skip


def test_200_disguised_requests_against_the_rules(figure: Figure) -> None:
    missed: Counter[str] = Counter()
    for name, disguise in DISGUISES.items():
        for text in WANTED:
            prompt = f"A quiet street at night, then {disguise(text)} in the foreground, 35 mm"
            missed[name] += BOOK.judge([prompt], "film", "image").decision != "refuse"
    total = sum(missed.values())
    figure(f"{len(DISGUISES) * len(WANTED)} hostile, {total} missed: {dict(+missed)}")
    assert len(DISGUISES) * len(WANTED) == 200
    assert total <= 20
    assert all(BOOK.judge([text], "film", "image").decision == "refuse" for text in WANTED)


def test_harmless_requests_against_the_rules(figure: Figure) -> None:
    prompts = [subject + style for subject in SUBJECTS for style in STYLES]
    refused = [prompt for prompt in prompts if BOOK.judge([prompt], "film", "image").decision != "allow"]
    figure(f"{len(prompts)} harmless, {len(refused)} wrongly refused: {sorted({each[:40] for each in refused})}")
    # `gore-tex` has the word in it, as its own word: a rule for `gore` cannot know better.
    assert all("gore-tex" in prompt for prompt in refused)


async def _held(world: World) -> tuple[str, bytes]:
    """A task whose picture is in the store and held."""
    task_id, picture = await world.submit(), b"\x89PNG a picture that nobody may see"
    uid = (await world.task(task_id))["metadata"]["uid"]
    key = artifact_key("film", uid, 1, "image.png")
    await world.services.store.create(key, picture, "image/png")
    artifact = {
        "name": "image.png", "key": key, "sha256": "a" * 64, "bytes": len(picture), "contentType": "image/png",
    }  # fmt: skip
    condition = {
        "type": "Held", "status": "True", "reason": "HeldByRule", "message": "A review is asked for by rule look.",
        "lastTransitionTime": "2026-11-21T10:00:00Z",
    }  # fmt: skip
    await world.set_status(
        task_id,
        phase="processing",
        attempt=1,
        attempts=[{"number": 1, "jobName": "j", "endedAt": "2026-11-21T10:00:00Z"}],
        progress=1.0,
        currentStep="uploading",
        startedAt="2026-11-21T09:59:00Z",
        conditions=[condition],
        result={"artifacts": [artifact], "metadata": {"prompt": "what it shows"}},
        moderation={"decision": "hold", "rules": ["look"], "previews": False},
    )
    return task_id, picture


async def test_held_media_by_every_route(world: World, figure: Figure) -> None:
    task_id, picture = await _held(world)
    everything = {scope for scope in _scopes() if scope != "results:review"}
    director = await world.caller("film", role="director")
    nosy = await world.caller("film", scopes=sorted(everything))
    key = (await world.task(task_id))["status"]["result"]["artifacts"][0]["key"]
    leaks: list[str] = []
    asked = 0
    for caller in (director, nosy):
        reference = {"storyboard_images": [f"task://{task_id}/image.png"], "scene_description": "x"}
        submit = {"project_id": "film", "task_type": "generate_video", "task_data": reference}
        answers: list[httpx.Response] = [
            await caller.get(f"/tasks/{task_id}/status"),
            await caller.get(f"/tasks/{task_id}/status", headers={"Prefer": "wait=1"}),
            await caller.get(f"/tasks/{task_id}/media"),
            await caller.get(f"/tasks/{task_id}/logs"),
            await caller.get(f"/tasks/{task_id}/webhook"),
            await caller.get("/projects/film/tasks"),
            await caller.get("/projects/film/tasks", params={"status": "completed"}),
            await caller.get("/reviews"),
            await caller.post(f"/tasks/{task_id}/review", json={"decision": "release"}),
            await caller.post("/tasks/submit", json=submit),
            await caller.post("/tasks/estimate", json=submit),
            await caller.post("/tasks/batch", json={"tasks": [submit]}),
            await caller.post(f"/tasks/{task_id}/retry"),
            await caller.get(f"http://api/media/{key}"),
        ]
        asked += len(answers)
        for answer in answers:
            told = answer.content + str(answer.headers).encode()
            if picture in told or b"image.png?" in told or b"what it shows" in told or b"a" * 64 in told:
                leaks.append(f"{answer.request.method} {answer.request.url.path}")
        assert [answer.status_code for answer in answers[7:11]] == [403, 403, 400, 400]
    figure(f"{asked} requests, {len(leaks)} that lead to the picture {leaks}")
    assert not leaks
    state = (await director.get(f"/tasks/{task_id}/status")).json()
    assert (state["status"], state["current_step"], state["result"]) == ("processing", "held_for_review", None)


async def test_a_reviewer_sees_it_and_decides_once(world: World) -> None:
    task_id, picture = await _held(world)
    (held,) = (await world.api.get("/reviews", params={"project_id": "film"})).json()["reviews"]
    assert (held["task_id"], held["rules"], held["reason"]) == (task_id, ["look"], "HeldByRule")
    async with httpx.AsyncClient(transport=world.public) as http:
        assert (await http.get(held["result"]["media_url"])).content == picture
    other = await world.caller("other")
    assert (await other.get("/reviews")).json()["reviews"] == []
    assert (await other.post(f"/tasks/{task_id}/review", json={"decision": "release"})).status_code == 404
    answer = await world.api.post(f"/tasks/{task_id}/review", json={"decision": "reject", "note": "no"})
    assert answer.status_code == 200, answer.text
    review: dict[str, Any] = (await world.task(task_id))["spec"]["review"]
    assert review == {"decision": "reject", "sha256": "a" * 64, "by": "key:key-1", "note": "no"}
    await world.set_status(task_id, phase="failed", conditions=[], result=None)
    late = await world.api.post(f"/tasks/{task_id}/review", json={"decision": "release"})
    assert (late.status_code, late.json()["type"].rpartition(":")[2]) == (409, "task-not-held")


async def test_no_preview_of_what_may_be_held(world: World) -> None:
    task_id, _ = await _held(world)
    token = await world.token(await world.pod(task_id))
    body = {"attempt": 1, "progress": 0.5, "step": "drawing", "image": "not even looked at"}
    assert (await world.report(token, task_id, "preview", **body)).status_code == 200
    await world.set_status(task_id, moderation={"previews": None, "decision": None})
    assert (await world.report(token, task_id, "preview", **body)).status_code == 400, "of others it is looked at"


def _scopes() -> set[str]:
    from mediatask_common.access.roles import SCOPES

    return set(SCOPES)
