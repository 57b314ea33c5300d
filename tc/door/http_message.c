#include "tc/door/http_route.h"
#include "tc/door/http_to.h"
#include "tc/door/http_view.h"

/*
 * A message in one request: begun, its deliveries registered, and submitted if
 * that is asked for.
 *
 *   POST /api/v1/messages  {"name","application","check","headers",
 *                           "check_timeout_ms","timeout_ms","ordered",
 *                           "deliveries":[…],"submit","wait_ms"}
 *
 *   STEP_BEGIN -> STEP_REGISTER, once for each delivery -> STEP_SUBMIT -> 201
 *                       |                                    |
 *                       +---------- STEP_UNDO <--------------+   a problem
 *
 * What is refused undoes what was begun, and the answer says whether that was
 * confirmed. Only if a submission is neither confirmed nor refused it is left
 * alone: its outcome is unknown then.
 *
 * With an Idempotency-Key all of it may be repeated: the core knows the message
 * by its key, and each delivery by its place in the list. So a repeat goes on
 * where the first one stopped, or finds that all is done.
 */

#define DELIVERIES_MAX 1000

struct message {
	struct bytes name, application, check, headers, deliveries;
	uint64_t check_timeout_ms, timeout_ms, wait_ms;
	bool ordered, submit;
};

static const struct field members[] = {
	FIELD(struct message, name, FIELD_TEXT, true, TEXT_MAX),
	FIELD(struct message, application, FIELD_TEXT, false, TEXT_MAX),
	FIELD(struct message, check, FIELD_TEXT, false, URL_LEN_MAX),
	FIELD(struct message, headers, FIELD_OBJECT, false, 0),
	FIELD(struct message, check_timeout_ms, FIELD_NUMBER, false, SPAN_MAX),
	FIELD(struct message, timeout_ms, FIELD_NUMBER, false, SPAN_MAX),
	FIELD(struct message, ordered, FIELD_FLAG, false, 0),
	FIELD(struct message, deliveries, FIELD_LIST, true, DELIVERIES_MAX),
	FIELD(struct message, submit, FIELD_FLAG, true, 0),
	FIELD(struct message, wait_ms, FIELD_NUMBER, false, WAIT_MAX),
};

enum step { STEP_BEGIN, STEP_REGISTER, STEP_SUBMIT, STEP_UNDO };

struct work {
	enum step step;
	enum step failed; /* UNDO: at which one, … */
	struct reply why; /* … and what was said */
	struct request *deliveries;
	uint64_t *branches; /* of each delivery that is registered */
	size_t n, next;
	bool submit;
	bool keyed;   /* there is an Idempotency-Key */
	bool existed; /* the message was begun before … */
	bool decided; /* … and is decided: nothing can be registered */
	uint64_t wait_ms;
};

/* ---- the document ---- */

static bool read_delivery(const struct http_api *api, struct http_call *call,
			  struct http_answer *answer, size_t index,
			  struct bytes object, struct request *request)
{
	struct body_path list = { NULL, "deliveries", 0 };
	struct body_path at = { &list, NULL, index };
	struct delivery d = { .to = { 0 } };

	return body_read_at(call, answer, &at, object, delivery_members,
			    delivery_n_members, &d) &&
	       delivery_request(api, call, answer, &at, &d, request);
}

static struct work *read_deliveries(const struct http_api *api,
				    struct http_call *call,
				    struct http_answer *answer,
				    const struct message *m)
{
	struct work *w = arena_alloc(call->arena, sizeof *w);
	struct bytes *items;
	size_t n;

	items = body_items(call, answer, m->deliveries, &n);
	if (!items)
		return NULL;
	if (w) {
		w->deliveries =
			arena_array(call->arena, n, sizeof *w->deliveries);
		w->branches = arena_array(call->arena, n, sizeof *w->branches);
	}
	if (!w || !w->deliveries || !w->branches) {
		(void)http_no_memory(answer);
		return NULL;
	}
	w->n = n;
	w->submit = m->submit;
	w->keyed = call->idempotency_key.len > 0;
	w->wait_ms = m->wait_ms;
	for (size_t i = 0; i < n; i++)
		if (!read_delivery(api, call, answer, i, items[i],
				   &w->deliveries[i]))
			return NULL;
	return w;
}

static bool read_check(const struct http_api *api, struct http_call *call,
		       struct http_answer *answer, const struct message *m,
		       struct request *begin)
{
	struct to to = { .check = { .name = "check" }, .headers = m->headers };

	if (m->check.len > 0)
		return to_any(api, call, answer, NULL, &to, &to.check, m->check,
			      &begin->check, &begin->participant);
	if (m->headers.len > 0)
		return body_refuse(call, answer, NULL, "headers",
				   "left out: they are those of \"check\"; "
				   "deliveries have their own");
	return true;
}

