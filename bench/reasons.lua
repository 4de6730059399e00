-- Why a row is below its target, by its id: one or two sentences each, shown in
-- docs/benchmarks.md beside the row when it misses. bench/report.lua names
-- those that miss and are not here.
return {
  ["process.fork"] = "Of 150 µs (the floor: 69) page faults take 50 (17): 51 of them (22), 30 in "
    .. "the child, for the pages of Lua's heap, stack and code that both use and for those that "
    .. "make the child a member of the family. Running in memory no longer in the CPU's caches "
    .. "takes 34 (7), the kernel's fork and its undoing 53 (40), other calls, half of them to "
    .. "watch the child and to give it its liveness byte, the rest.",
  ["process.forkserver"] = "The server forks as fast as any process, but order and answer go "
    .. "through it: a sleep and a wake more than a fork of one's own.",
  ["process.forkserver_heap"] = "The same as without the heap, which the fork server does not "
    .. "have; the ratio asked for is that to a slower CPython.",
  ["process.spawn"] = "Of 1.6 ms the stock interpreter's start and end take 1.0, mp's module 0.3, "
    .. "a child's part of mp in Lua 0.2 to compile; to beat CPython by as much, 1.3 were wanted.",
  ["codec.encode_integer"] = "A call from Lua to C and a new string cost most of it.",
  ["codec.decode_integer"] = "A call from Lua to C costs half of it.",
  ["codec.encode_string"] = "A call from Lua to C and a new string, which Lua hashes, cost most "
    .. "of it.",
  ["codec.decode_string"] = "A call from Lua to C and a new string, which Lua hashes, cost most "
    .. "of it.",
  ["codec.encode_list"] = "Of 230 instructions an element about 200 are the calls of Lua's "
    .. "interface that read it: the next key, that it is the expected one, the value. pickle reads "
    .. "the array of the list directly.",
  ["codec.decode_list"] = "Lua's interface takes one element at a time.",
  ["codec.encode_tables"] = "Bare calls of Lua's interface that visit the same pairs take 7.1 of "
    .. "10.0 µs: lua_next gives one pair at a time and looks its key up again; pickle walks the "
    .. "dict's own array.",
  ["codec.decode_tables"] = "Bare calls of Lua's interface that make the same tables, of no "
    .. "message, take 12.0 of 13.1 µs: two blocks of malloc a table, a string, each key hashed "
    .. "again, and the collector.",
  ["codec.encode_tree"] = "Bare calls that visit the same nodes take 0.94 of the time: one pair at "
    .. "a time through lua_next.",
  ["codec.decode_tree"] = "Bare calls that make the same tree, of no message, take 0.94 of the "
    .. "time: blocks of malloc, and the collector, which runs while the tree grows.",
  ["sync.lock"] = "The row's CPython takes an unnamed semaphore by one call of libc; a lock here "
    .. "also writes down its owner, so that it is known when the owner dies.",
  ["sync.contended"] = "With two CPUs the two take turns in long runs; how long these are is "
    .. "chance, and differs from run to run.",
  ["sync.barrier_asleep"] = "Who waits announces itself before it sleeps and leaves again "
    .. "afterwards, so that its death inside is noticed: two more steps than the floor.",
  ["value.read"] = "The call from Lua to C is nearly all of it: the least that a userdata with one "
    .. "field can do is 1.13 times as fast.",
  ["value.array_to_list"] = "Each element is set in the table through Lua's interface, at about "
    .. "9 ns.",
  ["value.array_to_string"] = "One copy of the memory; Lua allocates the string anew each time, "
    .. "and the first touch of its pages is the limit, in CPython too.",
  ["queue.strings"] = "The first touch of each page, twice (in the arena and in the new string), "
    .. "is most of it.",
  ["queue.strings_warm"] = "The pages in the arena are warm, but Lua asks the system for a new "
    .. "string of 64 MB each time, whose pages are touched for the first time.",
  ["dict.set_by_2"] = "Each set takes the lock of its shard and writes an undo log, so that a "
    .. "killed writer leaves nothing half done; the floor has neither.",
  ["dict.get_by_2"] = "Each get looks twice at its shard's counter, to see that nobody wrote "
    .. "meanwhile.",
  ["scaling.dict_keys"] = "A million keys take 76 MB, more than caches and TLB reach, and "
    .. "a get goes to three places of them, each known from the one before. One such place is "
    .. "too many: on a busy machine a C function that reads one line out of 16 MB instead of 16 KB "
    .. "costs 5.3 times as much (22 and 117 ns), Lua's own array of integers 9.7 times (8 and 78 "
    .. "ns), mp.dict 7.2 times, the empty loop the same (18 ns). CPython's own dict, private to a "
    .. "process, costs 2.8 times as much on a quiet one. Tried without effect: 32 to 384 keys in a "
    .. "shard instead of 128; fetching the slot ahead of its shard (5 %); huge pages (refused "
    .. "to shared memory by the kernel's default).",
  ["scaling.idle"] = "Idle workers look around twice a second.",
  ["pool.documents"] = "The figure is reached, and so is 1.85 times the loop of Lua; the ratio "
    .. "asked for is that to a slower CPython.",
  ["pool.memory"] = "Of about 480 KB, 150 are pages of the parent's Lua heap that were written "
    .. "to since the fork, 130 a share of those 540 that were not (if managers, contexts, logs and "
    .. "imap were never loaded, 85), 80 a fifth of the module's code; the rest is stack, "
    .. "loader and C library. A C program that does nothing has 84.",
}
