"""Bar charts as SVG, without anything but the standard library."""

from xml.sax.saxutils import escape

COLOURS = ['#1b6ca8', '#e07b39', '#6a994e', '#b5838d', '#6d597a', '#8d99ae', '#c9ada7']
LEFT, BAR, GAP, GROUP, TOP = 250, 15, 3, 16, 62
WIDTH = 860


def number(v):
    if v >= 100:
        return f'{v:,.0f}'
    if v >= 10:
        return f'{v:.1f}'
    return f'{v:.2f}'


def text(x, y, words, size=12, anchor='start', more=''):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}"'
            f'{more}>{escape(words)}</text>')


def legend(series):
    out, x = [], 16
    for i, name in enumerate(series):
        width = 26 + 6.6 * len(name)
        out.append((x, i, name))
        x += width
    lines, row, start = [], 0, 0
    for x, i, name in out:
        if x - start > WIDTH - 220 and x != start:
            row, start = row + 1, x - 16
        at = x - start + (0 if row else 0)
        y = 44 + 16 * row
        lines.append(f'<rect x="{at:.0f}" y="{y - 9}" width="11" height="11" '
                     f'fill="{COLOURS[i % len(COLOURS)]}"/>')
        lines.append(text(at + 16, y, name, 11))
    return lines, 16 * row


def bars(title, unit, rows, series):
    """`rows`: [(label, {series: (median, lowest, highest)})]. Returns the SVG."""
    highest = max((v[0] for _, values in rows for v in values.values()), default=1) or 1
    scale = (WIDTH - LEFT - 110) / highest
    head, extra = legend(series)
    body, y = [], TOP + extra
    for label, values in rows:
        here = [s for s in series if s in values]
        height = len(here) * (BAR + GAP)
        body.append(text(LEFT - 10, y + height / 2 + 2, label, 12, 'end'))
        for s in here:
            median, low, high = values[s]
            colour = COLOURS[series.index(s) % len(COLOURS)]
            body.append(f'<rect x="{LEFT}" y="{y}" width="{max(median * scale, 1):.1f}" '
                        f'height="{BAR}" fill="{colour}"/>')
            if high > low:
                a, b = LEFT + low * scale, LEFT + min(high, highest * 1.1) * scale
                body.append(f'<path d="M{a:.1f} {y + BAR / 2}H{b:.1f}" stroke="#222" '
                            'stroke-width="1"/>')
            at = LEFT + max(median, min(high, highest * 1.1)) * scale + 6
            body.append(text(at, y + BAR - 3, number(median), 11))
            y += BAR + GAP
        y += GROUP
    style = ('<style>text{font-family:sans-serif;fill:#222}</style>'
             f'<rect width="{WIDTH}" height="{y}" fill="#fff"/>')
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" '
            f'viewBox="0 0 {WIDTH} {y}">' + style
            + text(16, 24, f'{title} ({unit})', 15, more=' font-weight="bold"')
            + ''.join(head) + ''.join(body) + '</svg>\n')