enum http_verdict http_message(const struct http_api *api,
			       struct http_call *call,
			       struct http_answer *answer,
			       struct request *request)
{
	struct message m = { .ordered = false };
	struct work *w;

	if (!body_read(call, answer, members, ARRAY_LEN(members), &m))
		return HTTP_ANSWERED;
	*request = (struct request){
		.type = RQ_BEGIN,
		.kind = KIND_MESSAGE,
		.name = m.name,
		.application = m.application,
		.timeout_ms = m.timeout_ms,
		.ordered = m.ordered,
		.call_timeout_ms = m.check_timeout_ms,
		.business_key = call->idempotency_key,
	};
	if (!read_check(api, call, answer, &m, request))
		return HTTP_ANSWERED;
	if (m.wait_ms > 0 && !m.submit) {
		(void)body_refuse(call, answer, NULL, "wait_ms",
				  "left out: nothing is delivered before it is "
				  "submitted");
		return HTTP_ANSWERED;
	}
	w = read_deliveries(api, call, answer, &m);
	call->work = w;
	call->wait_ms = m.wait_ms;
	return w ? HTTP_ASKED : HTTP_ANSWERED;
}

/* ---- its steps ---- */

static enum http_verdict ask_next(struct http_call *call, struct work *w,
				  struct request *request)
{
	if (w->next < w->n && !w->decided) {
		w->step = STEP_REGISTER;
		*request = w->deliveries[w->next];
		request->client_key = w->keyed ? w->next + 1 : 0;
	} else {
		w->step = STEP_SUBMIT;
		*request = (struct request){ .type = RQ_COMMIT,
					     .wait_ms = w->wait_ms };
	}
	request->xid = call->xid;
	return HTTP_ASKED;
}

static enum http_verdict prepared(struct http_call *call, const struct work *w,
				  const struct reply *reply,
				  struct http_answer *answer)
{
	struct json j = http_put_where(answer, w->existed ? 200 : 201, reply,
				       call->xid);

	json_bool(&j, "existed", w->existed);
	if (w->next < w->n) {
		json_null(&j, "branches"); /* registered by another request */
	} else {
		json_array(&j, "branches");
		for (size_t i = 0; i < w->n; i++)
			json_id(&j, NULL, w->branches[i]);
		json_end(&j);
	}
	json_end(&j);
	return HTTP_ANSWERED;
}

static bool take_xid(struct http_call *call, const struct reply *reply,
		     struct http_answer *answer)
{
	call->xid = arena_bytes(call->arena, reply->xid);
	answer->xid = call->xid;
	return call->xid.data != NULL;
}

static enum http_verdict next(struct http_call *call, struct work *w,
			      const struct reply *reply,
			      struct http_answer *answer,
			      struct request *request)
{
	switch (w->step) {
	case STEP_BEGIN:
		/* Without it nothing is stored yet, and it times out. */
		if (!take_xid(call, reply, answer))
			return http_no_memory(answer);
		w->existed = reply->existed;
		w->decided = reply->status != GTX_BEGIN;
		break;
	case STEP_REGISTER:
		w->branches[w->next++] = reply->branch;
		break;
	case STEP_SUBMIT:
	case STEP_UNDO:
		return prepared(call, w, reply, answer);
	}
	if ((w->next == w->n || w->decided) && !w->submit)
		return prepared(call, w, reply, answer);
	return ask_next(call, w, request);
}

/* ---- when a step is refused ---- */

/* "deliveries[3]: " of the step that failed. */
static void name_step(struct buf *out, const struct work *w)
{
	if (w->failed == STEP_REGISTER)
		buf_printf(out, "deliveries[%zu]: ", w->next);
	if (w->why.text.len > 0)
		buf_put(out, w->why.text);
	else if (w->why.err == E_NOMEM)
		buf_put_text(out, "out of memory");
	else
		buf_put_text(out, err_name(w->why.err));
}

static enum http_verdict undo(struct http_call *call, struct work *w,
			      const struct reply *reply,
			      struct request *request)
{
	struct buf text;

	w->failed = w->step;
	w->step = STEP_UNDO;
	w->why = *reply;
	w->why.text = arena_bytes(call->arena, reply->text);
	buf_init(&text, &call->arena->as_mem);
	name_step(&text, w);
	*request = (struct request){ .type = RQ_ROLLBACK,
				     .xid = call->xid,
				     .text = buf_bytes(&text) };
	return HTTP_ASKED;
}

static enum http_verdict undone(struct http_call *call, const struct work *w,
				const struct reply *reply,
				struct http_answer *answer)
{
	bool topic = w->failed == STEP_REGISTER && w->deliveries[w->next].topic;
	enum http_problem problem = http_problem_of(
		&w->why, topic ? PROBLEM_NO_TOPIC : PROBLEM_NO_TRANSACTION);
	struct buf text;

