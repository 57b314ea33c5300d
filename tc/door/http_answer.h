#ifndef TC_DOOR_HTTP_ANSWER_H
#define TC_DOOR_HTTP_ANSWER_H

/*
 * What leaves as an HTTP response, and the problem documents of RFC 9457 that
 * every error is.
 *
 *   {"type":"urn:treaty:problem:bad_query","title":"Bad query","status":400,
 *    "code":"bad_query","detail":"…","parameter":"limit"}
 *
 * A problem with a transaction also has its "xid" and "transaction_status".
 * .code is stable, for programs; .detail says what happened and what to do.
 *
 * Pure.
 */

#include "base/json.h"
#include "tc/console/console.h"

struct http_answer {
	unsigned status;
	const char *type;  /* of the content; a literal */
	const char *allow; /* 405: the methods; a literal */
	const char *etag;  /* quoted; NULL: not to be kept by anybody */
	/* What a problem is about, if it is known; both are in it from then on.
	 * Borrowed, and a literal. */
	struct bytes xid;
	const char *transaction_status;
	struct buf body;
	/* A file of the console in place of the body, and in which form; its
	 * headers are those of http_files.h. Borrowed. */
	const struct console_file *file;
	bool gzip;
};

/* Empty; its body takes memory from `mem`. */
void http_answer_init(struct http_answer *a, const struct mem *mem);

/* Begin a JSON body with this status, replacing what was there. */
struct json http_answer_json(struct http_answer *a, unsigned status);

enum http_problem {
	PROBLEM_BAD_REQUEST,
	PROBLEM_BAD_QUERY,
	PROBLEM_BAD_JSON,
	PROBLEM_BAD_MACHINE,
	PROBLEM_CROSS_SITE,
	PROBLEM_TARGET_DENIED,
	PROBLEM_NOT_FOUND,
	PROBLEM_NO_TRANSACTION,
	PROBLEM_NO_BRANCH,
	PROBLEM_NO_TOPIC,
	PROBLEM_NO_MACHINE,
	PROBLEM_NO_TASK,
	PROBLEM_METHOD,
	PROBLEM_WRONG_STATE,
	PROBLEM_EXISTS,
	PROBLEM_LOCKED,
	PROBLEM_DEADLOCK,
	PROBLEM_LOCK_TIMEOUT,
	PROBLEM_LENGTH_REQUIRED,
	PROBLEM_TOO_LARGE,
	PROBLEM_MEDIA_TYPE,
	PROBLEM_WRONG_HOST,
	PROBLEM_KEY_REUSED,
	PROBLEM_LIMIT,
	PROBLEM_INTERNAL,
	PROBLEM_NO_MEMORY,
	PROBLEM_STORE,
	PROBLEM_CLOSING,
	PROBLEM_OTHER_LIFE,
	PROBLEM_OUTCOME_UNKNOWN,
	PROBLEMS, /* how many */
};

unsigned http_problem_status(enum http_problem problem);
const char *http_problem_code(enum http_problem problem);

/* Replace whatever the answer was; `fmt` makes the detail. */
void http_problem(struct http_answer *a, enum http_problem problem,
		  const char *fmt, ...) PRINTF_LIKE(3, 4);

/* The same for one parameter of the query (or member of the body). */
void http_problem_at(struct http_answer *a, enum http_problem problem,
		     const char *parameter, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

#endif
