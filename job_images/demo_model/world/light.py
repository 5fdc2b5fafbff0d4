"""How the hour and the weather colour everything: the sky's two colours, and what light does to a surface."""

from __future__ import annotations

from dataclasses import dataclass

from demo_model.world.canvas import Colour, mix, scale

_SKY: dict[str, tuple[Colour, Colour]] = {
    "dawn": ((150, 172, 226), (255, 196, 190)),
    "day": ((72, 146, 232), (196, 228, 250)),
    "dusk": ((66, 36, 112), (252, 128, 58)),
    "night": ((7, 10, 34), (30, 42, 92)),
}
_BRIGHTNESS = {"dawn": 0.84, "day": 1.0, "dusk": 0.56, "night": 0.36}
_TINT: dict[str, Colour] = {
    "dawn": (1.04, 0.93, 0.97),
    "day": (1.0, 1.0, 1.0),
    "dusk": (1.15, 0.84, 0.86),
    "night": (0.80, 0.90, 1.28),
}
_CLOUD: dict[str, tuple[float, Colour]] = {  # how much of the sky is covered, and by what (in daylight)
    "clear": (0.0, (255, 255, 255)),
    "rain": (0.68, (112, 122, 138)),
    "snow": (0.62, (206, 212, 222)),
    "fog": (0.60, (204, 208, 212)),
}


@dataclass(frozen=True)
class Light:
    """The light of one scene."""

    brightness: float
    tint: Colour
    sky_top: Colour
    sky_bottom: Colour

    @property
    def dark(self) -> bool:
        """Whether lamps are on."""
        return self.brightness < 0.7

    def on(self, colour: Colour, factor: float = 1.0) -> Colour:
        """What ``colour`` looks like in this light."""
        red, green, blue = scale(colour, self.brightness * factor)
        return (red * self.tint[0], green * self.tint[1], blue * self.tint[2])

    def on_subject(self, colour: Colour, factor: float = 1.0) -> Colour:
        """Like ``on``, but never so dark that the subject's own colour is lost."""
        red, green, blue = scale(colour, max(self.brightness, 0.66) * factor)
        return (red * self.tint[0], green * self.tint[1], blue * self.tint[2] * (0.86 if self.dark else 1.0))


def light_of(time: str, weather: str) -> Light:
    """The light of an hour (``TIMES``) under a weather (``WEATHERS``)."""
    brightness = _BRIGHTNESS[time] * (0.86 if weather == "rain" else 1.0)
    top, bottom = _SKY[time]
    cover, cloud = _CLOUD[weather]
    shaded = scale(cloud, brightness * 0.94)
    tint = _TINT[time]
    clouded = (shaded[0] * tint[0], shaded[1] * tint[1], shaded[2] * tint[2])
    return Light(brightness, tint, mix(top, clouded, cover), mix(bottom, clouded, cover * 0.8))
