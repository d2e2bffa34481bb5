"""Bars as an SVG, without a plotting library."""
from xml.sax.saxutils import escape

WIDTH, LABELS, VALUES, BAR, GAP, MARGIN = 760, 170, 60, 15, 4, 14
OURS, PEERS = "#1f6feb", "#9aa4af"


def bar_plot(title, groups):
    """`groups`: {name: {label: value}}. One block of bars for each group; labels that begin with "belfry" stand out."""
    longest = max(value for bars in groups.values() for value in bars.values())
    parts, y = [], MARGIN + 16

    def text(x, y, content, style=""):
        parts.append(f'<text x="{x}" y="{y}" {style}>{escape(content)}</text>')

    text(MARGIN, y, title, 'font-weight="bold"')
    for name, bars in groups.items():
        y += 30
        text(MARGIN, y, name, 'font-weight="bold"')
        y += 8
        for label, value in bars.items():
            length = value / longest * (WIDTH - LABELS - VALUES - MARGIN)
            colour = OURS if label.startswith("belfry") else PEERS
            text(LABELS - 8, y + BAR - 3, label, 'text-anchor="end"')
            parts.append(f'<rect x="{LABELS}" y="{y}" width="{length:.1f}" height="{BAR}" fill="{colour}"/>')
            text(round(LABELS + length + 6, 1), y + BAR - 3, f"{value:.0f}")
            y += BAR + GAP
    height = y + MARGIN
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
            f'font-family="sans-serif" font-size="12">\n<rect width="100%" height="100%" fill="white"/>\n'
            + "\n".join(parts) + "\n</svg>\n")
