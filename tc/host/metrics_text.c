#include "tc/host/metrics.h"

/*
 * Every metric by name. docs/metrics.md lists the same ones (a test compares
 * them), the dashboard and the alerts name some.
 */

#define SECONDS_OF_US 1000000
#define SECONDS_OF_MS 1000

struct writer {
	struct buf *out;
	const char *name; /* of the metric that is being written */
};

static void head(struct writer *w, const char *name, enum metric_type type,
		 const char *help)
{
	w->name = name;
	metric_head(w->out, name, type, help);
}

static void put(struct writer *w, uint64_t value)
{
	metric_put(w->out, w->name, NULL, value, 1);
}

static void put_for(struct writer *w, const char *label, const char *word,
		    uint64_t value)
{
	const struct metric_label labels[METRIC_LABELS] = {
		{ label, bytes_of(word) }
	};

	metric_put(w->out, w->name, labels, value, 1);
}

static void put_histogram(struct writer *w, const char *label, const char *word,
			  const struct histogram *h)
{
	const struct metric_label labels[METRIC_LABELS] = {
		{ label, bytes_of(word) }
	};

	metric_put_histogram(w->out, w->name, labels, h, SECONDS_OF_US);
}

/* A metric without labels. */
static void gauge(struct writer *w, const char *name, uint64_t value,
		  const char *help)
{
	head(w, name, METRIC_GAUGE, help);
	put(w, value);
}

static void counter(struct writer *w, const char *name, uint64_t value,
		    const char *help)
{
	head(w, name, METRIC_COUNTER, help);
	put(w, value);
}

static void gauge_ms(struct writer *w, const char *name, uint64_t ms,
		     const char *help)
{
	head(w, name, METRIC_GAUGE, help);
	metric_put(w->out, name, NULL, ms, SECONDS_OF_MS);
}

static void counter_us(struct writer *w, const char *name, uint64_t us,
		       const char *help)
{
	head(w, name, METRIC_COUNTER, help);
	metric_put(w->out, name, NULL, us, SECONDS_OF_US);
}

/* ---- the process ---- */

static void put_process(struct writer *w, const struct metrics_facts *f)
{
	static const char *const states[] = {
		[HOST_LOADING] = "loading",
		[HOST_READY] = "ready",
		[HOST_DRAINING] = "draining",
	};
	const struct metric_label version[METRIC_LABELS] = { { "version",
							       f->version } };

	head(w, "treaty_build_info", METRIC_GAUGE,
	     "Always 1; which version this is.");
	metric_put(w->out, w->name, version, 1, 1);
	head(w, "treaty_state", METRIC_GAUGE,
	     "1 for the state in which treatyd is.");
	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		put_for(w, "state", states[i], (int)f->state == (int)i);
	gauge_ms(w, "treaty_uptime_seconds", f->uptime_ms,
		 "Time since the start.");
	counter_us(w, "process_cpu_seconds_total", f->cpu_us,
		   "CPU time used, user and system.");
}

/* ---- requests, phase two, ends ---- */

static const char *const requests[ASKS] = {
	[ASK_BEGIN] = "begin",
	[ASK_REGISTER] = "register",
	[ASK_REPORT] = "report",
	[ASK_COMMIT] = "commit",
	[ASK_COMMIT_WAIT] = "commit_wait",
	[ASK_ROLLBACK] = "rollback",
	[ASK_ROLLBACK_WAIT] = "rollback_wait",
	[ASK_STATUS] = "status",
	[ASK_LOCK_CHECK] = "lock_check",
	[ASK_SAGA_START] = "saga_start",
	[ASK_SAGA_START_WAIT] = "saga_start_wait",
	[ASK_OTHER] = "other",
};

