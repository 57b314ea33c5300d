#include "tc/door/http_route.h"
#include "tc/door/http_view.h"

/*
 * GET /healthz, /readyz, /metrics, /api/v1/stats,
 * /api/v1/unfinished: is it up, and what does it do?
 */

enum http_verdict http_health(const struct http_api *api,
			      struct http_call *call,
			      struct http_answer *answer,
			      struct request *request)
{
	struct json j = http_answer_json(answer, 200);

	(void)api;
	(void)call;
	(void)request;
	json_object(&j, NULL);
	json_text(&j, "status", BYTES("ok"));
	json_end(&j);
	return HTTP_ANSWERED;
}

enum http_verdict http_ready(const struct http_api *api, struct http_call *call,
			     struct http_answer *answer,
			     struct request *request)
{
	switch (api->port->state(api->port->ctx)) {
	case HOST_LOADING:
		http_problem(answer, PROBLEM_CLOSING,
			     "transactions are still being loaded; try again "
			     "in a moment");
		return HTTP_ANSWERED;
	case HOST_DRAINING:
		http_problem(answer, PROBLEM_CLOSING,
			     "the coordinator is stopping; new transactions "
			     "go to another one, or wait for its restart");
		return HTTP_ANSWERED;
	case HOST_READY:
		break;
	}
	return http_health(api, call, answer, request);
}

static const char *state_name(enum host_state state)
{
	static const char *const names[] = {
		[HOST_LOADING] = "loading",
		[HOST_READY] = "ready",
		[HOST_DRAINING] = "draining",
	};

	return names[state];
}

enum http_verdict http_stats(const struct http_api *api, struct http_call *call,
			     struct http_answer *answer,
			     struct request *request)
{
	const struct door_port *port = api->port;
	struct core_stats core = core_stats(port->core(port->ctx));
	struct store_stats store = store_stats(port->store(port->ctx));
	struct door_stats caller = port->door_stats(port->ctx, DOOR_CALLER);
	struct json j = http_answer_json(answer, 200);

	(void)call;
	(void)request;
	json_object(&j, NULL);
	json_text(&j, "version", bytes_of(api->version));
	json_text(&j, "coordinator", port->coordinator);
	json_text(&j, "state", bytes_of(state_name(port->state(port->ctx))));
	json_number(&j, "uptime_ms", port->now_ms(port->ctx) - api->began_ms);
	view_core_stats(&j, "core", &core);
	view_store_stats(&j, "store", &store);
	view_caller_stats(&j, "caller", &caller);
	json_end(&j);
	return HTTP_ANSWERED;
}

enum http_verdict http_metrics(const struct http_api *api,
			       struct http_call *call,
			       struct http_answer *answer,
			       struct request *request)
{
	(void)call;
	(void)request;
	buf_clear(&answer->body);
	answer->status = 200;
	answer->type = "text/plain; version=0.0.4; charset=utf-8";
	api->port->metrics(api->port->ctx, &answer->body);
	return HTTP_ANSWERED;
}

/* ---- what is unfinished ---- */

static void put_statuses(struct json *j, const struct core_census *census)
{
	json_array(j, "statuses");
	for (int status = 0; status < GTX_STATUSES; status++) {
		uint64_t n = 0;

		for (size_t kind = 0; kind < CENSUS_KINDS; kind++)
			n += census->gtx[kind][status];
		if (n == 0)
			continue;
		json_object(j, NULL);
		json_text(j, "status", bytes_of(gtx_status_name(status)));
		json_number(j, "status_code", (uint64_t)status);
		json_bool(j, "hung", gtx_status_hung(status));
		json_number(j, "count", n);
		json_end(j);
	}
	json_end(j);
}

enum http_verdict http_unfinished(const struct http_api *api,
				  struct http_call *call,
				  struct http_answer *answer,
				  struct request *request)
{
	const struct door_port *port = api->port;
	struct json j = http_answer_json(answer, 200);
	struct core_census census;

	(void)call;
	(void)request;
	core_census(port->core(port->ctx), port->wall_ms(port->ctx), &census);
	json_object(&j, NULL);
	put_statuses(&j, &census);
	json_array(&j, "ages");
	for (size_t i = 0; i < CENSUS_AGES; i++) {
		json_object(&j, NULL);
		json_number(&j, "older_than_ms", census_ages_s[i] * 1000);
		json_number(&j, "count", census.older[i]);
		json_number(&j, "hung", census.hung_older[i]);
		json_end(&j);
	}
	json_end(&j);
	json_number(&j, "oldest_ms", census.oldest_ms);
	json_number(&j, "oldest_hung_ms", census.oldest_hung_ms);
	json_number(&j, "oldest_decided_ms", census.oldest_decided_ms);
	json_end(&j);
	return HTTP_ANSWERED;
}
