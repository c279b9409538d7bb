"""Pictures of what peers.py has measured, as SVG, each on a light and on a dark page.

    plots.py build/bench.json DIRECTORY

draws them again. Needs matplotlib, which the environment of scripts/peers.sh has.

SPDX-License-Identifier: Apache-2.0
"""

import json
import math
import os
import sys

import matplotlib
from backends import OURS

matplotlib.use('svg')
import matplotlib.pyplot as plt  # noqa: E402 the back end first
from matplotlib.ticker import FuncFormatter, NullFormatter  # noqa: E402

# Ours and what we replace are told apart by colour, all others are one grey: each is named at its line.
THEMES = {
    'light': {'text': '#1f2328', 'faint': '#d0d7de', 'other': '#8c959f', 'ours': '#0969da', 'old': '#bc4c00'},
    'dark': {'text': '#e6edf3', 'faint': '#3d444d', 'other': '#7d8590', 'ours': '#58a6ff', 'old': '#f0883e'},
}  # fmt: skip


def colour(name, theme):
    return theme['ours' if name in (*OURS, 'c') else 'old' if '5.6.3' in name else 'other']


def plain(value, _=None):
    return '%g' % value if value < 1000 else '%gk' % (value / 1000) if value < 1e6 else '%gM' % (value / 1e6)


def dress(axes, theme, title):
    axes.set_title(title, loc='left', fontsize=11, color=theme['text'], pad=10)
    axes.grid(True, which='major', color=theme['faint'], linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(colors=theme['text'], which='both', length=0, labelsize=9)
    for side in axes.spines.values():
        side.set_visible(False)


def logarithmic(axis):
    axis.set_major_formatter(FuncFormatter(plain))
    axis.set_minor_formatter(NullFormatter())


def apart(wanted, gap):
    """Where labels go: as near to what is wanted as they can be with this gap between them."""
    blocks = []  # sum of what the lowest label of it would want, and its members
    for at, n in sorted((at, n) for n, at in enumerate(wanted)):
        blocks.append((at, [n]))
        while len(blocks) > 1:
            (low, below), (high, above) = blocks[-2:]
            if low / len(below) + gap * len(below) <= high / len(above):
                break
            blocks[-2:] = [(low + high - gap * len(below) * len(above), below + above)]
    return {n: total / len(members) + gap * place
            for total, members in blocks for place, n in enumerate(members)}  # fmt: skip


def percentiles(peers, theme):
    """Median to 99th percentile of get and set, one process and the published workload."""
    names = [name for name in peers if 'get' in peers[name].get('published-1', {})]
    names.sort(key=lambda name: -peers[name]['published-1']['get']['median'])
    figure, both = plt.subplots(1, 2, figsize=(9, 0.29 * len(names) + 1.3), sharey=True)
    for axes, row in zip(both, ('get', 'set')):
        for at, name in enumerate(names):
            found, ink = peers[name]['published-1'][row], colour(name, theme)
            axes.plot([found['median'], found['p99']], [at, at], color=ink, linewidth=2, alpha=0.45)
            axes.plot([found['median']], [at], 'o', color=ink, markersize=6)
            axes.plot([found['p99']], [at], '|', color=ink, markersize=9, markeredgewidth=2)
        axes.set_xscale('log')
        logarithmic(axes.xaxis)
        dress(axes, theme, '%s, µs: median ● to 99th percentile |' % row)
    both[0].set_yticks(range(len(names)), ['%(title)s (%(durability)s)' % peers[name] for name in names])
    for label, name in zip(both[0].get_yticklabels(), names):
        label.set_color(colour(name, theme) if colour(name, theme) != theme['other'] else theme['text'])
    return figure


def lines(axes, theme, peers, series, xs):
    """One line for each peer, named at its end."""
    ends = [(name, ys[-1], ws[-1]) for name, (ws, ys) in series.items()]
    for name, (ws, ys) in series.items():
        ink = colour(name, theme)
        axes.plot(ws, ys, '-o', color=ink, linewidth=2.2 if ink != theme['other'] else 1.2, markersize=4,
                  zorder=3 if ink != theme['other'] else 2)  # fmt: skip
    axes.set_xscale('log')
    axes.set_yscale('log')
    low, high = axes.get_ylim()
    places = apart([math.log(y) for _, y, _ in ends], math.log(high / low) * 0.042)
    for n, (name, y, x) in enumerate(ends):
        ink, place = colour(name, theme), math.exp(places[n])
        axes.plot([x, xs[-1] * 1.05, xs[-1] * 1.12], [y, place, place], color=ink, linewidth=0.5, clip_on=False)
        axes.annotate(peers[name]['title'], (xs[-1] * 1.15, place), color=ink, fontsize=8, va='center',
                      annotation_clip=False)  # fmt: skip
    axes.set_xlim(xs[0] / 1.1, xs[-1] * 1.03)
    axes.set_ylim(low, high)
    axes.set_xticks(xs, [plain(x) for x in xs])
    axes.xaxis.set_minor_formatter(NullFormatter())
    logarithmic(axes.yaxis)


def by_number(peers, kind, row):
    """{peer: (numbers, figures)} of the measurements of a kind; a peer with one figure has no line."""
    series = {}
    for name, peer in peers.items():
        points = sorted(
            (int(mode.split('-')[1]), found[row]) for mode, found in peer.items()
            if mode.startswith(kind + '-') and row in found)  # fmt: skip
        if len(points) > 1:
            series[name] = tuple(zip(*points))
    return series


def processes(peers, theme):
    series = by_number(peers, 'published', 'rate')
    xs = sorted({x for ws, _ in series.values() for x in ws})
    figure, axes = plt.subplots(figsize=(9, 5))
    lines(axes, theme, peers, series, xs)
    dress(axes, theme, 'Operations a second by number of processes: 90 % get, 9 % set, 1 % delete')
    return figure


def keys(peers, theme):
    figure, both = plt.subplots(1, 2, figsize=(11, 5))
    for axes, row, what in zip(both, ('read-mostly', 'write-heavy'), ('5 % sets', '50 % sets')):
        series = by_number(peers, 'keys', row)
        lines(axes, theme, peers, series, sorted({x for ws, _ in series.values() for x in ws}))
        dress(axes, theme, 'µs a call by number of keys, ' + what)
    figure.subplots_adjust(wspace=0.65)
    return figure


PICTURES = {'percentiles': percentiles, 'processes': processes, 'keys': keys}


def draw(report, folder):
    os.makedirs(folder, exist_ok=True)
    peers = {name: peer for name, peer in report['peers'].items() if 'missing' not in peer}
    plt.rcParams.update({'svg.fonttype': 'none', 'svg.hashsalt': 'diskcache', 'font.family': 'sans-serif'})
    note = '%(processor)s, %(cores)d cores, Linux %(kernel)s' % report['system'] + '; ' + report['command']
    for name, picture in PICTURES.items():
        for shade, theme in THEMES.items():
            figure = picture(peers, theme)
            figure.axes[0].annotate(note, (0, 0), (0, -32), xycoords='axes fraction',
                                    textcoords='offset points', fontsize=8, color=theme['other'])  # fmt: skip
            figure.savefig(os.path.join(folder, '%s-%s.svg' % (name, shade)), transparent=True,
                           bbox_inches='tight', metadata={'Date': None})  # fmt: skip
            plt.close(figure)


if __name__ == '__main__':
    with open(sys.argv[1]) as reader:
        draw(json.load(reader), sys.argv[2])
