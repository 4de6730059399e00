#ifndef MPR_DATA_DATA_H
#define MPR_DATA_DATA_H

/* What the objects of this folder offer to one another and to init.c. */

/* Register the kinds of this folder. */
void mpri_layout_register(void);
void mpri_array_register(void);

#endif
