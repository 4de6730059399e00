-- Why a row is below its target, by its id: one sentence each, shown in
-- docs/benchmarks.md beside the row. bench/report.lua names those that miss.
return {
}
