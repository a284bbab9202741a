"""Charts as SVG text: horizontal bars in groups (`bars`), and lines (`lines`), each with a linear or logarithmic axis.

The same data give the same bytes. A chart brings its own background, and follows the reader's choice of light or dark where
the viewer passes it on, so that it can be read on either. Python's standard library only.

    svg = bars("Wall time", [Group("2 GB", [Bar("cp", 0.8, 0.7, 1.1, "base"), Bar("fragmint", 0.9, kind="own")])], "seconds")
    svg = lines("Growth", [Line("2 threads", [Point(1, 0.2), Point(10, 1.9)])], "hours", "seconds", log_x=True, log_y=True)
"""

import dataclasses
import html
import math

WIDTH = 860
MARGIN = 20
SIZE = 13  # of text, pixels

# kind -> (colour on light, on dark); both with enough contrast to the background to be told apart without colour vision.
COLOURS = {
    "own": ("#0b6bcb", "#58a6ff"),
    "own2": ("#6fb1ea", "#2f6fb5"),
    "base": ("#6e7781", "#9aa4af"),
    "peer": ("#c4622d", "#e3935f"),
    "other": ("#2f8f5b", "#56c288"),
    "other2": ("#8957c9", "#b794f0"),
    "other3": ("#a88300", "#d6b23a"),
}
SERIES = ["own", "peer", "other", "other2", "other3", "base", "own2"]


@dataclasses.dataclass
class Bar:
    """A bar from 0 to `value`, with a whisker from `low` to `high`. Without a value, `text` tells why: "not installed"."""

    label: str
    value: float = None
    low: float = None
    high: float = None
    kind: str = "peer"
    text: str = None  # beside the bar, instead of the value


@dataclasses.dataclass
class Group:
    title: str
    bars: list


@dataclasses.dataclass
class Point:
    x: float
    y: float
    low: float = None
    high: float = None


@dataclasses.dataclass
class Line:
    name: str
    points: list
    kind: str = None  # of COLOURS; by order otherwise
    dashed: bool = False


# Scales -------------------------------------------------------------------------------------------------------------------


class Scale:
    """Values to pixels: `start` is where the least tick is, `end` where the last is."""

    def __init__(self, values, start, end, log=False, most=7):
        values = [value for value in values if value is not None and (value > 0 or not log)] or [1]
        self.log, self.start, self.end = log, start, end
        self.ticks = log_ticks(min(values), max(values)) if log else linear_ticks(max(values), most)
        self.least, self.last = self.ticks[0], self.ticks[-1]

    def at(self, value):
        if self.log:
            value = max(value, self.least)
            share = math.log(value / self.least) / math.log(self.last / self.least)
        else:
            share = (value - self.least) / (self.last - self.least)
        return self.start + share * (self.end - self.start)


def linear_ticks(last, most):
    """0 and further round numbers, the last one at or above `last`."""
    power = 10 ** math.floor(math.log10(max(last, 1e-12) / most))
    step = next(power * factor for factor in (1, 2, 5, 10, 20) if last <= power * factor * most)
    return [index * step for index in range(max(1, math.ceil(last / step - 1e-9)) + 1)]


def log_ticks(least, last):
    """1, 2, 5, 10 … (or powers of ten, of a wide range) from below `least` to `last` or above."""
    low, high = math.floor(math.log10(least) + 1e-9), math.ceil(math.log10(last) - 1e-9)
    factors = (1, 2, 5) if high - low <= 3 else (1,)
    ticks = [factor * 10.0**power for power in range(low, high + 1) for factor in factors]
    first = max((index for index, tick in enumerate(ticks) if tick <= least * (1 + 1e-9)), default=0)
    end = next((index for index, tick in enumerate(ticks) if tick >= last * (1 - 1e-9)), len(ticks) - 1)
    return ticks[first : max(end, first + 1) + 1]


def number(value):
    """Three digits: 0.0123, 1.23, 12.3, 123, 12,300."""
    if value == 0:
        return "0"
    rounded = round(value, 2 - math.floor(math.log10(abs(value))))
    digits = 2 - math.floor(math.log10(abs(rounded)))  # 99.96 has become 100
    return f"{rounded:,.{max(0, digits)}f}" if abs(rounded) < 1e9 else f"{rounded:.2e}"


def tick_text(value):
    return f"{value:,.10f}".rstrip("0").rstrip(".") if abs(value) < 1e9 else f"{value:.0e}".replace("e+", "e")


