#include "base/hash.h"
#include "base/lock_key.h"
#include "tc/door/http_route.h"
#include "tc/door/http_to.h"
#include "tc/door/participant.h"

/*
 * POST /api/v1/transactions/{}/branches: a participant by its URLs, or by the
 * resource that an agent offers.
 *
 *   "mode"  "TCC"   "confirm" and "cancel"
 *           "SAGA"  "compensate"
 *           "XA"    "commit" and "rollback"
 *           "MSG"   "to" or "topic", and what else a delivery has
 *
 * The same Idempotency-Key again in the same transaction is the same branch.
 */

#define LOCK_KEYS_MAX 1000
#define LOCK_COLUMNS  16

struct branch {
	struct bytes mode;
	struct bytes confirm, cancel, compensate, commit, rollback;
	struct bytes resource, application;
	struct bytes lock_keys;
	uint64_t lock_wait_ms;
	struct delivery delivery; /* its "to" and "topic" only of MSG */
};

#define DELIVERY(member, type, max)                                            \
	{                                                                      \
#member, type, false, max,                                     \
			offsetof(struct branch, delivery.member)               \
	}

static const struct field members[] = {
	FIELD(struct branch, mode, FIELD_TEXT, true, 20),
	FIELD(struct branch, confirm, FIELD_TEXT, false, URL_LEN_MAX),
	FIELD(struct branch, cancel, FIELD_TEXT, false, URL_LEN_MAX),
	FIELD(struct branch, compensate, FIELD_TEXT, false, URL_LEN_MAX),
	FIELD(struct branch, commit, FIELD_TEXT, false, URL_LEN_MAX),
	FIELD(struct branch, rollback, FIELD_TEXT, false, URL_LEN_MAX),
	FIELD(struct branch, resource, FIELD_TEXT, false, TEXT_MAX),
	FIELD(struct branch, application, FIELD_TEXT, false, TEXT_MAX),
	FIELD(struct branch, lock_keys, FIELD_LIST, false, LOCK_KEYS_MAX),
	FIELD(struct branch, lock_wait_ms, FIELD_NUMBER, false, WAIT_MAX),
	DELIVERY(to, FIELD_TEXT, URL_LEN_MAX),
	DELIVERY(topic, FIELD_TEXT, TEXT_MAX),
	DELIVERY(data, FIELD_ANY, 0),
	DELIVERY(headers, FIELD_OBJECT, 0),
	DELIVERY(deliver_after_ms, FIELD_NUMBER, SPAN_MAX),
	DELIVERY(timeout_ms, FIELD_NUMBER, SPAN_MAX),
	DELIVERY(schedule_ms, FIELD_LIST, 100),
};

/* ---- which members belong to which mode ---- */

enum {
	HAS_CONFIRM = 1,
	HAS_COMPENSATE = 2,
	HAS_COMMIT = 4,
	HAS_RESOURCE = 8,
	HAS_DELIVERY = 16,
	HAS_LOCKS = 32,
};

static const struct shape {
	const char *name;
	enum branch_mode mode;
	unsigned has;
	const char *want;
} shapes[] = {
	{ "TCC", MODE_TCC, HAS_CONFIRM | HAS_RESOURCE | HAS_LOCKS,
	  "given: a TCC branch has \"confirm\" and \"cancel\" (URLs), or the "
	  "\"resource\" of an agent" },
	{ "SAGA", MODE_SAGA, HAS_COMPENSATE | HAS_RESOURCE | HAS_LOCKS,
	  "given: a SAGA branch has \"compensate\" (a URL), or the "
	  "\"resource\" of an agent" },
	{ "XA", MODE_XA, HAS_COMMIT | HAS_RESOURCE | HAS_LOCKS,
	  "given: an XA branch has \"commit\" and \"rollback\" (URLs), or the "
	  "\"resource\" of an agent" },
	{ "MSG", MODE_MSG, HAS_DELIVERY, NULL },
};

static const struct shape *shape_of(struct bytes mode)
{
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++)
		if (bytes_equal(mode, bytes_of(shapes[i].name)))
			return &shapes[i];
	return NULL;
}

