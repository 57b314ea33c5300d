#ifndef RM_AGENT_OPTIONS_H
#define RM_AGENT_OPTIONS_H

/*
 * treaty_options of the size the program was built with -> complete and valid
 * ones of ours.
 */

#include "base/base.h"

#include <treaty/treaty.h>

/* E_INVALID with a text that names the option. Texts are borrowed as given. */
MUST_CHECK int options_take(struct treaty_options *out,
			    const struct treaty_options *given);

#endif
