#include "base/hash.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>

/*
 * A harness without libFuzzer, so that it does not rot:
 *
 *   smoke ROUNDS         the seeds as they are, then so many damaged ones, the
 *                        same every time (SEED=n: others)
 *   smoke --seeds DIR    write the seeds as files, for libFuzzer's corpus
 *   smoke --run FILE…    these inputs, e.g. a crash that was found
 */

enum { SEEDS_MAX = 8192, INPUT_MAX = 8192 };

static struct bytes seeds[SEEDS_MAX];
static size_t n_seeds;

struct input {
	uint8_t data[INPUT_MAX];
	size_t len;
};

static void keep(void *ctx, struct bytes seed)
{
	char *copy = mem_text(&mem_heap, seed);

	(void)ctx;
	REQUIRE(copy && n_seeds < SEEDS_MAX);
	seeds[n_seeds++] = (struct bytes){ (uint8_t *)copy, seed.len };
}

/* On memory without a byte to spare, for the address sanitizer. */
static void run(struct bytes in)
{
	uint8_t *exact = malloc(in.len ? in.len : 1);

	REQUIRE(exact);
	if (in.len)
		memcpy(exact, in.data, in.len);
	fuzz_one((struct bytes){ exact, in.len });
	free(exact);
}

/* ---- damage ---- */

static size_t draw(uint64_t *state, size_t below)
{
	return (size_t)(random_next(state) % below);
}

static void cut(struct input *in, size_t at, size_t n)
{
	if (n > in->len - at)
		n = in->len - at;
	memmove(in->data + at, in->data + at + n, in->len - at - n);
	in->len -= n;
}

static void insert(struct input *in, size_t at, struct bytes b)
{
	if (b.len == 0 || in->len + b.len > INPUT_MAX)
		return;
	memmove(in->data + at + b.len, in->data + at, in->len - at);
	memcpy(in->data + at, b.data, b.len);
	in->len += b.len;
}

/* A piece of some seed. */
static struct bytes piece(uint64_t *state)
{
	struct bytes b = seeds[draw(state, n_seeds)];
	size_t from = draw(state, b.len + 1);

	return (struct bytes){ b.data + from, draw(state, b.len - from + 1) };
}

static void damage(struct input *in, uint64_t *state)
{
	static const uint8_t edges[] = { 0, 1, 0x7f, 0x80, 0xff, '"', '\'' };
	size_t at = draw(state, in->len + 1);
	uint8_t byte = (uint8_t)random_next(state);

	switch (draw(state, 6)) {
	case 0:
		if (at < in->len)
			in->data[at] ^= (uint8_t)(1u << draw(state, 8));
		break;
	case 1:
		if (at < in->len)
			in->data[at] = edges[draw(state, sizeof edges)];
		break;
	case 2:
		insert(in, at, (struct bytes){ &byte, 1 });
		break;
	case 3:
		cut(in, at, 1 + draw(state, 16));
		break;
	case 4:
		insert(in, at, piece(state));
		break;
	default:
		if (at < in->len)
			in->data[at] = byte;
		break;
	}
}

static void run_damaged(uint64_t *state)
{
	struct bytes from = seeds[draw(state, n_seeds)];
	static struct input in;

	in.len = 0;
	if (from.len <= INPUT_MAX)
		insert(&in, 0, from);
	for (size_t n = 1 + draw(state, 4); n > 0; n--)
		damage(&in, state);
	run((struct bytes){ in.data, in.len });
}

static void run_rounds(uint64_t rounds)
{
	const char *wish = getenv("SEED");
	uint64_t seed = wish ? strtoull(wish, NULL, 10) : 20261121;

	printf("SEED=%llu, %zu seeds, %llu rounds\n", (unsigned long long)seed,
	       n_seeds, (unsigned long long)rounds);
	fflush(stdout);
	for (size_t i = 0; i < n_seeds; i++)
		run(seeds[i]);
	run((struct bytes){ NULL, 0 });
	for (uint64_t i = 0; i < rounds; i++)
		run_damaged(&seed);
}

/* ---- files ---- */

static int write_seeds(const char *dir)
{
	for (size_t i = 0; i < n_seeds; i++) {
		struct buf path;
		FILE *f;
		bool ok;

		buf_init(&path, &mem_heap);
		buf_printf(&path, "%s/%016llx", dir,
			   (unsigned long long)hash_bytes(0, seeds[i]));
		f = fopen(buf_text(&path), "wb");
		ok = f &&
		     fwrite(seeds[i].data, 1, seeds[i].len, f) == seeds[i].len;
		if (f && fclose(f) != 0)
			ok = false;
		if (!ok)
			perror(buf_text(&path));
		buf_fini(&path);
		if (!ok)
			return 1;
	}
	return 0;
}

static int run_file(const char *path)
{
	static uint8_t data[1 << 20];
	FILE *f = fopen(path, "rb");
	size_t n;

	if (!f) {
		perror(path);
		return 1;
	}
	n = fread(data, 1, sizeof data, f);
	fclose(f);
	run((struct bytes){ data, n });
	return 0;
}

static int usage(const char *name)
{
	fprintf(stderr, "usage: %s ROUNDS | --seeds DIR | --run FILE…\n", name);
	return 2;
}

int main(int argc, char **argv)
{
	const struct fuzz_sink sink = { NULL, keep };
	int rc = 0;

	if (argc < 2)
		return usage(argv[0]);
	fuzz_seeds(&sink);
	REQUIRE(n_seeds > 0);
	if (strcmp(argv[1], "--seeds") == 0)
		rc = argc == 3 ? write_seeds(argv[2]) : usage(argv[0]);
	else if (strcmp(argv[1], "--run") == 0)
		for (int i = 2; i < argc && rc == 0; i++)
			rc = run_file(argv[i]);
	else
		run_rounds(strtoull(argv[1], NULL, 10));
	for (size_t i = 0; i < n_seeds; i++)
		mem_free(&mem_heap, (void *)(uintptr_t)seeds[i].data);
	return rc;
}
