#ifndef TESTS_FAKES_MSG_FIELDS_H
#define TESTS_FAKES_MSG_FIELDS_H

/* Every scalar field of a message by its kind; wire_msg_test proves that none
 * is missing. For arrays: uint64_t *numbers[] = MSG_NUMBERS(&m). */

#include "wire/msg.h"

#define MSG_NUMBERS(m)                                                         \
	{                                                                      \
		&(m)->branch, &(m)->timeout_ms, &(m)->mode, &(m)->client_key,  \
			&(m)->wait_ms, &(m)->status, &(m)->count,              \
			&(m)->first_id, &(m)->err, &(m)->holder_age_ms,        \
			&(m)->command, &(m)->attempt, &(m)->resolution,        \
			&(m)->heartbeat_ms                                     \
	}
#define MSG_TEXTS(m)                                                           \
	{                                                                      \
		&(m)->xid, &(m)->name, &(m)->application, &(m)->instance,      \
			&(m)->resource, &(m)->application_data, &(m)->holder,  \
			&(m)->key, &(m)->text, &(m)->detail, &(m)->values,     \
			&(m)->coordinator, &(m)->nonce, &(m)->signature,       \
			&(m)->traceparent                                      \
	}
#define MSG_N_NUMBERS 14
#define MSG_N_TEXTS   15

#endif
