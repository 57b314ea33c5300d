#ifndef TESTS_FAKES_HTTP_EXCHANGE_H
#define TESTS_FAKES_HTTP_EXCHANGE_H

/*
 * One request to the http door's api and its answer, without a socket. Include
 * it in one file of a test program only.
 */

#include "tc/door/http_api.h"
#include "tests/fakes/http_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct exchange {
	struct arena arena;
	struct http_api api;
	struct http_call call;
	struct http_answer answer;
	struct request request;
	bool asked;
};

static struct exchange x;

/* What may be called; put it away with world_allow(NULL). */
static inline void world_allow(const char *entries)
{
	static struct allow_list *list;
	struct buf why;

	buf_init(&why, &mem_heap);
	allow_list_free(list);
	list = NULL;
	if (entries)
		assert_int_equal(allow_list_new(&list, &mem_heap,
						bytes_of(entries), &why),
				 OK);
	world_port.allow_list = list;
	buf_fini(&why);
}

static inline void begin(const char *method, const char *target,
			 const char *body)
{
	struct buf length;

	x.api = (struct http_api){ &world_port, "1.2.3", 4096, 0 };
	arena_init(&x.arena, &mem_heap, 0);
	http_answer_init(&x.answer, &x.arena.as_mem);
	x.call = (struct http_call){
		.arena = &x.arena,
		.method = bytes_of(method),
		.target = bytes_of(target),
		.host = BYTES("localhost:7091"),
		.body = bytes_of(body),
	};
	x.asked = false;
	x.request = (struct request){ .type = RQ_TYPES };
	if (!body)
		return;
	buf_init(&length, &x.arena.as_mem);
	buf_printf(&length, "%zu", strlen(body));
	x.call.content_length = buf_bytes(&length);
	x.call.content_type = BYTES("application/json");
}

/* All but metrics is JSON. */
static inline bool well_formed(void)
{
	return x.answer.file || /* not of our making */
	       (x.answer.type && strstr(x.answer.type, "text/plain")) ||
	       json_valid(buf_bytes(&x.answer.body));
}

static inline unsigned run(void)
{
	if (http_admit(&x.api, &x.call, &x.answer))
		x.asked = http_handle(&x.api, &x.call, &x.answer, &x.request) ==
			  HTTP_ASKED;
	if (x.asked)
		return 0;
	assert_int_equal(buf_error(&x.answer.body), OK);
	assert_true(well_formed());
	return x.answer.status;
}

static inline void end(void)
{
	arena_fini(&x.arena);
}

static inline bool says(const char *text)
{
	return strstr(buf_text(&x.answer.body), text) != NULL;
}

#define EXPECT_SAYS(text)                                                      \
	do {                                                                   \
		if (!says(text))                                               \
			fail_msg("no %s in %s", text,                          \
				 buf_text(&x.answer.body));                    \
	} while (0)

static inline void expect_get(const char *target, unsigned status,
			      const char *text)
{
	begin("GET", target, NULL);
	if (run() != status)
		fail_msg("%s: %u, %s", target, x.answer.status,
			 buf_text(&x.answer.body));
	EXPECT_SAYS(text);
	end();
}

static inline void expect_post(const char *target, const char *body,
			       unsigned status, const char *text)
{
	begin("POST", target, body);
	if (run() != status)
		fail_msg("%s %s: %u, %s", target, body, x.answer.status,
			 buf_text(&x.answer.body));
	if (text)
		EXPECT_SAYS(text);
	end();
}

/* A body that asks the core; then end() it. */
static inline void ask_core(const char *method, const char *target,
			    const char *body, enum request_type type)
{
	begin(method, target, body);
	if (run() != 0)
		fail_msg("%s %s: %u, %s", target, body, x.answer.status,
			 buf_text(&x.answer.body));
	assert_int_equal(x.request.type, type);
	assert_int_equal(x.request.peer, 0);
}

/* The core says this; 0: it is asked again (x.request). */
static inline unsigned tell(struct reply reply)
{
	enum http_verdict v =
		http_reply(&x.api, &x.call, &reply, &x.answer, &x.request);

	if (v == HTTP_ASKED)
		return 0;
	assert_int_equal(buf_error(&x.answer.body), OK);
	assert_true(well_formed());
	return x.answer.status;
}

#define EXPECT_TOLD(status, text, ...)                                         \
	do {                                                                   \
		unsigned told = tell((struct reply){ __VA_ARGS__ });           \
		if (told != (status))                                          \
			fail_msg("%u, %s", told, buf_text(&x.answer.body));    \
		EXPECT_SAYS(text);                                             \
	} while (0)

#define EXPECT_BYTES(b, text)                                                  \
	do {                                                                   \
		struct bytes got = (b);                                        \
		if (!bytes_equal(got, bytes_of(text)))                         \
			fail_msg("%.*s, not %s", (int)got.len,                 \
				 (const char *)got.data, text);                \
	} while (0)

#endif
