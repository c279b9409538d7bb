"""The source of the site: generate.py DIRECTORY.

Copies docs/site and what it shows of the rest of the tree, and writes the reference: of C from the comments of
the headers, of the tool from its manual page, of Python by autodoc when Sphinx runs. So nothing is said twice.

SPDX-License-Identifier: Apache-2.0
"""

import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Pages that are files of the repository, where they are read without the site.
PAGES = {
    'docs/ARCHITECTURE.md': 'design.md',
    'docs/FORMAT.md': 'reference/format.md',
    'docs/DIFFERENCES.md': 'reference/differences.md',
    'docs/MIGRATING.md': 'howto/moving.md',
    'docs/RECOVERY.md': 'howto/recovery.md',
    'docs/SECURITY.md': 'howto/security.md',
    'docs/MEMTABLE.md': 'memtable.md',
    'docs/PERFORMANCE.md': 'performance.md',
    'CHANGELOG.md': 'changelog.md',
}
# One of the two is shown, as the reader has chosen light or dark.
PICTURE_TAG = r'<picture>.*?<img alt="(.*?)" src="plots/(.*?)-light.svg">.*?</picture>'
PICTURE = '\n\n'.join(
    '```{image} plots/\\2-%s.svg\n:alt: \\1\n:class: only-%s\n```' % (shade, shade) for shade in ('light', 'dark')
)
HEADERS = ('diskcache.h', 'diskcache_collections.h', 'diskcache_recipes.h')
MANUALS = {'diskcache.1.scd': 'tool.md'}


def page(source, target):
    """Its links to other files of the repository lead to their pages, or are none."""

    def link(match):
        text, path = match.groups()
        name = (source.parent / path.split('#')[0]).resolve()
        known = name.is_relative_to(ROOT) and PAGES.get(str(name.relative_to(ROOT)))
        return '[%s](/%s)' % (text, known) if known else text

    text = source.read_text()
    text = re.sub(PICTURE_TAG, PICTURE, text, flags=re.S)
    text = re.sub(r'\[([^\]]+)\]\((?!https?:|#)([^)]+)\)', link, text)
    return re.sub(r'^```sh \w+$', '```sh', text, flags=re.M)  # a name, for the tests


def without_stars(comment):
    lines = comment.strip()[2:-2].split('\n')
    return '\n'.join(re.sub(r'^ \* ?', '', line).rstrip() for line in lines).strip()


def header(name):
    """Sections, and under them each comment with the declarations that it is about."""
    text = (ROOT / 'include' / name).read_text()
    first, rest = text.split('*/', 1)
    out = ['## <%s>' % name, '```text', without_stars(first + '*/').replace('SPDX-License-Identifier: Apache-2.0\n\n', ''), '```']
    for part in re.split(r'\n\n+', rest):
        section = re.fullmatch(r'/\* ---- (.*?) -+ \*/', part.strip())
        comment = re.match(r'/\*.*?\*/', part.strip(), re.S)
        if section:
            out.append('### ' + section.group(1).capitalize())
        elif re.match(r'#(ifndef|ifdef|endif|include|if )|}|extern', part.strip()):
            continue
        elif comment and comment.end() < len(part.strip()):
            out += [prose(without_stars(comment.group())), '```c',
                    part.strip()[comment.end():].strip().replace('DCACHE_API ', ''), '```']  # fmt: skip
        elif comment:
            out.append(prose(without_stars(comment.group())))
        elif part.strip():
            out += ['```c', part.strip().replace('DCACHE_API ', ''), '```']
    return '\n\n'.join(out).replace('```c\n\n', '```c\n').replace('```text\n\n', '```text\n').replace(
        '\n\n```\n', '\n```\n')  # fmt: skip


def prose(text):
    """A table or list of a comment stays as it is written."""
    if re.search(r'^ {2,}', text, re.M):
        return '```text\n%s\n```' % text
    return re.sub(r'([*_<])', r'\\\1', text)


def manual(path):
    """A page in scdoc's language. An indented line explains the one before it."""
    out, inside = [], False
    lines = path.read_text().split('\n')[2:]
    for line in lines:
        if line.startswith('```'):
            inside = not inside
            out.append('```text' if inside else line)
        elif inside:
            out.append(line)
        elif line.startswith('#'):
            out.append('#' + line[:line.rindex('#') + 1] + ' ' + line.lstrip('# ').capitalize())
        elif line.startswith('\t'):
            begins = out and not out[-1].startswith((':   ', '    ')) and out[-1]
            out.append((':   ' if begins else '    ') + marked(line.strip()))
        else:
            out.append(marked(line))
    return '\n'.join(out)


def marked(line):
    line = line.replace('<', '\\<').replace('[', '\\[').replace(']', '\\]')
    line = re.sub(r'(?<![\w\\])_([^_]+?)_(?!\w)', r'{EM}\1{EM}', line)
    line = re.sub(r'(?<![\w\\])\*([^*]+?)\*', r'**\1**', line)
    return line.replace('{EM}', '*')


def main():
    target = Path(sys.argv[1])
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(ROOT / 'docs/site', target, ignore=shutil.ignore_patterns('*.py', '__pycache__'))
    shutil.copy(ROOT / 'docs/site/conf.py', target)
    if (ROOT / 'docs/plots').exists():
        shutil.copytree(ROOT / 'docs/plots', target / 'plots')
    for source, name in PAGES.items():
        if (ROOT / source).exists():
            (target / name).write_text(page(ROOT / source, name))
    text = '# C\n\n' + '\n\n'.join(header(name) for name in HEADERS) + '\n'
    (target / 'reference/c.md').write_text(text)
    comment = re.search(r'/\* A setting: one of.*?\*/', (ROOT / 'include/diskcache.h').read_text(), re.S)
    settings = target / 'reference/settings.md'
    settings.write_text(settings.read_text().replace(
        '@SETTINGS@', '```text\n%s\n```' % without_stars(comment.group())))  # fmt: skip
    for source, name in MANUALS.items():
        text = '# diskcache(1)\n\n' + manual(ROOT / 'docs' / source)
        (target / 'reference' / name).write_text(text)


if __name__ == '__main__':
    main()
