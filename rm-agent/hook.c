#include "rm-agent/handle.h"

int treaty_hook_add(struct treaty *t, treaty_hook hook, void *ctx)
{
	int rc = handle_enter(t);

	if (rc != OK)
		return rc;
	if (!hook) {
		handle_leave(t);
		return agent_fail(E_INVALID, "treaty_hook_add: no function");
	}
	handle_lock(t);
	if (t->agent->n_hooks == HOOKS_MAX)
		rc = E_LIMIT;
	else
		t->agent->hooks[t->agent->n_hooks++] =
			(struct hook){ hook, ctx };
	handle_unlock(t);
	handle_leave(t);
	if (rc != OK)
		return agent_fail(rc, "treaty_hook_add: there are %d already",
				  HOOKS_MAX);
	return OK;
}

int hooks_run(struct treaty *t, const struct treaty_hook_event *event)
{
	struct hook hooks[HOOKS_MAX];
	size_t n;
	int rc = OK;

	handle_lock(t);
	n = t->agent->n_hooks;
	memcpy(hooks, t->agent->hooks, sizeof hooks);
	handle_unlock(t);
	callback_enter();
	for (size_t i = 0; i < n; i++) {
		int got = hooks[i].call(hooks[i].ctx, event);

		if (rc == OK && got < 0)
			rc = got;
	}
	callback_leave();
	return rc;
}
