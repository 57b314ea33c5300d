#include "tc/door/door.h"

#define DOOR_SHIFT 56

uint64_t door_peer(enum door_number door, uint64_t serial)
{
	REQUIRE(serial != 0 && serial >> DOOR_SHIFT == 0);
	return (uint64_t)door << DOOR_SHIFT | serial;
}

enum door_number door_of_peer(uint64_t peer)
{
	if (peer_is_url(peer))
		return DOOR_CALLER;
	return (enum door_number)(peer >> DOOR_SHIFT);
}
