"""docs/FORMAT.md as the source of diskcache-format(5), in scdoc's language, on standard output.

SPDX-License-Identifier: Apache-2.0
"""

import re
import sys

HEAD = """diskcache-format(5)

# NAME

diskcache-format - what is in the directory of a cache

# DESCRIPTION
"""
TAIL = """
# SEE ALSO

*diskcache*(1), *diskcache*(3), *sqlite3*(1)
"""


def marked(text):
    """Bold and code become bold and underlined; what would be a mark is protected."""
    parts = re.split(r'(\*\*.+?\*\*|`[^`]+`)', re.sub(r'\[([^\]]+)\]\([^)]+\)', r'\1', text))
    out = []
    for part in parts:
        if part.startswith('**'):
            out.append('*%s*' % plain(part[2:-2]))
        elif part.startswith('`'):
            out.append('_%s_' % plain(part[1:-1]))
        else:
            out.append(plain(re.sub(r'\b_(.+?)_(?=\W)', r'\1', part)))
    return ''.join(out)


def plain(text):
    return re.sub(r'([\\*_<>#~`\[|])', r'\\\1', text)


def table(rows):
    """Left-aligned columns, the last of which takes the room that is left."""
    cells = [[cell.strip() for cell in row.strip().strip('|').split('|')] for row in rows]
    del cells[1]  # the line under the heading
    out = []
    for number, row in enumerate(cells):
        for at, cell in enumerate(row):
            begin = ('[[' if number == 0 else '|[') if at == 0 else ':<' if at == len(row) - 1 else ':['
            out.append('%s %s' % (begin, marked(cell) or '\\ '))
    return out


def main():
    print(HEAD)
    lines = open(sys.argv[1]).read().split('\n')[1:]
    rows = []
    for line in lines + ['']:
        if line.startswith('|'):
            rows.append(line)
            continue
        if rows:
            print('\n'.join(table(rows)))
            rows = []
        if line.startswith('#'):
            level, title = line.split(' ', 1)
            print('%s %s' % (level[1:], title.upper() if level == '##' else title))
        else:
            print(marked(line))
    print(TAIL, end='')


if __name__ == '__main__':
    main()