static const char *const commands[TELLS][2] = {
	[TELL_AT_COMMIT] = { "AT", "commit" },
	[TELL_AT_ROLLBACK] = { "AT", "rollback" },
	[TELL_TCC_COMMIT] = { "TCC", "commit" },
	[TELL_TCC_ROLLBACK] = { "TCC", "rollback" },
	[TELL_XA_COMMIT] = { "XA", "commit" },
	[TELL_XA_ROLLBACK] = { "XA", "rollback" },
	[TELL_SAGA_COMMIT] = { "SAGA", "commit" },
	[TELL_SAGA_ROLLBACK] = { "SAGA", "rollback" },
	[TELL_SAGA_CALL] = { "SAGA", "call" },
	[TELL_SAGA_COMPENSATION] = { "SAGA", "compensation" },
	[TELL_MSG_DELIVER] = { "MSG", "deliver" },
	[TELL_MSG_ROLLBACK] = { "MSG", "rollback" },
	[TELL_MSG_CHECK] = { "MSG", "check" },
};

static const char *const kinds[CENSUS_KINDS] = {
	[KIND_PLAIN] = "plain",
	[KIND_MESSAGE] = "message",
	[KIND_SAGA] = "saga",
};

static const char *const outcomes[ENDS] = {
	[END_COMMITTED] = "committed",
	[END_ROLLED_BACK] = "rolled_back",
	[END_TIMED_OUT] = "timed_out",
};

static void put_commands(struct writer *w, const struct metrics *m)
{
	head(w, "treaty_command_seconds", METRIC_HISTOGRAM,
	     "From a command's leaving to a participant's answer.");
	for (size_t i = 0; i < TELLS; i++) {
		const struct metric_label labels[METRIC_LABELS] = {
			{ "mode", bytes_of(commands[i][0]) },
			{ "command", bytes_of(commands[i][1]) },
		};

		metric_put_histogram(w->out, w->name, labels, &m->command[i],
				     SECONDS_OF_US);
	}
}

static void put_ends(struct writer *w, const struct metrics *m)
{
	head(w, "treaty_transaction_seconds", METRIC_HISTOGRAM,
	     "From the begin to the end of phase two, by the wall clock.");
	for (size_t kind = 0; kind < CENSUS_KINDS; kind++)
		for (size_t i = 0; i < ENDS; i++) {
			const struct metric_label labels[METRIC_LABELS] = {
				{ "kind", bytes_of(kinds[kind]) },
				{ "outcome", bytes_of(outcomes[i]) },
			};

			metric_put_histogram(w->out, w->name, labels,
					     &m->end[kind][i], SECONDS_OF_US);
		}
}

static void put_replies(struct writer *w, const struct metrics *m)
{
	head(w, "treaty_replies_total", METRIC_COUNTER,
	     "Answers of the coordinator's core, by what they said.");
	for (int err = OK; err > -METRICS_ERRORS; err--)
		put_for(w, "error", err_name(err), m->replies[-err]);
}

static void put_times(struct writer *w, const struct metrics *m)
{
	static const char *const decisions[] = { "commit", "rollback" };

	head(w, "treaty_request_seconds", METRIC_HISTOGRAM,
	     "From a request's arrival to its answer's leaving.");
	for (size_t i = 0; i < ASKS; i++)
		put_histogram(w, "request", requests[i], &m->request[i]);
	put_replies(w, m);
	head(w, "treaty_phase_two_seconds", METRIC_HISTOGRAM,
	     "From the decision to the end of the last branch.");
	for (size_t i = 0; i < 2; i++)
		put_histogram(w, "decision", decisions[i], &m->phase_two[i]);
	put_commands(w, m);
	put_ends(w, m);
	head(w, "treaty_measurements_lost_total", METRIC_COUNTER,
	     "Begins of a measurement that were forgotten for want of room.");
	put_for(w, "of", "request", m->requests.lost);
	put_for(w, "of", "command", m->commands.lost);
	put_for(w, "of", "phase_two", m->decisions.lost);
}

/* ---- what is unfinished ---- */

