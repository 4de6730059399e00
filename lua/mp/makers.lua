--- What managers make in shared memory, by name: functions of mp and of its
-- contexts.

return {
  "dict",
  "list",
  "Queue",
  "JoinableQueue",
  "Lock",
  "RLock",
  "Semaphore",
  "BoundedSemaphore",
  "Condition",
  "Event",
  "Barrier",
  "Value",
  "Array",
  "Pool",
}
