"""Every example of the site and of README.md does what the page says: check_docs.py [PAGE...].

A page's blocks of Python, shell and C are run in turn in one directory, those of Python in one namespace; a block
of text right behind one is what it prints. A block that cannot be run has `<!-- not run: WHY -->` before it.
Run by the Python of scripts/python.sh; the last line is "N passed, N failed".

SPDX-License-Identifier: Apache-2.0
"""

import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / 'build/plain'
BLOCK = re.compile(r'(<!-- not run: .+ -->\n)?^```([^\n]*)\n(.*?)^```$', re.M | re.S)


def run_python(code, names, where):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile('\n' * where + code, names['__file__'], 'exec'), names)
    return out.getvalue()


def run_program(*command):
    result = subprocess.run(command, capture_output=True, text=True, timeout=30)
    if result.returncode:
        raise AssertionError('exit status %d\n%s' % (result.returncode, result.stderr))
    return result.stdout


def run_c(code):
    Path('example.c').write_text(code)
    run_program(os.environ.get('CC', 'cc'), '-Wall', '-Wextra', '-Werror', '-I%s/include' % ROOT, '-o', 'example',
                'example.c', '-L%s' % BUILD, '-ldiskcache', '-pthread')  # fmt: skip
    return run_program('./example')


def run_page(path):
    """The number of blocks that did what they should; the first that does not ends the page."""
    text = path.read_text()
    names = {'__name__': '__main__', '__file__': str(path)}
    sys.modules['__main__'].__dict__.update(names)  # for what is pickled by name
    passed, printed = 0, None
    for match in BLOCK.finditer(text):
        excuse, language, code = match.groups()
        line = text[:match.start()].count('\n') + 1
        before = text[:match.start()].rstrip()
        try:
            if excuse or language.startswith('{'):  # a directive of Sphinx
                printed = None
            elif language == 'text' and printed is not None and before.endswith('```'):
                if printed.strip() != code.strip():
                    raise AssertionError('expected\n%s\ngot\n%s' % (code, printed))
                printed = None
            elif language == 'python':
                printed = run_python(code, sys.modules['__main__'].__dict__, line)
            elif language == 'sh':
                printed = run_program('sh', '-eu', '-c', code)
            elif language == 'c':
                printed = run_c(code)
            else:
                raise AssertionError('a block of %r that nobody checks' % language)
            passed += not excuse and not language.startswith('{')
        except BaseException:
            print('%s:%d: %s' % (path.relative_to(ROOT), line, traceback.format_exc(limit=-2)), file=sys.stderr)
            return passed, 1
    return passed, 0


def run_forked(path):
    """In a process and a directory of its own."""
    reader, writer = os.pipe()
    with tempfile.TemporaryDirectory(prefix='docs-') as folder:
        pid = os.fork()
        if pid == 0:
            os.chdir(folder)
            os.environ.update(HOME=folder, PATH='%s:%s' % (BUILD, os.environ['PATH']), DISKCACHE_DIR=folder + '/cache',
                              LD_LIBRARY_PATH=str(BUILD))  # fmt: skip
            sys.path.insert(0, folder)
            os.write(writer, b'%d %d' % run_page(path))
            os._exit(0)
        os.close(writer)
        os.waitpid(pid, 0)
        with os.fdopen(reader, 'rb') as answer:
            text = answer.read() or b'0 1'
    return map(int, text.split())


def undocumented():
    """What the package exports and its reference does not have."""
    import diskcache

    page = (ROOT / 'docs/site/reference/python.md').read_text()
    return [name for name in diskcache.__all__ if not re.search(r'^\.\. \w+:: %s$' % name, page, re.M)]


def main():
    paths = [Path(name).resolve() for name in sys.argv[1:]] or [ROOT / 'README.md', *sorted((ROOT / 'docs/site').rglob('*.md'))]
    passed = failed = 0
    for path in paths:
        done, bad = run_forked(path)
        passed, failed = passed + done, failed + bad
    if len(sys.argv) == 1:
        missing = undocumented()
        print(*('not in the reference: %s' % name for name in missing), sep='\n', end='', file=sys.stderr)
        passed, failed = passed + (not missing), failed + len(missing)
    print('%d passed, %d failed' % (passed, failed))
    return failed > 0


if __name__ == '__main__':
    sys.exit(main())
