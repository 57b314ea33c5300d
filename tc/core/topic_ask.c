#include "tc/core/model.h"

/*
 * Topics: who subscribes, and what a message to one becomes: a delivery to
 * each of its subscribers, all of them or none.
 */

/* ---- publishing ---- */

static struct topic *topic_of(const struct core *c, const struct request *rq)
{
	return rq->topic ? topics_find(&c->topics, rq->resource) : NULL;
}

uint64_t branches_of(const struct core *c, const struct request *rq)
{
	const struct topic *topic = topic_of(c, rq);

	return topic ? topic->n : 1;
}

static void free_staged(struct core *c, struct list *staged)
{
	LIST_EACH(node, staged) {
		list_remove(node);
		branch_free(c, CONTAINER_OF(node, struct branch, of_gtx));
	}
}

static int stage_deliveries(struct core *c, struct gtx *g,
			    const struct request *rq, const struct topic *topic,
			    struct list *staged)
{
	struct branch_spec spec = branch_spec(c, g, rq);
	struct branch *b;

	spec.delivery.topic = topic->name;
	spec.delivery.schedule = branch_schedule(c, rq);
	if (!fx_ok(&c->fx))
		return E_NOMEM;
	LIST_EACH(node, &topic->subscribers) {
		const struct subscriber *s = SUBSCRIBER_OF(node);
		int rc;

		spec.resource = s->resource;
		spec.participant = s->participant;
		spec.delivery.subscriber = s->name;
		rc = branch_new(&b, c, &spec);
		if (rc != OK)
			return rc;
		list_append(staged, &b->of_gtx);
		spec.id++;
	}
	return OK;
}

static void put_rows(struct core *c, struct gtx *g, const struct list *staged)
{
	struct gtx_record gr = gtx_record(g);

	if (!g->stored)
		row_put_gtx(c, g, &gr, true);
	LIST_EACH(node, (struct list *)(uintptr_t)staged) {
		struct branch *b = CONTAINER_OF(node, struct branch, of_gtx);
		struct branch_record r = branch_record(b);

		row_put_branch(c, b, g, &r, true);
		branch_say(c, g, b, 0);
	}
}

static int stage_publish(struct core *c, struct gtx *g,
			 const struct request *rq, const struct topic *topic,
			 struct list *staged, struct ask **ask)
{
	struct answer a = answer_about(rq, OK, g);
	int rc = stage_deliveries(c, g, rq, topic, staged);

	if (rc != OK)
		return rc;
	a.branch = c->ids.next;
	a.count = topic->n;
	put_rows(c, g, staged);
	if (!fx_ok(&c->fx))
		return E_NOMEM;
	return answer_stage(c, &a, row_seq(c), 0, ask);
}

int publish(struct core *c, struct gtx *g, const struct request *rq)
{
	const struct topic *topic = topic_of(c, rq);
	struct list staged;
	struct ask *ask;

	if (!topic)
		return request_refuse(c, rq, g, E_NOTFOUND,
				      "nobody subscribes to this topic: the "
				      "message would be lost");
	if (g->n_listed + topic->n > c->config.branches_per_gtx_max)
		return request_refuse(c, rq, g, E_LIMIT,
				      "more branches than "
				      "branches_per_gtx_max");
	list_init(&staged);
	if (stage_publish(c, g, rq, topic, &staged, &ask) != OK) {
		free_staged(c, &staged);
		return E_NOMEM;
	}
	LIST_EACH(node, &staged) {
		list_remove(node);
		branch_admit(c, CONTAINER_OF(node, struct branch, of_gtx), g);
	}
	answer_commit(c, ask);
	return OK;
}

/* ---- subscribing ---- */

static int refuse(struct core *c, const struct request *rq, int err,
		  const char *what)
{
	struct answer a = answer_to(rq, err);

	a.what = what;
	return answer_give(c, &a, 0);
}

static int check_names(const struct core *c, const struct request *rq,
		       const char **what)
{
	*what = "which topic?";
	if (rq->name.len == 0)
		return E_INVALID;
	*what = "which subscriber?";
	if (rq->subscriber.len == 0)
		return E_INVALID;
	*what = "topic or subscriber longer than text_max";
	if (rq->name.len > c->config.text_max ||
	    rq->subscriber.len > c->config.text_max)
		return E_LIMIT;
	return OK;
}

static int check_subscribe(struct core *c, const struct request *rq,
			   const struct subscriber *old, const char **what)
{
	int rc = check_names(c, rq, what);

	if (rc != OK)
		return rc;
	*what = "a subscriber needs a resource";
	if (rq->resource.len == 0)
		return E_INVALID;
	rc = target_check(c, rq, rq->resource, what);
	if (rc != OK)
		return rc;
	*what = "more subscribers than subscribers_max";
	if (!old && c->topics.n_subscribers >= c->config.subscribers_max)
		return E_LIMIT;
	return OK;
}

static struct subscriber *find(const struct core *c, const struct request *rq)
{
	const struct topic *topic = topics_find(&c->topics, rq->name);

	return topic ? topic_find(topic, rq->subscriber) : NULL;
}

static bool says_the_same(const struct subscriber *s, const struct request *rq)
{
	return s && bytes_equal(s->resource, rq->resource) &&
	       bytes_equal(s->participant, rq->participant);
}

static int subscribe(struct core *c, const struct request *rq,
		     const struct subscriber *old)
{
	const struct topic_record r = { rq->name, rq->subscriber, rq->resource,
					rq->participant };
	const struct subscription what = { old ? old->id : c->ids.next,
					   rq->name, rq->subscriber,
					   rq->resource, rq->participant };
	struct answer a = answer_to(rq, OK);
	bool fresh = !old;
	struct subscriber *s;
	struct ask *ask;

	row_put_topic(c, what.id, &r);
	if (!fx_ok(&c->fx) || answer_stage(c, &a, row_seq(c), 0, &ask) != OK)
		return E_NOMEM;
	if (topics_put(&c->topics, &what, &s) != OK) {
		answer_discard(c, ask);
		return E_NOMEM;
	}
	s->seq = row_seq(c);
	if (fresh)
		(void)ids_take(&c->ids, 1);
	answer_commit(c, ask);
	return OK;
}

int handle_subscribe(struct core *c, const struct request *rq)
{
	const struct subscriber *old = find(c, rq);
	const char *what;
	struct answer a;
	int rc = check_subscribe(c, rq, old, &what);

	if (rc == E_NOMEM)
		return rc;
	if (rc != OK)
		return refuse(c, rq, rc, what);
	if (says_the_same(old, rq)) {
		a = answer_to(rq, OK);
		a.existed = true;
		return answer_give(c, &a, old->seq);
	}
	if (!old && !ids_have(&c->ids, 1))
		return request_park(c, rq);
	return subscribe(c, rq, old);
}

int handle_unsubscribe(struct core *c, const struct request *rq)
{
	struct answer a = answer_to(rq, OK);
	struct subscriber *s;
	const char *what;
	struct ask *ask;
	int rc = check_names(c, rq, &what);

	if (rc != OK)
		return refuse(c, rq, rc, what);
	s = find(c, rq);
	if (!s)
		return refuse(c, rq, E_NOTFOUND,
			      "the topic has no such subscriber");
	row_delete_topic(c, s->id);
	if (!fx_ok(&c->fx) || answer_stage(c, &a, row_seq(c), 0, &ask) != OK)
		return E_NOMEM;
	topics_drop(&c->topics, s);
	answer_commit(c, ask);
	return OK;
}
