#ifndef MPR_IPC_CONN_H
#define MPR_IPC_CONN_H

/* Pipes: a PIPE block has a ring for each direction, and each of its two ends
 * is a CONNECTION block that holds it. An end is shared by as many processes
 * as hold its block; when the last hold goes, by close or by death, the end's
 * destroy tells the peer. So end of file needs no descriptor, and ends travel
 * like every other object.
 *
 * If we die here: (an end made, the other not) both blocks stand in our hold
 *               table; the reaper closes what exists. */

/* Registers the kinds PIPE and CONNECTION. */
void mpri_conn_register(void);

#endif
