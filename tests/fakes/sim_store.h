#ifndef TESTS_FAKES_SIM_STORE_H
#define TESTS_FAKES_SIM_STORE_H

/*
 * A store for the simulator: steps are applied in order, late; a crash keeps
 * everything that was said to be durable and any number of the steps behind.
 */

#include "tc/core/core.h"

struct sim_row {
	enum row_table table;
	uint64_t id;
	uint64_t gtx;
	uint8_t *body;
	size_t len;
};

struct sim_change {
	uint64_t seq;
	bool put;
	struct sim_row row;
};

struct sim_store {
	struct sim_row *rows;
	size_t n_rows, cap_rows;
	struct sim_change *changes;
	size_t n_changes, cap_changes;
	uint64_t seq;    /* of the last step that was given */
	uint64_t stored; /* applied */
	uint64_t forced; /* last step with a forced row */
};

void sim_store_fini(struct sim_store *s);
/* Take the rows of a step. */
void sim_store_take(struct sim_store *s, const struct effects *fx);
/* Apply the steps up to this one. */
void sim_store_apply(struct sim_store *s, uint64_t seq);
/* Forget what was not applied; numbers start anew. */
void sim_store_crash(struct sim_store *s);

#endif
