#include "tests/conformance/play.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/*
 *   conformance_test postgresql|mariadb|sqlite [part of a case's name]…
 *       Play the cases on that database. Exit 1 if one is not as expected.
 *   conformance_test --write-docs FILE     write the page of statements
 *   conformance_test --check-docs FILE     exit 1 if the page is not that
 *   conformance_test --count               how many there are
 */

static uint64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- docs ---- */

static int write_docs(const struct cases *c, const char *path)
{
	struct buf page;
	FILE *f = fopen(path, "w");
	bool ok;

	if (!f) {
		perror(path);
		return 1;
	}
	buf_init(&page, &mem_heap);
	cases_document(c, &page);
	ok = buf_error(&page) == OK &&
	     fwrite(page.data, 1, page.len, f) == page.len;
	ok = fclose(f) == 0 && ok;
	buf_fini(&page);
	return ok ? 0 : 1;
}

static int check_docs(const struct cases *c, const char *path)
{
	struct buf page, there;
	uint8_t block[8192];
	size_t n;
	FILE *f = fopen(path, "r");
	bool same;

	if (!f) {
		perror(path);
		return 1;
	}
	buf_init(&page, &mem_heap);
	buf_init(&there, &mem_heap);
	cases_document(c, &page);
	while ((n = fread(block, 1, sizeof block, f)) > 0)
		buf_put(&there, (struct bytes){ block, n });
	(void)fclose(f);
	same = bytes_equal(buf_bytes(&page), buf_bytes(&there));
	if (!same)
		fprintf(stderr,
			"%s is not what the cases say; run "
			"conformance_test --write-docs\n",
			path);
	buf_fini(&page);
	buf_fini(&there);
	return same ? 0 : 1;
}

static int count(const struct cases *c)
{
	static const enum dialect all[] = { DIALECT_POSTGRES, DIALECT_MYSQL,
					    DIALECT_SQLITE };
	unsigned sum = 0;

	for (size_t d = 0; d < ARRAY_LEN(all); d++) {
		unsigned n = 0;

		for (size_t i = 0; i < c->n; i++)
			n += (c->list[i].on >> all[d]) & 1;
		printf("%s %u\n", dialect_name(all[d]), n);
		sum += n;
	}
	printf("cases %zu, on all databases %u\n", c->n, sum);
	return c->n >= 300 ? 0 : 1;
}

/* ---- playing ---- */

struct score {
	unsigned played, wrong;
	const char *group;
	unsigned group_played, group_wrong;
};

static void print_group(struct score *s)
{
	if (s->group)
		printf("  %-60s %3u%s\n", s->group, s->group_played,
		       s->group_wrong ? "  WRONG" : "");
	(void)fflush(stdout);
	s->group_played = s->group_wrong = 0;
}

static void play_one(struct ground *g, const struct conf_case *c,
		     struct score *s)
{
	struct buf why;

	if (!s->group || strcmp(s->group, c->group) != 0)
		print_group(s);
	s->group = c->group;
	buf_init(&why, &mem_heap);
	if (!case_is_parsed(c, g->dialect))
		buf_put_text(&why, "    parsed otherwise\n");
	play(g, c, &why);
	s->played++;
	s->group_played++;
	if (why.len) {
		s->wrong++;
		s->group_wrong++;
		printf("  %s:%u: %s\n    %s\n%s", c->file, c->line, c->name,
		       c->sql, buf_text(&why));
	}
	buf_fini(&why);
}

static bool is_wanted(const struct conf_case *c, enum dialect d, char **only,
		      int n)
{
	if (!(c->on & 1u << d))
		return false;
	for (int i = 0; i < n; i++)
		if (strstr(c->name, only[i]) || strstr(c->group, only[i]) ||
		    strstr(c->file, only[i]))
			return true;
	return n == 0;
}

/* Undo rows of committed transactions go in batches, a little later. */
static unsigned check_clean(struct ground *g)
{
	long undo = -1, locks = -1, unfinished = -1;

	for (int i = 0; i < 600 && (undo || locks || unfinished); i++) {
		if (i)
			(void)usleep(10000);
		undo = ground_count(g, "SELECT count(*) FROM undo_log");
		locks = ground_stat(g, "locks_now");
		unfinished = ground_stat(g, "transactions_now");
	}
	if (undo == 0 && locks == 0 && unfinished == 0)
		return 0;
	printf("  left behind: %ld undo rows, %ld locks, %ld transactions\n",
	       undo, locks, unfinished);
	return 1;
}

static int play_all(const struct cases *c, enum dialect dialect, char **only,
		    int n_only)
{
	uint64_t began = now_ms(), ready;
	struct score s = { 0 };
	struct ground g;

	if (!ground_open(&g, dialect, CONFORMANCE_DIR)) {
		ground_close(&g);
		return 1;
	}
	ready = now_ms();
	printf("%s, ready after %llu ms\n", dialect_name(dialect),
	       (unsigned long long)(ready - began));
	for (size_t i = 0; i < c->n; i++)
		if (is_wanted(&c->list[i], dialect, only, n_only))
			play_one(&g, &c->list[i], &s);
	print_group(&s);
	s.wrong += check_clean(&g);
	printf("%s: %u statements, %u wrong, %llu ms\n", dialect_name(dialect),
	       s.played, s.wrong, (unsigned long long)(now_ms() - ready));
	ground_close(&g);
	return s.wrong || s.played == 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct cases cases;
	enum dialect dialect;
	int rc = 2;

	if (!cases_read(&cases, CONFORMANCE_DIR "/cases")) {
		cases_free(&cases);
		return 1;
	}
	dialect = argc > 1 ? dialect_of(argv[1]) : (enum dialect)0;
	if (dialect)
		rc = play_all(&cases, dialect, argv + 2, argc - 2);
	else if (argc == 3 && strcmp(argv[1], "--write-docs") == 0)
		rc = write_docs(&cases, argv[2]);
	else if (argc == 3 && strcmp(argv[1], "--check-docs") == 0)
		rc = check_docs(&cases, argv[2]);
	else if (argc == 2 && strcmp(argv[1], "--count") == 0)
		rc = count(&cases);
	else
		fprintf(stderr, "usage: conformance_test postgresql|mariadb|"
				"sqlite [word]… | --write-docs FILE | "
				"--check-docs FILE | --count\n");
	cases_free(&cases);
	return rc;
}
