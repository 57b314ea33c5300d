#include "tc/door/http_route.h"
#include "tc/door/http_service.h"
#include "tc/door/http_view.h"

/*
 * State machines, and graphs of steps.
 *
 *   POST   /api/v1/machines                    the document itself
 *   GET    /api/v1/machines                    what is there, without documents
 *   GET    /api/v1/machines/{name}?version     one with its document; without a
 *                                              version the newest
 *   DELETE /api/v1/machines/{name}?version
 */

/* ---- put ---- */

enum http_verdict http_machine_put(const struct http_api *api,
				   struct http_call *call,
				   struct http_answer *answer,
				   struct request *request)
{
	if (!json_valid(call->body) || json_type(call->body) != JSON_OBJECT) {
		http_problem(answer, PROBLEM_BAD_JSON,
			     "the body is not one JSON object in UTF-8 (nested "
			     "at most %d deep); send the definition itself",
			     JSON_DEPTH_MAX);
		return HTTP_ANSWERED;
	}
	if (!services_allowed(api, call, answer, NULL, call->body))
		return HTTP_ANSWERED;
	*request =
		(struct request){ .type = RQ_MACHINE_PUT, .text = call->body };
	return HTTP_ASKED;
}

static void refuse(struct http_call *call, const struct reply *reply,
		   struct http_answer *answer)
{
	if (reply->err == E_INVALID && reply->type == RQ_MACHINE_PUT &&
	    reply->text.len > 0)
		http_problem(answer, PROBLEM_BAD_MACHINE, "%.*s",
			     (int)reply->text.len,
			     (const char *)reply->text.data);
	else
		http_refuse_as(call, reply, answer, PROBLEM_NO_MACHINE);
}

enum http_verdict http_machine_said(const struct http_api *api,
				    struct http_call *call,
				    const struct reply *reply,
				    struct http_answer *answer,
				    struct request *request)
{
	bool put = call->route->serve == http_machine_put;
	struct json j;

	(void)api;
	(void)request;
	if (reply->err != OK) {
		refuse(call, reply, answer);
		return HTTP_ANSWERED;
	}
	j = http_answer_json(answer, put && !reply->existed ? 201 : 200);
	json_object(&j, NULL);
	json_text(&j, "name", put ? reply->name : call->vars[0]);
	json_text(&j, "version", put ? reply->version : call->about);
	if (put)
		json_bool(&j, "existed", reply->existed);
	json_end(&j);
	return HTTP_ANSWERED;
}

/* ---- look ---- */

static void put_machine(struct json *j, const struct machine_view *m)
{
	json_text(j, "name", m->name);
	json_text(j, "version", m->version);
	view_when(j, "added_at", m->added_wall_ms);
	json_number(j, "runs", m->n_runs);
}

static bool each_machine(void *ctx, struct machine_view m)
{
	struct json *j = ctx;

	json_object(j, NULL);
	put_machine(j, &m);
	json_end(j);
	return true;
}

enum http_verdict http_machine_list(const struct http_api *api,
				    struct http_call *call,
				    struct http_answer *answer,
				    struct request *request)
{
	const struct door_port *port = api->port;
	struct json j = http_answer_json(answer, 200);

	(void)call;
	(void)request;
	json_object(&j, NULL);
	json_array(&j, "machines");
	core_machines(port->core(port->ctx), each_machine, &j);
	json_end(&j);
	json_end(&j);
	return HTTP_ANSWERED;
}

/* ---- one of them ---- */

struct wanted {
	struct bytes name;
	struct bytes version;
	bool any_version;
	bool found;
	struct machine_view machine;
};

/* They come oldest first: the last one that fits is the newest. */
static bool find_machine(void *ctx, struct machine_view m)
{
	struct wanted *w = ctx;

	if (!bytes_equal(m.name, w->name) ||
	    (!w->any_version && !bytes_equal(m.version, w->version)))
		return true;
	w->found = true;
	w->machine = m;
	return true;
}

static bool parse_version(const struct http_call *call,
			  struct http_answer *answer, struct wanted *w)
{
	const struct target *t = &call->parsed;

	*w = (struct wanted){ .name = call->vars[0], .any_version = true };
	for (size_t i = 0; i < t->n_params; i++) {
		if (bytes_equal(t->params[i].name, BYTES("version")) &&
		    w->any_version) {
			w->version = t->params[i].value;
			w->any_version = false;
			continue;
		}
		http_problem(answer, PROBLEM_BAD_QUERY,
			     "the query's %.*s is not valid: give version, "
			     "once",
			     SHORT(t->params[i].name));
		return false;
	}
	return true;
}

enum http_verdict http_machine_show(const struct http_api *api,
				    struct http_call *call,
				    struct http_answer *answer,
				    struct request *request)
{
	const struct door_port *port = api->port;
	struct wanted w;
	struct json j;

	(void)request;
	if (!parse_version(call, answer, &w))
		return HTTP_ANSWERED;
	core_machines(port->core(port->ctx), find_machine, &w);
	if (!w.found) {
		http_problem(answer, PROBLEM_NO_MACHINE,
			     "there is no state machine %.*s%s%.*s",
			     SHORT(w.name), w.any_version ? "" : ", version ",
			     SHORT(w.version));
		return HTTP_ANSWERED;
	}
	j = http_answer_json(answer, 200);
	json_object(&j, NULL);
	put_machine(&j, &w.machine);
	json_raw(&j, "document", w.machine.document);
	json_end(&j);
	return HTTP_ANSWERED;
}

enum http_verdict http_machine_drop(const struct http_api *api,
				    struct http_call *call,
				    struct http_answer *answer,
				    struct request *request)
{
	struct wanted w;

	(void)api;
	if (!parse_version(call, answer, &w))
		return HTTP_ANSWERED;
	if (w.any_version) {
		http_problem_at(answer, PROBLEM_BAD_QUERY, "version",
				"say which version of %.*s goes: ?version=…",
				SHORT(w.name));
		return HTTP_ANSWERED;
	}
	call->about = w.version;
	*request = (struct request){ .type = RQ_MACHINE_DROP,
				     .name = w.name,
				     .version = w.version };
	return HTTP_ASKED;
}
