#ifndef BASE_DIALECT_H
#define BASE_DIALECT_H

/*
 * Whose SQL it is. MariaDB is DIALECT_MYSQL.
 */

enum dialect {
	DIALECT_POSTGRES = 1,
	DIALECT_MYSQL = 2,
	DIALECT_SQLITE = 3,
};

#endif