/* One that is finished is not among the unfinished ones; 0 and 15 never. */
static bool may_be_unfinished(int status)
{
	return status != GTX_UNKNOWN && status != GTX_FINISHED &&
	       !gtx_status_finished(status);
}

static void put_by_status(struct writer *w, const struct core_census *c)
{
	head(w, "treaty_transactions_unfinished", METRIC_GAUGE,
	     "Unfinished transactions, by what they are for and where.");
	for (size_t kind = 0; kind < CENSUS_KINDS; kind++)
		for (int s = 0; s < GTX_STATUSES; s++) {
			const struct metric_label labels[METRIC_LABELS] = {
				{ "kind", bytes_of(kinds[kind]) },
				{ "status", bytes_of(gtx_status_name(s)) },
			};

			if (may_be_unfinished(s))
				metric_put(w->out, w->name, labels,
					   c->gtx[kind][s], 1);
		}
	head(w, "treaty_transactions_hung", METRIC_GAUGE,
	     "Of these, those that wait for an operator.");
	for (int s = 0; s < GTX_STATUSES; s++)
		if (gtx_status_hung(s))
			put_for(w, "status", gtx_status_name(s),
				c->gtx[KIND_PLAIN][s] +
					c->gtx[KIND_MESSAGE][s] +
					c->gtx[KIND_SAGA][s]);
}

static void put_ages(struct writer *w, const char *name,
		     const size_t older[CENSUS_AGES], const char *help)
{
	struct buf text;

	head(w, name, METRIC_GAUGE, help);
	buf_init(&text, w->out->mem);
	for (size_t i = 0; i < CENSUS_AGES; i++) {
		buf_clear(&text);
		buf_printf(&text, "%llu", (unsigned long long)census_ages_s[i]);
		put_for(w, "seconds", buf_text(&text), older[i]);
	}
	buf_fini(&text);
}

static void put_sagas(struct writer *w,
		      const size_t gtx[CENSUS_KINDS][GTX_STATUSES])
{
	size_t hung = 0, back = 0;

	for (int s = 0; s < GTX_STATUSES; s++)
		if (gtx_status_hung(s))
			hung += gtx[KIND_SAGA][s];
		else if (s != GTX_BEGIN)
			back += gtx[KIND_SAGA][s];
	head(w, "treaty_sagas", METRIC_GAUGE,
	     "Unfinished sagas: on their way, compensating, hung.");
	put_for(w, "state", "forward", gtx[KIND_SAGA][GTX_BEGIN]);
	put_for(w, "state", "compensating", back);
	put_for(w, "state", "hung", hung);
}

static void put_unfinished(struct writer *w, const struct metrics_facts *f)
{
	const struct core_census *c = &f->census;

	put_by_status(w, c);
	put_ages(w, "treaty_transactions_older", c->older,
		 "Unfinished transactions that began longer ago than this.");
	put_ages(w, "treaty_transactions_hung_older", c->hung_older,
		 "Hung transactions that began longer ago than this.");
	gauge_ms(w, "treaty_transaction_oldest_seconds", c->oldest_ms,
		 "Age of the oldest unfinished transaction; 0: none.");
	gauge_ms(w, "treaty_transaction_oldest_hung_seconds", c->oldest_hung_ms,
		 "Age of the oldest hung transaction; 0: none.");
	gauge_ms(w, "treaty_transaction_oldest_decided_seconds",
		 c->oldest_decided_ms,
		 "Time since the oldest decision that is not carried out "
		 "everywhere; 0: none.");
	put_sagas(w, c->gtx);
	gauge(w, "treaty_dead_letters", f->core.dead_letters_now,
	      "Deliveries that were given up and wait for an operator.");
	gauge(w, "treaty_topic_subscribers", f->core.subscribers_now,
	      "Subscribers of all topics.");
	gauge(w, "treaty_tombstones", f->core.tombstones_now,
	      "Outcomes of finished transactions that are remembered.");
}

