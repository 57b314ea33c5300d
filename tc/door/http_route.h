#ifndef TC_DOOR_HTTP_ROUTE_H
#define TC_DOOR_HTTP_ROUTE_H

/*
 * Which functions serve which path. Inside of the http door only.
 */

#include "tc/door/http_api.h"

/* The request is there: answer it, or ask the core. */
typedef enum http_verdict http_serve_fn(const struct http_api *api,
					struct http_call *call,
					struct http_answer *answer,
					struct request *request);

/* The core's reply is there: answer, or ask for the next thing. */
typedef enum http_verdict http_reply_fn(const struct http_api *api,
					struct http_call *call,
					const struct reply *reply,
					struct http_answer *answer,
					struct request *request);

struct http_route {
	const char *method;
	const char *pattern; /* see target_matches() */
	bool any_host;       /* probes name us by any address */
	http_serve_fn *serve;
	http_reply_fn *reply; /* NULL: http_said() */
};

extern const struct http_route http_routes[];
extern const size_t http_n_routes;

/* http_probe.c */
http_serve_fn http_health, http_ready, http_stats, http_metrics,
	http_unfinished;
/* http_openapi.c */
http_serve_fn http_openapi;
/* http_list.c, http_show.c, http_action.c */
http_serve_fn http_list, http_show, http_retry, http_resolve;
/* http_tx.c, http_branch.c */
http_serve_fn http_begin, http_report, http_commit, http_rollback, http_branch;
http_reply_fn http_begun, http_branched;
/* http_message.c, http_letter.c */
http_serve_fn http_message, http_message_list, http_message_show;
http_serve_fn http_message_submit, http_message_abort;
http_serve_fn http_letters, http_letter_replay;
http_reply_fn http_message_said;
/* http_saga.c, http_machine.c, http_topic.c */
http_serve_fn http_saga_start, http_saga_list, http_saga_show;
http_serve_fn http_saga_forward, http_saga_compensate, http_saga_skip;
http_reply_fn http_saga_started, http_saga_shown, http_saga_moved;
http_serve_fn http_machine_put, http_machine_list, http_machine_show,
	http_machine_drop;
http_reply_fn http_machine_said;
http_serve_fn http_subscribe, http_topic_list, http_unsubscribe;
http_reply_fn http_topic_said;

/* http_files.c */
http_serve_fn http_file;

/* ---- what several of them need ---- */

/* A decimal number without sign, blanks or leading zeros. */
bool http_number(struct bytes text, uint64_t max, uint64_t *number);

/* vars[0] as a transaction of this coordinator, into call->number and
 * call->xid; false: *answer says what is wrong with it. */
bool http_which(const struct http_api *api, struct http_call *call,
		struct http_answer *answer);

/* A request about vars[0] and, if the path names one, the branch vars[1].
 * False: *answer says what is wrong with them. */
bool http_about(const struct http_api *api, struct http_call *call,
		struct http_answer *answer, enum request_type type,
		struct request *request);

/* The unfinished transaction call->number, without its branches. */
MUST_CHECK int http_look(const struct http_api *api,
			 const struct http_call *call, struct gtx_view *gtx);

/* The list of transactions as the query asks, if it says nothing else only of
 * these kinds (bits). */
enum http_verdict http_list_kinds(const struct http_api *api,
				  struct http_call *call,
				  struct http_answer *answer, unsigned kinds);

/* One transaction in full; of another kind than this one (-1: any), it is not
 * found. Of a saga, `run` is what the core tells of an unfinished one; NULL:
 * the archive is asked. */
enum http_verdict http_show_kind(const struct http_api *api,
				 struct http_call *call,
				 struct http_answer *answer, int kind,
				 const struct bytes *run);
/* "run": JSON that the core made, or null. */
void http_put_run(struct json *j, struct bytes run);

/* Write {"xid", "status", …} of a transaction, without closing it. */
struct json http_put_where(struct http_answer *answer, unsigned status,
			   const struct reply *reply, struct bytes xid);

/* What every reply says if its route knows nothing better. */
http_reply_fn http_said;

/* The reply is an error: make the problem of it. */
void http_refuse(const struct http_api *api, struct http_call *call,
		 const struct reply *reply, struct http_answer *answer);

/* The same, with what this route takes E_NOTFOUND for. */
void http_refuse_as(struct http_call *call, const struct reply *reply,
		    struct http_answer *answer, enum http_problem not_found);

/* Which problem an error of the core's is. */
enum http_problem http_problem_of(const struct reply *reply,
				  enum http_problem not_found);

/* An answer of the store that is not OK. */
void http_store_problem(const struct http_api *api, struct http_answer *answer,
			int err);

/* Out of memory: nothing was done, or it is not known what. Returns
 * HTTP_ANSWERED. */
enum http_verdict http_no_memory(struct http_answer *answer);

/* Limits of every document; the core's own are what is configured. */
#define TEXT_MAX   1024 /* bytes of names */
#define REASON_MAX 1000
#define WAIT_MAX   60000                              /* ms, for an end */
#define SPAN_MAX   (UINT64_C(365) * 24 * 3600 * 1000) /* ms, of any kind */

/* For %.*s: how much of it fits into a message, and where it is. */
#define SHORT(b) (int)((b).len > 200 ? 200 : (b).len), (const char *)(b).data

#endif