# Pieces of SVG ------------------------------------------------------------------------------------------------------------


def width_of(text, size=SIZE):
    """About how wide text is: fonts differ, so this is on the generous side."""
    return len(text) * size * 0.56


def text(x, y, words, style="", anchor="start", size=SIZE):
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" class="{("t " + style).strip()}" text-anchor="{anchor}" font-size="{size}">'
        f"{html.escape(words)}</text>"
    )


def rule(x1, y1, x2, y2, style):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{style}"/>'


def style_sheet():
    def rules(side):
        ground, ink, soft, grid = [
            ("#ffffff", "#1f2328", "#59636e", "#d8dee4"),
            ("#0d1117", "#e6edf3", "#9da7b1", "#30363d"),
        ][side]
        colours = [f".{kind}{{fill:{pair[side]}}}.s-{kind}{{stroke:{pair[side]}}}" for kind, pair in COLOURS.items()]
        return (
            f".ground{{fill:{ground};stroke:{grid}}}.t{{fill:{ink}}}.soft{{fill:{soft}}}.grid{{stroke:{grid}}}"
            f".whisker{{stroke:{ink}}}.dot{{stroke:{ground}}}" + "".join(colours)
        )

    return (
        "<style>.t{font-family:system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif}.bold{font-weight:600}"
        ".slanted{font-style:italic}.series{fill:none;stroke-width:2}.whisker{stroke-width:1.2}"
        f"{rules(0)}@media (prefers-color-scheme:dark){{{rules(1)}}}</style>"
    )


def document(height, title, description, parts):
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:.0f}" viewBox="0 0 {WIDTH} {height:.0f}" '
        'role="img" aria-labelledby="title description">\n'
        f'<title id="title">{html.escape(title)}</title>\n<desc id="description">{html.escape(description)}</desc>\n'
        f'{style_sheet()}\n<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1:.0f}" rx="6" class="ground"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def wrap(words, width, size):
    lines = [""]
    for word in words.split():
        if lines[-1] and width_of(f"{lines[-1]} {word}", size) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def heading(title, subtitle):
    """The parts of a heading, and where the next thing may begin."""
    parts, y = [text(MARGIN, 30, title, "bold", size=17)], 30
    for line in wrap(subtitle, WIDTH - 2 * MARGIN, SIZE) if subtitle else []:
        y += 19
        parts.append(text(MARGIN, y, line, "soft"))
    return parts, y + 16


def footnotes(notes, y):
    parts = []
    for note in notes:
        for line in wrap(note, WIDTH - 2 * MARGIN, 12):
            y += 17
            parts.append(text(MARGIN, y, line, "soft", size=12))
    return parts, y


# Bars ---------------------------------------------------------------------------------------------------------------------

BAR, GAP = 16, 8


def bars(title, groups, unit, subtitle="", notes=(), log=False):
    """Horizontal bars. `unit` stands under the axis; a logarithmic axis begins below the least value, and says so. Groups of
    very different sizes want a chart, or at least a logarithmic axis, of their own."""
    every = [bar for group in groups for bar in group.bars]
    values = [value for bar in every for value in (bar.value, bar.low, bar.high) if value is not None]
    left = MARGIN + min(330, max(width_of(bar.label) for bar in every)) + 12
    right = WIDTH - MARGIN - max(56, *(width_of(bar_text(bar)) + 12 for bar in every if bar.value is not None), 56)
    scale = Scale(values, left, right, log)
    parts, top = heading(title, subtitle)
    bodies, y = [], top
    for group in groups:
        if group.title:
            y += 20
            bodies.append(text(MARGIN, y, group.title, "bold"))
            y += 8
        for bar in group.bars:
            bodies += one_bar(bar, scale, left, y)
            y += BAR + GAP
        y += 4
    for tick in scale.ticks:
        parts.append(rule(scale.at(tick), top + 4, scale.at(tick), y, "grid"))
        parts.append(text(scale.at(tick), y + 16, tick_text(tick), "soft", "middle", 12))
    parts += bodies
    parts.append(text((left + right) / 2, y + 34, unit + (" (logarithmic)" if log else ""), "soft", "middle", 12))
    last, y = footnotes(notes, y + 40)
    description = "; ".join(f"{group.title}: " + ", ".join(f"{b.label} {bar_text(b)}" for b in group.bars) for group in groups)
    return document(y + 14, title, f"{unit}. {description}", parts + last)