	buf_init(&text, &call->arena->as_mem);
	name_step(&text, w);
	if (reply->err == OK || reply->err == E_NOTFOUND)
		http_problem(answer, problem,
			     "%s; the message is rolled back, nothing of it "
			     "is delivered",
			     buf_text(&text));
	else
		http_problem(answer, problem,
			     "%s; rolling it back was not confirmed (%s): it "
			     "stays prepared until its time-out or its check "
			     "decides, or somebody aborts it",
			     buf_text(&text), err_name(reply->err));
	return HTTP_ANSWERED;
}

/* The core may or may not have it on disk. */
static bool in_doubt(const struct work *w, int err)
{
	return w->step == STEP_SUBMIT &&
	       (err == E_CLOSED || err == E_UNKNOWN || err == E_TIMEOUT);
}

/*
 * A message that was there before. Another request may be at work on it, or
 * have decided it by now, so nothing is undone: it stays as it is, and this may
 * be repeated again.
 */
static enum http_verdict refused_again(struct http_call *call, struct work *w,
				       const struct reply *reply,
				       struct http_answer *answer,
				       struct request *request)
{
	bool topic = w->step == STEP_REGISTER && w->deliveries[w->next].topic;

	if (w->step == STEP_REGISTER && reply->err == E_STATE && w->submit) {
		w->decided = true;
		return ask_next(call, w, request);
	}
	if (w->step == STEP_REGISTER && reply->err == E_INVALID)
		http_problem(answer, PROBLEM_KEY_REUSED,
			     "deliveries[%zu] is not that of the message which "
			     "was begun with this Idempotency-Key (%.*s); "
			     "nothing was changed",
			     w->next, SHORT(reply->text));
	else
		http_refuse_as(call, reply, answer,
			       topic ? PROBLEM_NO_TOPIC
				     : PROBLEM_NO_TRANSACTION);
	return HTTP_ANSWERED;
}

static enum http_verdict refused(const struct http_api *api,
				 struct http_call *call, struct work *w,
				 const struct reply *reply,
				 struct http_answer *answer,
				 struct request *request)
{
	if (in_doubt(w, reply->err)) {
		http_problem(answer, PROBLEM_OUTCOME_UNKNOWN,
			     "whether %.*s is submitted is not known (%s); "
			     "look at it, or submit it again",
			     SHORT(call->xid), err_name(reply->err));
		return HTTP_ANSWERED;
	}
	if (w->existed)
		return refused_again(call, w, reply, answer, request);
	/* Nothing was begun, or it is decided otherwise. */
	if (w->step == STEP_BEGIN ||
	    (w->step == STEP_SUBMIT && reply->err == E_STATE)) {
		http_refuse(api, call, reply, answer);
		return HTTP_ANSWERED;
	}
	return undo(call, w, reply, request);
}

enum http_verdict http_message_said(const struct http_api *api,
				    struct http_call *call,
				    const struct reply *reply,
				    struct http_answer *answer,
				    struct request *request)
{
	struct work *w = call->work;

	REQUIRE(w);
	if (w->step == STEP_UNDO)
		return undone(call, w, reply, answer);
	if (reply->err != OK)
		return refused(api, call, w, reply, answer, request);
	return next(call, w, reply, answer, request);
}

/* ---- one that is there ---- */

static bool is_message(const struct http_api *api, struct http_call *call,
		       struct http_answer *answer)
{
	struct gtx_view gtx;

	if (http_look(api, call, &gtx) != OK || gtx.kind == KIND_MESSAGE)
		return true; /* what finished, the core knows */
	http_problem(answer, PROBLEM_NO_TRANSACTION,
		     "transaction %.*s is not a message, its kind is %s",
		     SHORT(call->xid), view_kind(gtx.kind));
	return false;
}

enum http_verdict http_message_submit(const struct http_api *api,
				      struct http_call *call,
				      struct http_answer *answer,
				      struct request *request)
{
	enum http_verdict v = http_commit(api, call, answer, request);

	return v == HTTP_ASKED && !is_message(api, call, answer) ? HTTP_ANSWERED
								 : v;
}

enum http_verdict http_message_abort(const struct http_api *api,
				     struct http_call *call,
				     struct http_answer *answer,
				     struct request *request)
{
	enum http_verdict v = http_rollback(api, call, answer, request);

	return v == HTTP_ASKED && !is_message(api, call, answer) ? HTTP_ANSWERED
								 : v;
}

enum http_verdict http_message_list(const struct http_api *api,
				    struct http_call *call,
				    struct http_answer *answer,
				    struct request *request)
{
	(void)request;
	return http_list_kinds(api, call, answer, 1u << KIND_MESSAGE);
}

enum http_verdict http_message_show(const struct http_api *api,
				    struct http_call *call,
				    struct http_answer *answer,
				    struct request *request)
{
	(void)request;
	return http_show_kind(api, call, answer, KIND_MESSAGE, NULL);
}
