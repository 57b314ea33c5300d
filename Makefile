# Thin: what to type. How things are built is in CMakeLists.txt.
#
#   make            build into build/dev
#   make demo       the wallet checkout, on three SQLite files
#                   DB=servers: PostgreSQL, MariaDB and SQLite; KEEP=1: stays
#                   up; MODE=at: only one mode
#   make test       every suite
#   make bench      measurements (nothing is asserted)
#   make install    PREFIX=/usr/local, DESTDIR=
#   make cov        line and branch coverage of tc/core
#   make fuzz       SECONDS=30: each fuzzer for so long, to the first finding

PREFIX ?= /usr/local
DB ?= embedded
SECONDS ?= 30
export CMAKE_BUILD_PARALLEL_LEVEL ?= $(shell nproc)
export CLICOLOR_FORCE =

all: build/dev

deps:
	@scripts/setup

build/dev: deps
	@scripts/build dev

demo: build/dev
	@samples/checkout/demo --build build/dev --db $(DB) \
		$(if $(MODE),--mode $(MODE)) $(if $(KEEP),--keep)

test: deps
	@scripts/test

bench: deps
	@scripts/build release
	@tests/bench/run build/release

cov: deps
	@scripts/build cov
	@scripts/coverage build/cov

fuzz: deps
	@scripts/build fuzz
	@tests/fuzz/run build/fuzz $(SECONDS)

install: deps
	@scripts/build release -DCMAKE_INSTALL_PREFIX=$(PREFIX)
	@cmake --install build/release

clean:
	rm -rf build

.PHONY: all deps build/dev demo test bench cov fuzz install clean
