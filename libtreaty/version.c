#include <treaty/treaty.h>

const char *treaty_version(void)
{
	return TREATY_VERSION;
}