/* ---- participants, locks ---- */

static void put_work(struct writer *w, const struct core_census *c)
{
	head(w, "treaty_work", METRIC_GAUGE,
	     "What participants have to be told, by what it waits for.");
	put_for(w, "waits_for", "another_branch", c->blocked);
	put_for(w, "waits_for", "place", c->queued);
	put_for(w, "waits_for", "answer", c->in_flight);
	put_for(w, "waits_for", "time", c->due);
	put_for(w, "waits_for", "store", c->held);
	put_for(w, "waits_for", "operator", c->hung);
}

static void put_participants(struct writer *w, const struct metrics_facts *f)
{
	const struct core_census *c = &f->census;

	put_work(w, c);
	gauge(w, "treaty_agents", c->agents, "Agents that are connected.");
	gauge(w, "treaty_agents_silent", c->agents_suspect,
	      "Of these, those that let their last command time out.");
	gauge(w, "treaty_http_participants", c->origins,
	      "Origins of participants that are called now.");
	gauge(w, "treaty_http_participants_silent", c->origins_suspect,
	      "Of these, those that let their last call time out.");
	gauge(w, "treaty_resources_unserved", c->resources_unserved,
	      "Resources for which work waits and that nobody connected has.");
	gauge(w, "treaty_locks", f->core.locks_now, "Lock keys that are held.");
	gauge(w, "treaty_lock_waiters", f->core.waiters_now,
	      "Requests that wait for a lock key.");
}

/* ---- counters of the core ---- */

static void put_ended(struct writer *w, const struct core_stats *s)
{
	counter(w, "treaty_transactions_begun_total", s->begun,
		"Transactions begun, messages and sagas among them.");
	head(w, "treaty_transactions_ended_total", METRIC_COUNTER,
	     "Transactions finished, by their outcome.");
	put_for(w, "outcome", "committed", s->committed);
	put_for(w, "outcome", "rolled_back", s->rolled_back);
	counter(w, "treaty_transactions_timed_out_total", s->timed_out,
		"Transactions rolled back because their time was over.");
	counter(w, "treaty_transactions_hung_total", s->hung,
		"Times that a transaction came to wait for an operator.");
	counter(w, "treaty_branches_total", s->branches,
		"Branches registered.");
	counter(w, "treaty_commands_total", s->commands,
		"Commands sent to participants.");
	counter(w, "treaty_command_retries_total", s->retries,
		"Of these, second and later attempts.");
}

static void put_counters(struct writer *w, const struct core_stats *s)
{
	put_ended(w, s);
	counter(w, "treaty_lock_conflicts_total", s->lock_conflicts,
		"Requests that met a lock key of another transaction.");
	counter(w, "treaty_lock_waits_total", s->lock_waits,
		"Requests that waited for a lock key.");
	counter(w, "treaty_deadlocks_total", s->deadlocks,
		"Requests refused because waiting would never end.");
	counter(w, "treaty_messages_total", s->messages, "Messages begun.");
	counter(w, "treaty_deliveries_total", s->delivered,
		"Deliveries that a consumer confirmed.");
	counter(w, "treaty_message_checks_total", s->checks,
		"Times that a producer was asked for its outcome.");
	counter(w, "treaty_dead_letters_total", s->dead_letters,
		"Deliveries given up.");
}

/* ---- store, loop ---- */

