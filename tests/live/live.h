#ifndef TESTS_LIVE_LIVE_H
#define TESTS_LIVE_LIVE_H

/*
 * Small things that tests with real processes share: waiting, asking treatyd
 * over HTTP, random choices that can be repeated with SEED=n.
 */

#include "base/base.h"
#include "tests/fakes/treatyd_proc.h"

uint64_t live_now_ms(void);
void live_nap(uint64_t ms);

/* $SEED or `seed`; printed, so that a failure can be tried again. */
uint64_t live_seed(uint64_t seed);

/*
 * Send one HTTP request ("GET /api/v1/stats" or "POST /api/v1/…" with a JSON
 * body) and read the whole answer, head included. Freed by free(); NULL if
 * nobody answers.
 */
char *live_http(const struct treatyd *d, const char *request, const char *body);
/* The status code of such an answer; 0 for NULL. */
int live_http_code(const char *answer);

/* A number of /api/v1/stats, e.g. "transactions_now"; UINT64_MAX if treatyd
 * does not answer. */
uint64_t live_stat(const struct treatyd *d, const char *key);

/* True once nothing is unfinished, waiting up to ms for it. */
bool live_quiet(const struct treatyd *d, uint64_t ms);

#endif
