#ifndef TESTS_FAKES_SAGA_DESK_H
#define TESTS_FAKES_SAGA_DESK_H

/*
 * Short forms for tests of sagas at a desk. They work on the desk that was made
 * last by saga_desk_new() or given to saga_desk_use().
 */

#include "base/buf.h"
#include "tests/fakes/desk.h"

/* hotel: book, undone by unbook; then plane: fly, undone by unfly. */
#define TRIP                                                                   \
	"{\"name\":\"trip\",\"version\":\"1\",\"steps\":["                     \
	"{\"name\":\"hotel\",\"action\":\"book\",\"compensation\":"            \
	"\"unbook\"},"                                                         \
	"{\"name\":\"plane\",\"action\":\"fly\",\"compensation\":\"unfly\"}]}"

/* With auto_store. */
struct desk *saga_desk_new(const struct core_config *config);
void saga_desk_use(struct desk *d);
/* Agents for book, unbook, fly and unfly: peers 1 to 4. */
void saga_agents(void);

const struct reply *saga_put(const char *document);
const struct reply *saga_drop(const char *name, const char *version);
uint64_t saga_ask_start(const char *machine, const char *key, const char *input,
			uint64_t wait_ms);
/* A new one; REQUIREs OK. */
struct bytes saga_start(const char *machine, const char *key);
const struct reply *saga_move(struct bytes xid, enum saga_move move);
/* What RQ_SAGA_SHOW says; REQUIREs OK. */
const char *saga_show(struct bytes xid);

/* The last command; it must be a call of this service. */
const struct command *saga_called(const char *service);
void saga_answer(const struct command *command, struct branch_done how);
/* Answers to the last command, which must be a call of this service. */
void saga_done(const char *service, const char *output);
void saga_refused(const char *service, const char *error);
void saga_unknown(const char *service);
void saga_busy(const char *service);

bool saga_has(struct bytes text, const char *part);

#endif
