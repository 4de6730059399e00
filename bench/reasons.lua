-- Why a row is below its target, by its id: one sentence each, shown in
-- docs/benchmarks.md beside the row. bench/report.lua names those that miss.
return {
  ["pool.memory"] = "Of about 490 KB, 150 are pages of the parent's Lua heap that were written to since "
    .. "the fork, 110 a fifth of those that were not, 80 a fifth of the module's code; the rest is "
    .. "stack, loader and C library. A C program that does nothing has 84.",
}
