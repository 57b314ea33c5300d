#include "tc/door/http_route.h"
#include "tc/door/http_to.h"
#include "tc/door/http_view.h"

/*
 * Topics: who gets what is sent to them.
 *
 *   GET    /api/v1/topics                             all of them
 *   GET    /api/v1/topics/{topic}/subscribers         of one
 *   POST   /api/v1/topics/{topic}/subscribers         {"subscriber","to",
 *                                                      "headers"}
 *   DELETE /api/v1/topics/{topic}/subscribers/{name}
 */

struct subscription {
	struct bytes subscriber, to, headers;
};

static const struct field members[] = {
	FIELD(struct subscription, subscriber, FIELD_TEXT, true, TEXT_MAX),
	FIELD(struct subscription, to, FIELD_TEXT, true, URL_LEN_MAX),
	FIELD(struct subscription, headers, FIELD_OBJECT, false, 0),
};

enum http_verdict http_subscribe(const struct http_api *api,
				 struct http_call *call,
				 struct http_answer *answer,
				 struct request *request)
{
	struct subscription s = { .to = { 0 } };
	struct delivery d = { .to = { 0 } };

	if (!body_read(call, answer, members, ARRAY_LEN(members), &s))
		return HTTP_ANSWERED;
	d.to = s.to;
	d.headers = s.headers;
	if (!delivery_request(api, call, answer, NULL, &d, request))
		return HTTP_ANSWERED;
	*request = (struct request){
		.type = RQ_SUBSCRIBE,
		.name = call->vars[0],
		.subscriber = s.subscriber,
		.resource = request->resource,
		.participant = request->participant,
	};
	call->about = s.subscriber;
	return HTTP_ASKED;
}

enum http_verdict http_unsubscribe(const struct http_api *api,
				   struct http_call *call,
				   struct http_answer *answer,
				   struct request *request)
{
	(void)api;
	(void)answer;
	*request = (struct request){
		.type = RQ_UNSUBSCRIBE,
		.name = call->vars[0],
		.subscriber = call->vars[1],
	};
	call->about = call->vars[1];
	return HTTP_ASKED;
}

enum http_verdict http_topic_said(const struct http_api *api,
				  struct http_call *call,
				  const struct reply *reply,
				  struct http_answer *answer,
				  struct request *request)
{
	struct json j;

	(void)api;
	(void)request;
	if (reply->err != OK) {
		http_refuse_as(call, reply, answer, PROBLEM_NO_TOPIC);
		return HTTP_ANSWERED;
	}
	/* A subscriber that was there has another target now: 200 for both. */
	j = http_answer_json(answer, 200);
	json_object(&j, NULL);
	json_text(&j, "topic", call->vars[0]);
	json_text(&j, "subscriber", call->about);
	json_end(&j);
	return HTTP_ANSWERED;
}

/* ---- look ---- */

struct listing {
	struct json *json;
	struct bytes topic; /* empty: all */
	bool found;
};

static bool each_subscriber(void *ctx, struct topic_view t)
{
	struct listing *l = ctx;

	if (l->topic.len > 0 && !bytes_equal(l->topic, t.topic))
		return true;
	l->found = true;
	json_object(l->json, NULL);
	json_text(l->json, "topic", t.topic);
	json_text(l->json, "subscriber", t.subscriber);
	json_text(l->json, "resource", t.resource);
	view_participant(l->json, "participant", t.participant);
	json_end(l->json);
	return true;
}

enum http_verdict http_topic_list(const struct http_api *api,
				  struct http_call *call,
				  struct http_answer *answer,
				  struct request *request)
{
	const struct door_port *port = api->port;
	struct json j = http_answer_json(answer, 200);
	struct listing l = { &j, call->vars[0], false };

	(void)request;
	json_object(&j, NULL);
	json_array(&j, "subscribers");
	core_topics(port->core(port->ctx), each_subscriber, &l);
	json_end(&j);
	json_end(&j);
	if (l.topic.len > 0 && !l.found)
		http_problem(answer, PROBLEM_NO_TOPIC,
			     "nobody has subscribed to %.*s", SHORT(l.topic));
	return HTTP_ANSWERED;
}