def bar_text(bar):
    return bar.text if bar.text is not None else "" if bar.value is None else number(bar.value)


def one_bar(bar, scale, left, y):
    middle = y + BAR / 2
    parts = [text(left - 8, middle + 4.5, bar.label, "bold" if bar.kind.startswith("own") else "", "end")]
    if bar.value is None:
        return parts + [text(left + 6, middle + 4.5, bar_text(bar), "soft slanted")]
    end = scale.at(bar.value)
    parts.append(f'<rect x="{left:.1f}" y="{y:.1f}" width="{max(1, end - left):.1f}" height="{BAR}" rx="2" class="{bar.kind}"/>')
    if bar.low is not None and bar.high is not None:
        low, high = scale.at(bar.low), scale.at(bar.high)
        parts.append(rule(low, middle, high, middle, "whisker"))
        parts += [rule(x, middle - 4, x, middle + 4, "whisker") for x in (low, high)]
        end = max(end, high)
    return parts + [text(end + 8, middle + 4.5, bar_text(bar), "bold" if bar.kind.startswith("own") else "")]


# Lines --------------------------------------------------------------------------------------------------------------------


def lines(title, series, x_unit, y_unit, subtitle="", notes=(), log_x=False, log_y=False, height=360):
    """Lines through points, each with a whisker from low to high; names stand in a legend above. A linear axis begins at 0."""
    points = [point for line in series for point in line.points]
    parts, top = heading(title, subtitle)
    for index, line in enumerate(series):
        line.kind = line.kind or SERIES[index % len(SERIES)]
    legend, top = legend_of(series, top)
    bottom = top + height
    down = Scale([v for p in points for v in (p.y, p.low, p.high) if v is not None], bottom, top + 10, log_y)
    left = MARGIN + 24 + max(width_of(tick_text(tick), 12) for tick in down.ticks)
    across = Scale([point.x for point in points], left, WIDTH - MARGIN - 24, log_x, 9)
    for tick in down.ticks:
        parts.append(rule(left, down.at(tick), across.end, down.at(tick), "grid"))
        parts.append(text(left - 8, down.at(tick) + 4, tick_text(tick), "soft", "end", 12))
    for tick in across.ticks:
        parts.append(rule(across.at(tick), top + 10, across.at(tick), bottom, "grid"))
        parts.append(text(across.at(tick), bottom + 17, tick_text(tick), "soft", "middle", 12))
    for line in series:
        parts += one_line(line, across, down)
    log = " (logarithmic)"
    parts.append(text((left + across.end) / 2, bottom + 35, x_unit + (log if log_x else ""), "soft", "middle", 12))
    middle = (top + bottom) / 2
    turned = text(0, 0, y_unit + (log if log_y else ""), "soft", "middle", 12)
    parts.append(f'<g transform="translate({MARGIN},{middle:.1f}) rotate(-90)">{turned}</g>')
    last, y = footnotes(notes, bottom + 41)
    told = "; ".join(f"{line.name}: " + ", ".join(f"{number(p.x)} → {number(p.y)}" for p in line.points) for line in series)
    return document(y + 14, title, f"{y_unit} by {x_unit}. {told}", parts + legend + last)


def legend_of(series, y):
    parts, x, y = [], MARGIN, y + 8
    for line in series:
        wide = width_of(line.name) + 52
        if x + wide > WIDTH - MARGIN and x > MARGIN:
            x, y = MARGIN, y + 20
        dash = ' stroke-dasharray="5 4"' if line.dashed else ""
        parts.append(f'<path d="M{x:.1f} {y:.1f}h24" class="series s-{line.kind}"{dash}/>')
        parts.append(text(x + 30, y + 4.5, line.name))
        x += wide
    return parts, y + 8


def one_line(line, across, down):
    places = [(across.at(point.x), down.at(point.y)) for point in line.points]
    dash = ' stroke-dasharray="5 4"' if line.dashed else ""
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    parts = [f'<path d="{path}" class="series s-{line.kind}"{dash}/>']
    for point, (x, y) in zip(line.points, places):
        if point.low is not None and point.high is not None:
            low, high = down.at(point.low), down.at(point.high)
            parts += [rule(x, low, x, high, "whisker"), rule(x - 3, low, x + 3, low, "whisker"), rule(x - 3, high, x + 3, high, "whisker")]
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" class="dot {line.kind}"/>')
    return parts
