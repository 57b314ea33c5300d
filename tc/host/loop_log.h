#ifndef TC_HOST_LOOP_LOG_H
#define TC_HOST_LOOP_LOG_H

/* What the log says about the effects of a step: xid and branch on each line. */

#include "tc/core/core.h"

void log_effects(struct bytes coordinator, const struct effects *fx);

#endif