/* The first member that was given and does not belong to this mode. */
static const char *misplaced(const struct branch *b, unsigned has)
{
	const struct {
		const char *name;
		bool given;
		unsigned with;
	} all[] = {
		{ "confirm", b->confirm.data != NULL, HAS_CONFIRM },
		{ "cancel", b->cancel.data != NULL, HAS_CONFIRM },
		{ "compensate", b->compensate.data != NULL, HAS_COMPENSATE },
		{ "commit", b->commit.data != NULL, HAS_COMMIT },
		{ "rollback", b->rollback.data != NULL, HAS_COMMIT },
		{ "resource", b->resource.data != NULL, HAS_RESOURCE },
		{ "application", b->application.data != NULL, HAS_RESOURCE },
		{ "to", b->delivery.to.data != NULL, HAS_DELIVERY },
		{ "topic", b->delivery.topic.data != NULL, HAS_DELIVERY },
		{ "deliver_after_ms", b->delivery.deliver_after_ms > 0,
		  HAS_DELIVERY },
		{ "schedule_ms", b->delivery.schedule_ms.data != NULL,
		  HAS_DELIVERY },
		{ "lock_keys", b->lock_keys.data != NULL, HAS_LOCKS },
		{ "lock_wait_ms", b->lock_wait_ms > 0, HAS_LOCKS },
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (all[i].given && !(all[i].with & has))
			return all[i].name;
	return NULL;
}

/* ---- whom ---- */

static struct to to_of(const struct branch *b, unsigned has)
{
	struct to to = { .headers = b->delivery.headers };

	if (has & HAS_CONFIRM) {
		to.commit = (struct to_url){ "confirm", b->confirm };
		to.rollback = (struct to_url){ "cancel", b->cancel };
	} else if (has & HAS_COMMIT) {
		to.commit = (struct to_url){ "commit", b->commit };
		to.rollback = (struct to_url){ "rollback", b->rollback };
	} else {
		to.rollback = (struct to_url){ "compensate", b->compensate };
	}
	return to;
}

static bool by_resource(struct http_call *call, struct http_answer *answer,
			const struct branch *b, const struct to *to,
			struct request *request)
{
	if (to->commit.url.len || to->rollback.url.len)
		return body_refuse(call, answer, NULL, "resource",
				   "left out, or the URLs: a branch has one "
				   "participant");
	if (b->delivery.headers.len > 0)
		return body_refuse(call, answer, NULL, "headers",
				   "left out: only what is called by URL has "
				   "headers");
	if (url_is_http(b->resource))
		return body_refuse(call, answer, NULL, "resource",
				   "the name of an agent's resource; a URL "
				   "belongs to \"confirm\", \"cancel\", …");
	request->resource = b->resource;
	request->application = b->application;
	return true;
}

static bool whom(const struct http_api *api, struct http_call *call,
		 struct http_answer *answer, const struct branch *b,
		 const struct shape *shape, struct request *request)
{
	struct to to = to_of(b, shape->has);

	if (b->resource.len > 0)
		return by_resource(call, answer, b, &to, request);
	if (to.commit.name && to.commit.url.len == 0)
		return body_refuse(call, answer, NULL, to.commit.name,
				   shape->want);
	if (to.rollback.url.len == 0)
		return body_refuse(call, answer, NULL, to.rollback.name,
				   shape->want);
	if (b->application.len > 0)
		return body_refuse(call, answer, NULL, "application",
				   "left out: it tells whose resource is "
				   "meant");
	return to_urls(api, call, answer, NULL, &to, &request->resource,
		       &request->participant);
}

/* ---- row locks of the application's own ---- */

struct lock {
	struct bytes table;
	struct bytes key;
};

static const struct field lock_members[] = {
	FIELD(struct lock, table, FIELD_TEXT, true, TEXT_MAX),
	FIELD(struct lock, key, FIELD_LIST, true, LOCK_COLUMNS),
};

static bool read_lock(struct http_call *call, struct http_answer *answer,
		      const struct body_path *at, struct bytes object,
		      struct bytes resource, struct bytes *out)
{
	struct lock lock = { .table = { 0 } };
	struct bytes none, value;
	struct json_walk walk;
	struct buf key, text;

	if (!body_read_at(call, answer, at, object, lock_members,
			  ARRAY_LEN(lock_members), &lock))
		return false;
	buf_init(&key, &call->arena->as_mem);
	lock_key_begin(&key, resource, lock.table);
	json_walk_init(&walk, lock.key);
	while (json_walk(&walk, &none, &value)) {
		if (json_type(value) != JSON_TEXT || !json_text_whole(value))
			return body_refuse(call, answer, at, "key",
					   "a list of texts, the values of the "
					   "row's key");
		buf_init(&text, &call->arena->as_mem);
		json_get_text(&text, value);
		lock_key_value(&key, buf_bytes(&text));
		if (buf_error(&text) != OK)
			key.error = E_NOMEM;
	}
	*out = buf_bytes(&key);
	if (buf_error(&key) == OK)
		return true;
	(void)http_no_memory(answer);
	return false;
}

static bool read_locks(struct http_call *call, struct http_answer *answer,
		       struct bytes list, struct request *request)
{
	struct body_path keys = { NULL, "lock_keys", 0 };
	struct bytes *items;
	size_t n;

	if (list.len == 0)
		return true;
	items = body_items(call, answer, list, &n);
	if (!items)
		return false;
	for (size_t i = 0; i < n; i++) {
		struct body_path at = { &keys, NULL, i };

		if (!read_lock(call, answer, &at, items[i], request->resource,
			       &items[i]))
			return false;
	}
	request->lock_keys = items;
	request->n_lock_keys = n;
	return true;
}

/* ---- the request ---- */

/* The key as the core's number for "the same branch again". */
static uint64_t client_key(struct bytes key)
{
	uint64_t hash = key.len ? hash_keyed(1, 2, key) : 0;

	return key.len && hash == 0 ? 1 : hash;
}

static bool make(const struct http_api *api, struct http_call *call,
		 struct http_answer *answer, const struct branch *b,
		 struct request *request)
{
	const struct shape *shape = shape_of(b->mode);
	const char *wrong = shape ? misplaced(b, shape->has) : NULL;

	if (!shape)
		return body_refuse(call, answer, NULL, "mode",
				   "\"TCC\", \"SAGA\", \"XA\" or \"MSG\" (AT "
				   "needs an agent)");
	if (wrong)
		return body_refuse(call, answer, NULL, wrong,
				   "left out in this mode");
	if (shape->has & HAS_DELIVERY)
		return delivery_request(api, call, answer, NULL, &b->delivery,
					request);
	*request = (struct request){
		.type = RQ_REGISTER,
		.mode = shape->mode,
		.application_data = b->delivery.data,
		.call_timeout_ms = b->delivery.timeout_ms,
		.wait_ms = b->lock_wait_ms,
	};
	call->wait_ms = b->lock_wait_ms;
	return whom(api, call, answer, b, shape, request) &&
	       read_locks(call, answer, b->lock_keys, request);
}

enum http_verdict http_branch(const struct http_api *api,
			      struct http_call *call,
			      struct http_answer *answer,
			      struct request *request)
{
	struct branch b = { .mode = { 0 } };

	if (!http_which(api, call, answer) ||
	    !body_read(call, answer, members, ARRAY_LEN(members), &b) ||
	    !make(api, call, answer, &b, request))
		return HTTP_ANSWERED;
	request->xid = call->xid;
	request->client_key = client_key(call->idempotency_key);
	return HTTP_ASKED;
}

enum http_verdict http_branched(const struct http_api *api,
				struct http_call *call,
				const struct reply *reply,
				struct http_answer *answer,
				struct request *request)
{
	struct gtx_view gtx;
	struct json j;

	if (reply->err == E_NOTFOUND && http_look(api, call, &gtx) == OK) {
		http_refuse_as(call, reply, answer, PROBLEM_NO_TOPIC);
		return HTTP_ANSWERED;
	}
	if (reply->err != OK)
		return http_said(api, call, reply, answer, request);
	j = http_put_where(answer, 201, reply, call->xid);
	json_id(&j, "branch", reply->branch);
	json_end(&j);
	return HTTP_ANSWERED;
}
