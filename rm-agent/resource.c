#include "rm-agent/handle.h"

#include "base/hash.h"
#include "base/log.h"

struct resource *resource_find(const struct runner *r, struct bytes id)
{
	struct map_node *n = map_find(&r->resources, hash_bytes(0, id));

	for (; n; n = map_find_next(n)) {
		struct resource *s = CONTAINER_OF(n, struct resource, node);

		if (bytes_equal(bytes_of(s->id), id))
			return s;
	}
	return NULL;
}

static void resource_free(struct resource *s)
{
	if (s->handler.free)
		s->handler.free(s->ctx);
	mem_free(&mem_heap, s->id);
	mem_free(&mem_heap, s);
}

void resources_free(struct runner *r)
{
	struct map_node *n;

	while ((n = map_next(&r->resources, NULL))) {
		map_remove(&r->resources, n);
		resource_free(CONTAINER_OF(n, struct resource, node));
	}
	map_fini(&r->resources);
}

/* Tell the coordinator all of them. Locked. */
static int tell(struct treaty *t)
{
	struct runner *r = &t->agent->runner;
	struct bytes *ids =
		mem_array(&mem_heap, r->resources.count + 1, sizeof *ids);
	struct map_node *n = NULL;
	size_t i = 0;
	int rc;

	if (!ids)
		return E_NOMEM;
	while ((n = map_next(&r->resources, n)))
		ids[i++] = bytes_of(CONTAINER_OF(n, struct resource, node)->id);
	rc = session_resources(t->agent->session, ids, i, clock_ms());
	mem_free(&mem_heap, ids);
	if (rc == OK)
		loop_flush(t);
	return rc;
}

static int insert(struct treaty *t, struct resource *s)
{
	struct runner *r = &t->agent->runner;
	int rc;

	if (resource_find(r, bytes_of(s->id)))
		return E_STATE;
	if (r->resources.count >= RESOURCES_MAX)
		return E_LIMIT;
	map_insert(&r->resources, &s->node, hash_bytes(0, bytes_of(s->id)));
	rc = tell(t);
	if (rc != OK)
		map_remove(&r->resources, &s->node);
	return rc;
}

static int add(struct treaty *t, struct bytes id, enum branch_mode mode,
	       const struct agent_handler *handler, void *ctx)
{
	struct resource *s = mem_alloc(&mem_heap, sizeof *s);
	int rc;

	if (!s)
		return E_NOMEM;
	s->id = mem_text(&mem_heap, id);
	s->mode = mode;
	s->handler = *handler;
	s->ctx = ctx;
	rc = E_NOMEM;
	if (s->id) {
		handle_lock(t);
		rc = insert(t, s);
		handle_unlock(t);
	}
	if (rc != OK) {
		mem_free(&mem_heap, s->id);
		mem_free(&mem_heap, s);
	}
	return rc;
}

int agent_resource_add(struct treaty *t, struct bytes id, enum branch_mode mode,
		       const struct agent_handler *handler, void *ctx)
{
	int rc = handle_enter(t);

	if (rc != OK)
		return rc;
	REQUIRE(handler->run);
	rc = id.len > 0 && !memchr(id.data, '\0', id.len)
		     ? add(t, id, mode, handler, ctx)
		     : E_INVALID;
	handle_leave(t);
	if (rc != OK)
		return agent_fail(rc, "resource %.*s cannot be offered: %s",
				  (int)id.len, (const char *)id.data,
				  rc == E_STATE ? "it is there already"
						: treaty_error_text(rc));
	return OK;
}

void *agent_resource_find(struct treaty *t, struct bytes id)
{
	struct resource *s;
	void *ctx;

	if (handle_enter(t) != OK)
		return NULL;
	handle_lock(t);
	s = resource_find(&t->agent->runner, id);
	ctx = s ? s->ctx : NULL;
	handle_unlock(t);
	handle_leave(t);
	return ctx;
}

static struct resource *take_out(struct treaty *t, struct bytes id)
{
	struct runner *r = &t->agent->runner;
	struct resource *s = resource_find(r, id);

	if (!s)
		return NULL;
	map_remove(&r->resources, &s->node);
	/* Without memory for telling it, commands for it are refused. */
	if (tell(t) != OK)
		LOG_WARN("the coordinator was not told that a resource left",
			 LOG_B("resource", id));
	while (s->running > 0)
		(void)pthread_cond_wait(&t->changed, &t->lock);
	return s;
}

int agent_resource_remove(struct treaty *t, struct bytes id)
{
	struct resource *s;
	int rc = handle_enter(t);

	if (rc != OK)
		return rc;
	if (callback_inside()) {
		handle_leave(t);
		return agent_fail(E_STATE,
				  "resource %.*s cannot leave from "
				  "within a callback",
				  (int)id.len, (const char *)id.data);
	}
	handle_lock(t);
	s = take_out(t, id);
	handle_unlock(t);
	handle_leave(t);
	if (!s)
		return agent_fail(E_NOTFOUND, "resource %.*s is not offered",
				  (int)id.len, (const char *)id.data);
	resource_free(s);
	return OK;
}
