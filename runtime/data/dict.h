#ifndef MPR_DATA_DICT_H
#define MPR_DATA_DICT_H

/* The kind Dict: a table (data/table.h) that users hold. mpr.h has its
 * functions. A dict lives as long as somebody holds it, another dict that
 * contains it included; its last holder drops what its values hold. */

void mpri_dict_register(void);

#endif
