#include "tests/fakes/sim_world.h"

#include "base/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void sim_connect(int a)
{
	struct event e = { .type = EV_PEER_UP };
	char resource[16], instance[16];
	struct bytes r[2] = { { 0 }, BYTES("msg") };

	if (sim.agents[a].peer)
		return;
	snprintf(resource, sizeof resource, "db%d", sim.agents[a].db);
	snprintf(instance, sizeof instance, "i%d.%d", a,
		 (int)sim.agents[a].life);
	r[0] = bytes_of(resource);
	sim.agents[a].peer = ++sim.next_peer;
	e.up = (struct peer_up){ .peer = sim.agents[a].peer,
				 .application = r[0],
				 .instance = bytes_of(instance),
				 .resources = r,
				 .n_resources = 2 };
	sim_step(e);
}

void sim_disconnect(int a, bool dies)
{
	uint64_t peer = sim.agents[a].peer;
	struct ev *e = sim_ev_new(EVT_CONNECT);

	e->agent = a;
	sim_ev_at(e, sim.now + 5 + sim_dice(dies ? 3000 : 300));
	if (dies) {
		sim.agents[a].life++;
		for (int j = 0; j < JOBS; j++) /* its databases roll back */
			for (int i = 0; i < sim.jobs[j].n; i++)
				if (sim.jobs[j].work[i].agent == a)
					sim_unlock_row(&sim.jobs[j], i);
	}
	sim.agents[a].peer = 0;
	sim_trace("agent %d %s", a, dies ? "dies" : "disconnects");
	if (peer)
		sim_step((struct event){ .type = EV_PEER_GONE, .peer = peer });
}

static struct ev *answer_to(const struct ev *e)
{
	struct ev *answer = sim_ev_new(EVT_TO_CORE_DONE);

	memcpy(answer->xid, e->xid, sizeof answer->xid);
	answer->done = (struct branch_done){ .peer = e->command.peer,
					     .command = e->command.id,
					     .type = e->command.type,
					     .xid = bytes_of(answer->xid),
					     .branch = e->command.branch };
	return answer;
}

static uint64_t gtx_of(const struct ev *e)
{
	return (uint64_t)strtoull(strrchr(e->xid, ':') + 1, NULL, 10);
}

void sim_on_call(const struct ev *e)
{
	struct ev *answer;

	if (sim_bad_luck(5)) /* it hangs */
		return;
	answer = answer_to(e);
	answer->life = e->life; /* nobody waits for it after a crash */
	sim_letter_command(&answer->done, &e->command, gtx_of(e));
	sim_trace("call of %s, branch %" PRIu64 ": %s", e->xid,
		  e->command.branch,
		  branch_status_name((int)answer->done.status));
	sim_ev_send(answer);
}

void sim_on_command(const struct ev *e)
{
	const struct command *co = &e->command;
	struct agent *a = &sim.agents[e->agent];
	struct ev *answer;
	uint64_t gtx = gtx_of(e);

	if (a->peer != e->number || sim_bad_luck(3)) /* gone, or it hangs */
		return;
	answer = answer_to(e);
	if (co->mode == MODE_MSG)
		sim_letter_command(&answer->done, co, gtx);
	else if (sim_bad_luck(10))
		answer->done.status = co->type == COMMAND_COMMIT
					      ? BRANCH_COMMIT_RETRYABLE
					      : BRANCH_ROLLBACK_RETRYABLE;
	else
		answer->done.status = bank_command(&sim.bank, gtx, co->branch,
						   co->mode == MODE_TCC, a->db,
						   co->type == COMMAND_COMMIT);
	sim_trace("branch %" PRIu64 " of %" PRIu64 " attempt %" PRIu32 ": %s",
		  co->branch, gtx, co->attempt,
		  branch_status_name((int)answer->done.status));
	sim_ev_send(answer);
}

bool sim_connected(uint64_t peer)
{
	for (int a = 0; a < AGENTS; a++)
		if (peer && sim.agents[a].peer == peer)
			return true;
	return false;
}
