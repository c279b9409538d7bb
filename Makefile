# A thin front: what is built, and how, is in meson.build and scripts/.
PREFIX ?= /usr/local
DESTDIR ?=
TOOL = build/plain/diskcache

export DESTDIR PREFIX
export PYTHONDONTWRITEBYTECODE = 1

all: ready-to-build
	@scripts/build.sh plain

# The library and the tool at work on real files; needs nothing but git, make, gcc and
# python3, from which it reads its results at the end.
demo: all python
	@examples/demo.sh $(TOOL) .venv/bin/python

# The Python package, in the virtual environment .venv of this clone.
python: ready-to-build
	@scripts/python.sh

# The package and its core's tests on every CPython of this machine, from 3.9 on.
pythons: ready-to-build
	@scripts/pythons.sh

# Everything that has to be true of a commit. Ends with "N passed, N failed".
check: ready-to-check
	@scripts/check.sh

# Against diskcache 5.6.3 and against other caches, in the same run: build/bench.json, and plots in
# build/bench. BENCH_ARGS=--quick takes less than two minutes.
bench: ready-to-bench
	@scripts/build.sh plain
	@$$(scripts/peers.sh) bench/bench.py build/plain/tests/bench --ours "$$(scripts/python.sh)" \
		--json build/bench.json --plots build/bench $(BENCH_ARGS)

# What `make bench` has measured, into docs/PERFORMANCE.md, docs/plots and README.md.
report:
	@$$(scripts/peers.sh) bench/report.py build/bench.json --readme

# The site, in build/site/html.
docs: ready-to-build
	@scripts/docs.sh

# Packages for Debian, in build/deb, and a use of each.
deb: ready-to-package
	@scripts/deb.sh

install: all
	@scripts/install.sh

# The long form: processes killed at random moments, everything at once for minutes.
torture: ready-to-check
	@scripts/build.sh plain
	@build/plain/tests/torture --kills 1000
	@build/plain/tests/locks --kills 1000
	@build/plain/tests/workqueue --kills 500
	@TEST_MEMTABLE=0 build/plain/tests/torture --kills 300
	@TEST_MEMTABLE=65536 build/plain/tests/torture --kills 300
	@build/plain/tests/powercut --cases 10000
	@build/plain/tests/history --seconds 10
	@TEST_MEMTABLE=65536 build/plain/tests/history --seconds 10
	@build/plain/tests/stress --processes 8 --seconds 60
	@build/plain/tests/stress --threads 16 --seconds 60
	@build/plain/tests/stress --processes 8 --seconds 30 --fanout 4
	@build/plain/tests/stress --processes 8 --seconds 30 --policy least-recently-used
	@build/plain/tests/stress --processes 8 --seconds 30 --policy least-frequently-used

# The Python package beside 5.6.3: ten times as many random operations, other ones each time.
soak: ready-to-check
	@DISKCACHE_STEPS=500000 scripts/test_python.sh -q -n 2 -k test_differential

sanitize: ready-to-check
	@scripts/test.sh asan

tsan: ready-to-check
	@scripts/test.sh tsan

valgrind: ready-to-check
	@scripts/test.sh valgrind

# The Python package under memcheck: every kind of object, most methods.
valgrind-python: ready-to-check
	@scripts/valgrind_python.sh

# Each fuzz target for a minute. FUZZ_SECONDS=600 for longer.
fuzz: ready-to-check
	@scripts/fuzz.sh $(FUZZ_SECONDS)

coverage: ready-to-check
	@scripts/test.sh coverage

tidy: ready-to-check
	@tests/check_tidy.sh

format: ready-to-check
	@scripts/sources.sh all | xargs clang-format -i

# The protocol of the memtable, looked at by Spin: docs/MEMTABLE.md.
model: ready-to-model
	@model/check.sh

clean:
	rm -rf build .venv

ready-to-build:
	@scripts/bootstrap.sh build

ready-to-check:
	@scripts/bootstrap.sh check

ready-to-package:
	@scripts/bootstrap.sh package

ready-to-bench:
	@scripts/bootstrap.sh bench

ready-to-model:
	@scripts/bootstrap.sh model

.PHONY: all demo python pythons check bench report docs deb install torture model soak sanitize tsan valgrind \
	valgrind-python fuzz coverage tidy format clean \
	ready-to-build ready-to-check ready-to-bench ready-to-model ready-to-package
