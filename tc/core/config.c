#include "base/xid.h"
#include "tc/core/model.h"

void core_config_default(struct core_config *config)
{
	*config = (struct core_config){
		.gtx_max = 100 * 1000,
		.branches_per_gtx_max = 1000,
		.locks_max = 1000 * 1000,
		.lock_keys_per_branch_max = 10 * 1000,
		.waiters_max = 10 * 1000,
		.tombstones_max = 100 * 1000,
		.peers_max = 10 * 1000,
		.text_max = 1024,
		.application_data_max = 1024 * 1024,
		.saga_data_max = 256 * 1024,
		.saga_tasks_max = 2000,
		.machines_max = 1000,
		.participant_max = 16 * 1024,
		.in_flight_per_peer_max = 64,
		.schedule_max = 100,
		.subscribers_max = 10 * 1000,

		.timeout_ms_default = 60 * 1000,
		.timeout_ms_max = 24 * 60 * 60 * 1000,
		.lock_wait_ms_max = 60 * 1000,
		.reply_wait_ms_max = 60 * 1000,
		.command_timeout_ms = 30 * 1000,
		.retry_ms_first = 500,
		.retry_ms_max = 60 * 1000,
		.attempts_max = 0,
		.saga_attempts = 5,
		.saga_ask_again_ms = 1000,
		.delay_ms_max = UINT64_C(366) * 24 * 60 * 60 * 1000,
		.tombstone_keep_ms = 24 * 60 * 60 * 1000,
		.id_block = 100 * 1000,
	};
}

/* Durations this long are a mistake, and sums of them must not overflow. */
#define LONGEST_MS (UINT64_C(1000) * 365 * 24 * 60 * 60 * 1000)

static bool good_times(const struct core_config *k)
{
	const uint64_t times[] = { k->timeout_ms_default, k->timeout_ms_max,
				   k->lock_wait_ms_max,   k->reply_wait_ms_max,
				   k->command_timeout_ms, k->retry_ms_first,
				   k->retry_ms_max,       k->tombstone_keep_ms,
				   k->saga_ask_again_ms,  k->delay_ms_max };

	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		if (times[i] > LONGEST_MS)
			return false;
	return k->saga_ask_again_ms > 0 && k->timeout_ms_default > 0 &&
	       k->command_timeout_ms > 0 &&
	       k->timeout_ms_default <= k->timeout_ms_max &&
	       k->retry_ms_first > 0 && k->retry_ms_first <= k->retry_ms_max;
}

static bool good_limits(const struct core_config *k)
{
	return k->gtx_max > 0 && k->branches_per_gtx_max > 0 &&
	       k->locks_max > 0 && k->lock_keys_per_branch_max > 0 &&
	       k->tombstones_max > 0 && k->peers_max > 0 && k->text_max > 0 &&
	       k->saga_data_max > 1 && k->saga_data_max <= UINT32_MAX &&
	       k->saga_tasks_max > 0 && k->saga_tasks_max <= UINT32_MAX &&
	       k->in_flight_per_peer_max > 0 && k->id_block > 0 &&
	       k->id_block <= UINT32_MAX && k->text_max <= UINT32_MAX &&
	       k->application_data_max <= UINT32_MAX &&
	       k->participant_max <= UINT32_MAX;
}

int core_config_check(const struct core_config *k)
{
	/* 20: a colon and the longest number behind the coordinator's name. */
	if (k->coordinator.len == 0 || k->coordinator.len > XID_LEN_MAX - 20)
		return E_INVALID;
	if (k->first_id > INT64_MAX / 2)
		return E_INVALID; /* there must be many above it */
	return good_times(k) && good_limits(k) ? OK : E_INVALID;
}