static void put_store(struct writer *w, const struct metrics *m,
		      const struct metrics_facts *f)
{
	static const char *const durable[] = { "no", "yes" };

	head(w, "treaty_store_batch_seconds", METRIC_HISTOGRAM,
	     "Time to store a batch of rows, without or with a sync.");
	for (size_t i = 0; i < 2; i++)
		put_histogram(w, "durable", durable[i], &m->batch[i]);
	head(w, "treaty_store_batch_rows", METRIC_HISTOGRAM,
	     "Rows of a batch.");
	metric_put_histogram(w->out, w->name, NULL, &m->batch_rows, 1);
	head(w, "treaty_store_sync_seconds", METRIC_HISTOGRAM,
	     "Of this, the time the disk took to sync.");
	metric_put_histogram(w->out, w->name, NULL, &m->sync, SECONDS_OF_US);
	head(w, "treaty_store_rows_total", METRIC_COUNTER,
	     "Rows made by the core; a promise waits for a forced one.");
	put_for(w, "forced", "no", f->core.rows_lazy);
	put_for(w, "forced", "yes", f->core.rows_forced);
	counter(w, "treaty_store_syncs_total", f->store.syncs,
		"Syncs of the store's files, checkpoints among them.");
	counter_us(w, "treaty_store_syncing_seconds_total",
		   f->store.sync_us_total, "Time spent in them.");
	head(w, "treaty_loop_turn_seconds", METRIC_HISTOGRAM,
	     "Time that one turn of the loop worked without a pause.");
	metric_put_histogram(w->out, w->name, NULL, &m->turn, SECONDS_OF_US);
}

/* ---- doors ---- */

static const struct {
	const char *word;
	enum door_number door;
} doors[] = { { "http", DOOR_HTTP }, { "agents", DOOR_AGENTS } };

static void put_door(struct writer *w, const struct metrics_facts *f,
		     const char *name, size_t field, const char *help)
{
	head(w, name, METRIC_COUNTER, help);
	for (size_t i = 0; i < ARRAY_LEN(doors); i++) {
		const char *stats = (const char *)&f->doors[doors[i].door];
		uint64_t value;

		memcpy(&value, stats + field, sizeof value);
		put_for(w, "door", doors[i].word, value);
	}
}

#define DOOR(name, field, help)                                                \
	put_door(w, f, (name), offsetof(struct door_stats, field), (help))

static void put_doors(struct writer *w, const struct metrics_facts *f)
{
	head(w, "treaty_door_connections", METRIC_GAUGE,
	     "Connections that are open.");
	for (size_t i = 0; i < ARRAY_LEN(doors); i++)
		put_for(w, "door", doors[i].word,
			f->doors[doors[i].door].connections_now);
	DOOR("treaty_door_accepted_total", accepted, "Connections accepted.");
	DOOR("treaty_door_refused_total", refused,
	     "Connections refused, e.g. for a limit.");
	DOOR("treaty_door_closed_total", closed, "Connections ended.");
	DOOR("treaty_door_messages_in_total", messages_in,
	     "Requests and messages that arrived.");
	DOOR("treaty_door_messages_out_total", messages_out,
	     "Answers and messages that left.");
	DOOR("treaty_door_malformed_total", malformed,
	     "Requests and messages that could not be read.");
}

static void put_caller(struct writer *w, const struct door_stats *s)
{
	counter(w, "treaty_http_calls_total", s->messages_out,
		"Calls of HTTP participants.");
	counter(w, "treaty_http_answers_total", s->messages_in,
		"Answers of HTTP participants.");
	counter(w, "treaty_http_call_failures_total", s->malformed,
		"Calls without an answer that could be understood.");
	counter(w, "treaty_http_calls_refused_total", s->refused,
		"Calls that http_targets or a limit did not allow.");
	counter(w, "treaty_http_connections_opened_total", s->accepted,
		"Connections opened to HTTP participants.");
}

void metrics_write(const struct metrics *m, const struct metrics_facts *facts,
		   struct buf *out)
{
	struct writer w = { .out = out };

	put_process(&w, facts);
	put_times(&w, m);
	put_unfinished(&w, facts);
	put_participants(&w, facts);
	put_counters(&w, &facts->core);
	put_store(&w, m, facts);
	put_doors(&w, facts);
	put_caller(&w, &facts->doors[DOOR_CALLER]);
}
